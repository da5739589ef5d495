"""A layer one step at a time, in real time: the state is held, and no step allocates memory.

Legend: B batch, I input, H hidden, S width of a state, O features of the output, L layers.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from penstock.cells.base import Cell, Place
from penstock.compiler import pipeline
from penstock.compiler.pipeline import Bound, Inputs
from penstock.errors import ArgumentError
from penstock.layers import equations
from penstock.layers.connections import Connection
from penstock.layers.equations import Sweep


class Stream:
    """A stack of layers over one cell, fed a step at a time; made by `Recurrent.stream`.

    The weights are those of the moment when the stream was made. A stream is for inference: it
    records no gradient.
    """

    def __init__(
        self,
        cell: Cell,
        places: Sequence[Place],
        weights: Sequence[Mapping[str, Tensor]],
        batch_size: int,
        connections: Sequence[Connection] = (),
        initial: Sequence[Tensor] | None = None,
    ) -> None:
        first = next(iter(weights[0].values()), torch.empty(0))  # a cell may have none
        self._cell, self._dtype, self._parity = cell, first.dtype, 0
        self._x = first.new_zeros(1, batch_size, places[0].input_size)
        self._shape = self._x.shape[1:]
        # A state lies twice, and steps go to and fro between the two: [layer][state] of [2, B, S].
        self._states = [
            [first.new_zeros(2, batch_size, s) for s in cell.state_sizes(place.hidden_size)]
            for place in places
        ]
        self._initial = initial
        self.reset()
        self._steps = tuple(
            tuple(self._parts(places, weights, connections, parity)) for parity in (0, 1)
        )

    def _parts(
        self,
        places: Sequence[Place],
        weights: Sequence[Mapping[str, Tensor]],
        connections: Sequence[Connection],
        parity: int,
    ) -> Iterator["_Step"]:
        """Yield each layer's step."""
        name = "interpreter" if pipeline.why_not("c") else "c"
        dtype = str(self._dtype).removeprefix("torch.")
        x, below = self._x, dict[str, Tensor]()
        after: Sequence[Connection | None] = connections or [None] * len(places)
        for place, own, states, follows in zip(places, weights, self._states, after, strict=True):
            bias = any(n.startswith("bias_") for n in own)
            program = pipeline.program(self._cell, place, bias, dtype, name, streaming=True)
            lower = tuple(below[s] for s in self._cell.below) if below else ()
            inputs = Inputs(own, x, tuple(states), lower, None, None, reverse=parity == 1)
            new = tuple(state[1 - parity][None] for state in states)
            size = self._cell.usage(place).output_size
            output = new[0] if self._cell.output is None else x.new_zeros(*x.shape[:2], size)
            joined = output
            if follows is not None:
                joined = x.new_zeros(*x.shape[:2], follows.output_size)
            sweep = Sweep(self._cell, place, own, x, new)
            yield _Step(program.bind(inputs), sweep, output, follows, joined)
            x = joined
            below = dict(zip(self._cell.states, new, strict=True))

    def step(self, x: Tensor) -> Tensor:
        """Feed one step and return the output.

        Args:
            x: [B, I], contiguous, of the layer's dtype.

        Returns:
            output [B, O]. It lies in the stream's own memory, where the step after next writes:
            clone what is to be kept longer.

        Raises:
            ArgumentError: x has another shape, dtype or layout.
        """
        if x.shape != self._shape or x.dtype != self._dtype or not x.is_contiguous():
            raise ArgumentError(
                f"x is {x.dtype} of shape {list(x.shape)}; this stream takes contiguous "
                f"{self._dtype} of shape {list(self._shape)}"
            )
        steps = self._steps[self._parity]
        self._parity = 1 - self._parity
        steps[0].bound.read(x)
        for step in steps:
            step.bound()
            if step.maps:
                step.map(x if step is steps[0] else None)
        return steps[-1].output

    @property
    def state(self) -> tuple[Tensor, ...]:
        """The states after the last step, copied, [L, B, S] each, as `Recurrent` returns them."""
        layers = zip(*self._states, strict=True)
        return tuple(torch.stack([s[self._parity] for s in state]) for state in layers)

    @state.setter
    def state(self, states: Sequence[Tensor]) -> None:
        for k, layer in enumerate(self._states):
            for state, given in zip(layer, states, strict=True):
                state[self._parity] = given[k]

    def reset(self) -> None:
        """Set all states to zero, or to the learned initial ones."""
        for k, layer in enumerate(self._states):
            for n, state in enumerate(layer):
                state[:] = 0 if self._initial is None else self._initial[n][k]


class _Step:
    """One layer of a stream, at even or at odd steps.

    place: where the cell's output lies. joined: where that lies which the next layer reads.
    """

    def __init__(
        self,
        bound: Bound,
        sweep: Sweep,
        place: Tensor,
        connection: Connection | None,
        joined: Tensor,
    ) -> None:
        self.bound, self.sweep, self.place = bound, sweep, place
        self.connection, self.joined, self.output = connection, joined, joined[0]
        self.maps = sweep.cell.output is not None or connection is not None

    def map(self, x: Tensor | None) -> None:
        """Apply the cell's output map to the new states, and what stands between layers."""
        sweep = self.sweep
        if x is not None:
            sweep.x.copy_(x)
        with torch.no_grad():
            if sweep.cell.output is not None:
                self.place.copy_(equations.output(sweep, sweep.states))
            if self.connection is not None:
                self.joined.copy_(self.connection(sweep.x, [self.place]))

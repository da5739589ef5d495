"""A layer one step at a time, in real time: the state is held, and no step allocates memory.

Legend: B batch, I input, H hidden, S width of a state, O features of the output, L layers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from penstock.cells import Cell, Place
from penstock.compiler import pipeline
from penstock.compiler.pipeline import Bound, Sweep
from penstock.errors import ArgumentError, BackendError
from penstock.layers.calling import arguments
from penstock.layers.calling.arguments import State
from penstock.layers.making.connections import Connection
from penstock.layers.running import eager, function, native
from penstock.layers.running.fitting import check_weights
from penstock.layers.running.followed import ORDINARY, is_followed, is_traced, is_watched

_Feed = Callable[[Tensor], None]
_InHand = tuple[
    _Feed, _Feed | None, tuple[tuple[Callable[[], None], _Feed | None], ...], Tensor
]  # as `_in_hand` returns
_BUSY = (
    "another thread is in the midst of a step of this stream; give each its own, by "
    "copy.deepcopy(stream)"
)
_RECORDED = (
    "torch records or watches what is done here (make_fx, torch.jit.trace, a dispatch mode), and "
    "cannot see into a step of a stream; give it the layer, with the state as an argument"
)


class Stream:
    """A stack of layers over one cell, fed a step at a time; made by `Recurrent.stream`.

    The weights are those of the moment when the stream was made. A stream is for inference: it
    records no gradient. Its copies, by `copy.deepcopy` or pickle, go on from its state on their
    own. Where no kernel takes the layer's numbers (bfloat16, half, a GPU, an op that the compiler
    lacks), the equations run, and then a step allocates memory.
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
        with torch.inference_mode(False), torch.no_grad():  # or no other mode could write to them
            own = [{n: _copy(n, weight) for n, weight in named.items()} for named in weights]
            first = next(iter(own[0].values()), torch.empty(0))  # a cell may have none
            self._x = first.new_zeros(1, batch_size, places[0].input_size)
            # A state lies twice, and steps go to and fro between the two: [layer][state] of
            # [2, B, S].
            self._states = [
                [first.new_zeros(2, batch_size, s) for s in cell.state_sizes(place.hidden_size)]
                for place in places
            ]
            self._initial = None if initial is None else [s.detach().clone() for s in initial]
            self._made_of = cell, places, own, batch_size, [deepcopy(c) for c in connections]
            # Held, for a step knows its memory by addresses alone.
            self._layers = both = [tuple(self._parts(parity)) for parity in (0, 1)]
        # What a step looks up, ready to hand: a look-up is a hundredth of its time.
        self._steps = tuple(map(_in_hand, both))
        self._counts = frozenset([self._x.numel()])
        self._turn = [0]  # the place of the newest state; empty while a step runs
        self.reset()

    def __getstate__(self) -> dict[str, Any]:
        """Return what another stream is made of, and its states."""
        made_of = (*self._made_of, self._initial)
        return {"made_of": made_of, "states": self._states, "turn": self._newest()}

    def __setstate__(self, saved: dict[str, Any]) -> None:
        """Make the stream anew, for addresses cannot be copied."""
        self.__init__(*saved["made_of"])  # type: ignore[misc]
        self._turn = [saved["turn"]]
        for layer, states in zip(self._states, saved["states"], strict=True):
            for state, given in zip(layer, states, strict=True):
                state.copy_(given)

    def _parts(self, parity: int) -> Iterator["_LayerStep"]:
        """Yield each layer's step."""
        cell, places, weights, _, connections = self._made_of
        x, below = self._x, dict[str, Tensor]()
        after: Sequence[Connection | None] = connections or [None] * len(places)
        for place, own, states, follows in zip(places, weights, self._states, after, strict=True):
            lower = tuple(below[s] for s in cell.below) if below else ()
            new = tuple(state[1 - parity][None] for state in states)
            size = cell.usage(place).output_size
            output = new[0] if cell.output is None else x.new_zeros(*x.shape[:2], size)
            joined = output
            if follows is not None:
                joined = x.new_zeros(*x.shape[:2], follows.output_size)
            old = tuple(state[parity] for state in states)
            shapes = pipeline.shapes(cell, place)
            sweep = Sweep(cell, place, own, x, old, lower, shapes=shapes)
            bound = _bind(sweep, tuple(states), parity)
            yield _LayerStep(bound, sweep._replace(states=new), output, follows, joined)
            x = joined
            below = dict(zip(cell.states, new, strict=True))

    def step(self, x: Tensor) -> Tensor:
        """Feed one step and return the output.

        Args:
            x: [B, I], of the layer's dtype and device.

        Returns:
            output [B, O]. It lies in the stream's own memory, which is its state, and where the
            step after next writes: clone what is to be kept longer, or changed.

        Raises:
            ArgumentError: x has another shape, dtype, device or layout, or torch records
                (make_fx), or another thread is in the midst of a step.
        """
        # While torch.jit.trace records, numel is a tensor, and so none of the numbers.
        if type(x) is not Tensor or is_watched() or x.numel() not in self._counts:
            x = self._plain(x)
        try:
            old = self._turn.pop()
        except IndexError:
            raise ArgumentError(_BUSY) from None
        new = old
        try:
            feed, then, above, output = self._steps[old]
            feed(x)
            if then is not None:
                then(x)
            for walk, then in above:
                walk()
                if then is not None:
                    then(x)
            new = 1 - old
        finally:
            self._turn.append(new)
        return output

    def _plain(self, x: Tensor) -> Tensor:
        """Return a step's input without what autograd knows of it; raises where torch records."""
        if is_watched() or is_traced():
            raise ArgumentError(_RECORDED)
        return x.detach()

    @property
    def state(self) -> State:
        """The state after the last step, copied, as `Recurrent` returns it and takes it.

        That is [L, B, S], or a tuple of them where the cell has several states. What is set may
        be the tuple of one, too.

        Raises:
            ArgumentError: what is set has another number, shape, dtype or device.
        """
        layers = zip(*self._states, strict=True)
        newest = self._newest()
        states = tuple(torch.stack([s[newest] for s in state]) for state in layers)
        return states if len(states) > 1 else states[0]

    @state.setter
    def state(self, given: State) -> None:
        cell, places = self._made_of[:2]
        sizes = zip(cell.states, cell.state_sizes(places[0].hidden_size), strict=True)
        states = arguments.states(given, self._x, dict(sizes), len(places), single=False)
        self._set(states)

    def reset(self) -> None:
        """Set all states to zero, or to the learned initial ones."""
        self._set(self._initial)

    def _newest(self) -> int:
        """Return in which of the two places the state lies; raises while a step runs."""
        if not self._turn:
            raise ArgumentError(_BUSY)
        return self._turn[0]

    @torch.no_grad()
    def _set(self, states: Sequence[Tensor] | None) -> None:
        newest = self._newest()
        for k, layer in enumerate(self._states):
            for n, state in enumerate(layer):
                state[newest] = 0 if states is None else states[n][k]


def _copy(name: str, weight: Tensor) -> Tensor:
    """Return a weight that nobody else changes or frees."""
    if weight.is_cpu and type(weight) in ORDINARY:
        pipeline.check(name, weight, weight.dtype, weight.shape)
    return weight.detach().clone()


def _in_hand(steps: Sequence["_LayerStep"]) -> "_InHand":
    """Return the first layer's loop and map, those of the layers above, and the output's place."""
    first, *above = ((step.bound, step.map if step.maps else None) for step in steps)
    walks = tuple((bound.walk, then) for bound, then in above)
    return first[0].feed, first[1], walks, steps[-1].output


def _bind(sweep: Sweep, states: tuple[Tensor, ...], parity: int) -> Bound:
    """Return a step of a layer on a kernel, or by the equations where no kernel takes it.

    states: [2, B, S] each, the old and the new in turn. At parity 1 the new one lies before the old
    one in memory, which for a kernel is a sweep of one step in reverse.
    """
    tensors = (sweep.x, *states, *sweep.weights.values())
    if not native.has_kernels_for(sweep.x) or is_followed(tensors):
        return _EagerStep(sweep, tuple(state[1 - parity] for state in states))
    name = "interpreter" if pipeline.why_not("c") else "c"
    bias = any(n.startswith("bias_") for n in sweep.weights)
    dtype = str(sweep.x.dtype).removeprefix("torch.")
    try:
        program = pipeline.program(sweep.cell, sweep.place, bias, dtype, name, streaming=True)
    except BackendError as error:
        function.say_once(type(sweep.cell), str(error))
        return _EagerStep(sweep, tuple(state[1 - parity] for state in states))
    return program.bind(sweep._replace(states=states, reverse=parity == 1))


class _EagerStep:
    """A step of a layer by its equations."""

    def __init__(self, sweep: Sweep, new: tuple[Tensor, ...]) -> None:
        check_weights(sweep)
        self.sweep, self.new = sweep, new

    def walk(self) -> None:
        """Make the new states of the old ones."""
        with torch.no_grad():
            for place, state in zip(self.new, eager.run(self.sweep).states, strict=True):
                place.copy_(state)

    def feed(self, x: Tensor) -> None:
        """Make them of another input of the same shape."""
        like = self.sweep.x[0]
        given, wanted = ((t.dtype, list(t.shape), t.layout, t.device) for t in (x, like))
        if given != wanted:
            raise ArgumentError(f"x is {given}; this stream takes {wanted}")
        self.sweep = self.sweep._replace(x=x[None])
        self.walk()


class _LayerStep:
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

    def map(self, x: Tensor) -> None:
        """Apply the cell's output map to the new states, and what stands between layers."""
        sweep = self.sweep
        with torch.no_grad():
            if sweep.place.lowest:
                sweep.x.copy_(x)
            if sweep.cell.output is not None:
                self.place.copy_(eager.output(sweep, sweep.states))
            if self.connection is not None:
                self.joined.copy_(self.connection(sweep.x, [self.place]))

"""A stack of layers over one cell, as sweeps: layer by layer, direction by direction.

Legend: T time, B batch, I input, H hidden, S width of a state, D directions, L layers.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from penstock.cells import Cell, Place, Usage
from penstock.compiler.pipeline import Sweep
from penstock.errors import ArgumentError
from penstock.layers.calling import arguments
from penstock.layers.calling.arguments import State
from penstock.layers.calling.lengths import backward_reset, reset_steps, valid_steps
from penstock.layers.calling.masks import draw_masks
from penstock.layers.making.parts import Part
from penstock.layers.running import fitting, function, graphs
from penstock.layers.running.chunks import run_in_chunks
from penstock.layers.running.eager import Swept


class Stack(graphs.Unread):
    """What `Recurrent` does once its input is laid out as [T, B, I].

    `Recurrent`'s constructor sets all that is named here.
    """

    cell: Cell
    input_size: int
    num_layers: int
    batch_first: bool
    bidirectional: bool
    dropout: float
    input_dropout: float
    weight_drop: float
    trainable_state: bool
    checkpoint: bool | int
    connections: Any  # one `Connection` a layer, or () where none has anything to do
    _parts: Sequence[Sequence[Part]]  # by layer and direction
    _state_sizes: Sequence[int]

    def uses(self) -> Iterator[tuple[Usage, dict[str, str]]]:
        """Yield what the cell uses in each layer and direction, and its parameters' names here."""
        for part in (part for layer in self._parts for part in layer):
            yield self.cell.usage(part.place), part.names

    def places(self) -> Iterator[Place]:
        """Yield where the cell stands in each layer and direction, as the layer runs now."""
        for part in (part for layer in self._parts for part in layer):
            yield (part.training if self.training else part.evaluation).place

    def _run(
        self,
        x: Tensor,
        state: State | None,
        lengths: Any,
        reset: Any,
        single: bool = False,
        all_states: bool = False,
    ) -> tuple[Tensor, tuple[Tensor, ...], list[Swept]]:
        """Check the arguments, x being [T, B, I], and run all layers."""
        first = next(iter(self._parts[0][0].names.values()), None)
        dtype = x.dtype if first is None else self._weight(first).dtype
        arguments.check_input(x, self.input_size, dtype)
        T, B = x.shape[:2]
        if single and not (lengths is None and reset is None):
            raise ArgumentError("lengths and reset go with a batch; give x as [T, B, I]")
        states = self._initial(state, x, single)
        valid = None if lengths is None else valid_steps(lengths, T, B, x.device)
        resets = None if reset is None else reset_steps(reset, T, B, self.batch_first)
        if valid is not None:  # what stands in the padding must not count, be it NaN or a reset
            x = x.masked_fill(~valid[..., None], 0)
            resets = None if resets is None else resets & valid
        output, swept = self._run_layers(x, states, valid, resets, all_states)
        finals = zip(*(s.states for s in swept), strict=True)
        return output, tuple(torch.stack(s) for s in finals), swept

    def _run_layers(
        self,
        x: Tensor,
        states: tuple[Tensor, ...],
        valid: Tensor | None,
        reset: Tensor | None,
        all_states: bool,
    ) -> tuple[Tensor, list[Swept]]:
        """Run x [T, B, I] through all layers and directions."""
        done: list[Swept] = []
        D = 1 + self.bidirectional
        every = all_states or bool(self.cell.below) or self.cell.output is not None
        anew = D > 1 or valid is not None or bool(self.checkpoint) or self.cell.output is not None
        for layer, parts in enumerate(self._parts):
            x = self._drop_features(x)
            for d, part in enumerate(parts):
                mode = part.training if self.training else part.evaluation
                sweep = Sweep(
                    cell=self.cell,
                    place=mode.place,
                    weights=self._weights(part),
                    x=x,
                    states=tuple(s[len(done)] for s in states),
                    below=self._below(done[-D]) if layer else (),
                    valid=valid,
                    reset=backward_reset(reset) if d and reset is not None else reset,
                    reverse=d == 1,
                    key=mode.key,
                    masks=self._masks(mode.place, x) if mode.place.modifiers.any else {},
                    returned=layer == self.num_layers - 1 and not anew,
                    every_state=every,
                    shapes=part.shapes,
                )
                done.append(self._sweep(sweep, all_states))
            outputs = [s.output for s in done[-D:]]
            if self.connections:
                x = self.connections[layer](x, outputs, valid)
            else:
                x = outputs[0] if D == 1 else torch.cat(outputs, dim=-1)
            if layer < self.num_layers - 1:
                x = nn.functional.dropout(x, self.dropout, self.training)
        return x, done

    def _sweep(self, sweep: Sweep, all_states: bool) -> Swept:
        if not (self.checkpoint and torch.is_grad_enabled()):  # chunks are for the gradient
            return function.run(sweep)
        length = 0 if self.checkpoint is True else self.checkpoint
        return run_in_chunks(sweep, function.run, length, all_states or bool(self.cell.below))

    def _drop_features(self, x: Tensor) -> Tensor:
        """Apply the dropout of whole features, the same at all steps."""
        if not (self.training and self.input_dropout):
            return x
        return x * nn.functional.dropout(torch.ones_like(x[:1]), self.input_dropout)

    def _weights(self, part: Part) -> dict[str, Tensor]:
        weights = {name: self._weight(full) for name, full in part.names.items()}
        if self.training and self.weight_drop:
            dropped = nn.functional.dropout(weights["weight_hh"], self.weight_drop)
            weights["weight_hh"] = dropped
        return weights

    def _weight(self, name: str) -> Tensor:
        """Return a parameter, or what a parametrization or pruning has put in its place.

        Raises:
            ArgumentError: something has set it to None.
        """
        own = self._parameters.get(name)  # a look-up quicker than the module's own
        if own is None and (own := getattr(self, name)) is None:
            raise ArgumentError(f"{name} is None; a layer without biases is made by bias=False")
        return own

    def _masks(self, place: Place, x: Tensor) -> dict[str, Tensor]:
        sizes = dict(zip(self.cell.states, self._state_sizes, strict=True))
        return draw_masks(place.modifiers, sizes, x)

    def _below(self, lower: Swept) -> tuple[Tensor, ...]:
        return tuple(lower.sequences[self.cell.states.index(s)] for s in self.cell.below)

    def _initial(self, state: State | None, x: Tensor, single: bool = False) -> tuple[Tensor, ...]:
        """Return the initial states, [L·D, B, S] each, after checking those given."""
        rows = self.num_layers * (1 + self.bidirectional)
        if state is not None:
            return arguments.states(
                state, x, dict(zip(self.cell.states, self._state_sizes, strict=True)), rows, single
            )
        if self.trainable_state:
            return tuple(s[:, None].expand(-1, x.shape[1], -1) for s in self._learned(x))
        return tuple(x.new_zeros(rows, x.shape[1], size) for size in self._state_sizes)

    def _learned(self, like: Tensor) -> Iterator[Tensor]:
        """Yield the learned initial states, [L·D, S] each; like: the input, or a weight."""
        rows = self.num_layers * (1 + self.bidirectional)
        for state, size in zip(self.cell.states, self._state_sizes, strict=True):
            learned = self._weight(f"initial_{state}")
            fitting.check(f"initial_{state}", learned, (rows, size), like)
            yield learned

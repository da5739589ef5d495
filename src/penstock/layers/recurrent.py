"""One layer over any cell.

Legend: T time, B batch, I input, H hidden, O features of a direction's output, S width of a state,
D directions, L layers.
"""

import math
import operator
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from penstock.cells import Cell, cell_name, find_cell
from penstock.cells.base import Gate, Place, Vector
from penstock.errors import ArgumentError
from penstock.layers import function, op
from penstock.layers.equations import Sweep, Swept
from penstock.layers.lengths import Packing, backward_reset, reset_mask, valid_mask
from penstock.layers.stream import Stream

State = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True)
class _Part:
    """One direction of one layer: its place, its parameters' names here by those of the cell."""

    place: Place
    names: dict[str, str]
    key: str


class Recurrent(nn.Module):
    """A recurrent layer over any cell: stacked, in one direction or both.

    Args:
        cell: a `Cell` subclass, or a name from `penstock.cells`.
        input_size: I.
        hidden_size: H.
        num_layers: layers on top of each other, each reading the one below.
        bias: False leaves out the gates' biases.
        batch_first: input and output are [B, T, ·] instead of [T, B, ·]; states are not affected.
        dropout: probability of zeroing an element of the output of each layer but the last, in
            training.
        bidirectional: add a second direction that reads from the last step to the first; the
            outputs of the two are put side by side.
        device, dtype: of the parameters.
        hyperparameters: those that the cell declares, by name.

    Parameters are named and shaped as torch.nn's: ``weight_ih_l{k}`` [G·H, I],
    ``weight_hh_l{k}`` [G·H, S], ``bias_ih_l{k}`` and ``bias_hh_l{k}`` [G·H], G gates in the order
    of their declaration, then ``weight_{name}_l{k}`` for the cell's vectors and matrices; the
    second direction's names end in ``_reverse``. All are drawn from U(−1/√H, 1/√H), but for
    biases and vectors with an initial value of their own.

    Raises:
        UnknownCellError: no cell has that name.
        ArgumentError: a size, option or hyperparameter has a value that cannot work.
    """

    def __init__(
        self,
        cell: str | type[Cell],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **hyperparameters: Any,
    ) -> None:
        super().__init__()
        self.cell = find_cell(cell)(**hyperparameters)
        self.input_size = _size("input_size", input_size)
        self.hidden_size = _size("hidden_size", hidden_size)
        self.num_layers = _size("num_layers", num_layers)
        self.bias, self.batch_first, self.bidirectional = (
            _flag(bias=bias),
            _flag(batch_first=batch_first),
            _flag(bidirectional=bidirectional),
        )
        self.dropout = _probability(dropout, self.num_layers)
        self._state_sizes = self.cell.state_sizes(self.hidden_size)
        self._parts: list[list[_Part]] = []
        for layer in range(self.num_layers):
            place = self._place(layer)
            shapes = self.cell.shapes(place)
            names = [n for n in shapes if self.bias or not n.startswith("bias")]
            key = op.register(self.cell, place, tuple(names))
            suffixes = [f"_l{layer}", f"_l{layer}_reverse"][: 1 + bidirectional]
            self._parts.append([_Part(place, {n: n + s for n in names}, key) for s in suffixes])
            for name in (n for part in self._parts[-1] for n in part.names.items()):
                weight = torch.empty(shapes[name[0]], device=device, dtype=dtype)
                self.register_parameter(name[1], nn.Parameter(weight))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew from U(−1/√H, 1/√H), or as their declarations say."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        for part in (part for layer in self._parts for part in layer):
            use = self.cell.usage(part.place)
            for name, gates in (("bias_ih", use.x_gates), ("bias_hh", use.h_gates)):
                if name in part.names:
                    self._set_biases(getattr(self, part.names[name]), name, gates)
            for name in use.others:
                if isinstance(declared := self.cell.declared[name], Vector):
                    declared.start(getattr(self, part.names[f"weight_{name}"]).detach())

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: State | None = None,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Any, State]:
        """Run the layer over sequences.

        Args:
            x: [T, B, I], [B, T, I] with batch_first, [T, I] for one sequence without a batch, or
                a PackedSequence.
            state: the initial state [L·D, B, S] (no B where x has none), or a tuple of them in
                the order of the cell's states; zero where None.
            lengths: [B] steps of each row. The output is 0 past a row's end, and its final state
                is that of its last valid step.
            reset: bool, [T, B] ([B, T] with batch_first). Where True, the state is set to zero
                before that step; the backward direction is cut at the same place.

        Returns:
            output: [T, B, O·D], or laid out as x is; and the final state, formed as `state`.

        Raises:
            ArgumentError: shapes or types do not fit; the message says which and what is wanted.
        """
        if not isinstance(x, Tensor | PackedSequence):
            raise ArgumentError(f"x is a {type(x).__name__}; give a torch.Tensor")
        if isinstance(x, PackedSequence):
            return self._packed(Packing(x), state, lengths, reset)
        if x.ndim == 2:
            output, states = self._run(x[:, None], state, lengths, reset, single=True)
            return output[:, 0], self._as_given(tuple(s[:, 0] for s in states))
        time_first = x.transpose(0, 1) if self.batch_first and x.ndim == 3 else x
        output, states = self._run(time_first, state, lengths, reset)
        return output.transpose(0, 1) if self.batch_first else output, self._as_given(states)

    def stream(self, batch_size: int = 1) -> Stream:
        """Return this layer as a stream: one step at a time, with the state held.

        Args:
            batch_size: rows of every step, B.

        Raises:
            ArgumentError: the layer is bidirectional, or batch_size is not a number above 0.
        """
        if self.bidirectional:
            raise ArgumentError("a stream knows no later steps; the layer must go one way")
        weights = [
            {name: getattr(self, full).detach() for name, full in parts[0].names.items()}
            for parts in self._parts
        ]
        places = [parts[0].place for parts in self._parts]
        return Stream(self.cell, places, weights, _size("batch_size", batch_size))

    def _packed(
        self, packing: Packing, state: State | None, lengths: Any, reset: Tensor | None
    ) -> tuple[PackedSequence, State]:
        if not (lengths is None and reset is None):
            raise ArgumentError(
                "a PackedSequence has its own lengths; lengths and reset go with padded input"
            )
        x = packing.pad()
        states = packing.sort(self._initial(state, x)) if x.ndim == 3 else state
        output, states = self._run(x, states, packing.lengths, None)
        return packing.pack(output), self._as_given(packing.unsort(states))

    def _run(
        self, x: Tensor, state: State | None, lengths: Any, reset: Any, single: bool = False
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Check the arguments, x being [T, B, I], and run all layers."""
        self._check_input(x)
        T, B = x.shape[:2]
        if single and not (lengths is None and reset is None):
            raise ArgumentError("lengths and reset go with a batch; give x as [T, B, I]")
        states = self._initial(state, x, single)
        valid = None if lengths is None else valid_mask(lengths, T, B, x.device)
        resets = None if reset is None else reset_mask(reset, T, B, self.batch_first)
        if valid is not None:  # what stands in the padding must not count, be it NaN or a reset
            x = x.masked_fill(~valid[..., None], 0)
            resets = None if resets is None else resets & valid
        return self._layers(x, states, valid, resets)

    def _layers(
        self, x: Tensor, states: tuple[Tensor, ...], valid: Tensor | None, reset: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run x [T, B, I] through all layers and directions."""
        finals: list[tuple[Tensor, ...]] = []
        lower: list[Swept] = []
        for layer, parts in enumerate(self._parts):
            swept: list[Swept] = []
            for d, part in enumerate(parts):
                sweep = Sweep(
                    cell=self.cell,
                    place=part.place,
                    weights={name: getattr(self, full) for name, full in part.names.items()},
                    x=x,
                    states=tuple(s[len(finals) + d] for s in states),
                    below=self._below(lower[d]) if lower else (),
                    valid=valid,
                    reset=backward_reset(reset) if d and reset is not None else reset,
                    reverse=d == 1,
                    key=part.key,
                )
                swept.append(function.run(sweep))
            finals += [s.states for s in swept]
            outputs = [s.output for s in swept]
            x, lower = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1), swept
            if layer < self.num_layers - 1:
                x = nn.functional.dropout(x, self.dropout, self.training)
        return x, tuple(torch.stack(s) for s in zip(*finals, strict=True))

    def _below(self, lower: Swept) -> tuple[Tensor, ...]:
        return tuple(lower.sequences[self.cell.states.index(s)] for s in self.cell.below)

    def _place(self, layer: int) -> Place:
        if layer == 0:
            return Place(self.input_size, self.hidden_size)
        below = self.cell.usage(self._parts[layer - 1][0].place).output_size
        return Place(below * (1 + self.bidirectional), self.hidden_size, lowest=False)

    def _set_biases(self, bias: Tensor, name: str, gates: Sequence[str]) -> None:
        """Set the biases that a gate gives a value: beside W where it has one, else beside U."""
        biased = self.cell.biased(gates)
        for part, gate in zip(torch.split(bias.detach(), self.hidden_size), biased, strict=True):
            declared = self.cell.declared[gate]
            assert isinstance(declared, Gate)
            if not isinstance(declared.bias, bool):
                part.fill_(0 if declared.x and name == "bias_hh" else declared.bias)

    def _check_input(self, x: Tensor) -> None:
        if x.ndim != 3 or x.shape[-1] != self.input_size:
            raise ArgumentError(
                f"the input has shape {list(x.shape)}; this layer takes 2 or 3 dimensions, the "
                f"last of input_size = {self.input_size}"
            )
        weight = getattr(self, next(iter(self._parts[0][0].names.values())))
        if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise ArgumentError(
                f"the input is {x.dtype}, the layer's weights are {weight.dtype}; convert one: "
                f"x.to({weight.dtype}) or layer.to({x.dtype})"
            )

    def _initial(self, state: State | None, x: Tensor, single: bool = False) -> tuple[Tensor, ...]:
        """Return the initial states, [L·D, B, S] each, after checking those given."""
        LD, B = self.num_layers * (1 + self.bidirectional), x.shape[1]
        sizes = self._state_sizes
        if state is None:
            return tuple(x.new_zeros(LD, B, size) for size in sizes)
        states = (state,) if isinstance(state, Tensor) else tuple(state)
        if not all(isinstance(s, Tensor) and s.dtype == x.dtype for s in states):
            kinds = ", ".join(str(getattr(s, "dtype", type(s).__name__)) for s in states)
            raise ArgumentError(f"state is of {kinds}; it must be of the input's {x.dtype}")
        wanted = [[LD, size] if single else [LD, B, size] for size in sizes]
        given = [list(s.shape) for s in states]
        if given != wanted:
            raise ArgumentError(
                f"state has shapes {given}; for this input the states "
                f"({', '.join(self.cell.states)}) must be {wanted}"
            )
        return tuple(s[:, None] for s in states) if single else states

    def _as_given(self, states: tuple[Tensor, ...]) -> State:
        return states if len(states) > 1 else states[0]

    def extra_repr(self) -> str:
        """Return what the layer's line in a printed model says."""
        options = {
            "num_layers": (self.num_layers, 1),
            "bias": (self.bias, True),
            "batch_first": (self.batch_first, False),
            "dropout": (self.dropout, 0.0),
            "bidirectional": (self.bidirectional, False),
        }
        words = [repr(cell_name(type(self.cell))), str(self.input_size), str(self.hidden_size)]
        words += [f"{name}={value}" for name, (value, usual) in options.items() if value != usual]
        words += [f"{name}={value!r}" for name, value in self.cell.hyperparameters.items()]
        return ", ".join(words)


def _size(name: str, size: int) -> int:
    try:
        whole = operator.index(size)
    except TypeError:
        whole = 0
    if whole < 1 or isinstance(size, bool):
        raise ArgumentError(f"{name} is {size!r}; it must be a whole number above 0")
    return whole


def _flag(**flags: bool) -> bool:
    ((name, flag),) = flags.items()
    if not isinstance(flag, bool):
        raise ArgumentError(f"{name} is {flag!r}; it must be True or False")
    return flag


def _probability(dropout: float, num_layers: int) -> float:
    if not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
        raise ArgumentError(f"dropout is {dropout!r}; it must be a probability from 0 to 1")
    if dropout and num_layers == 1:
        warnings.warn(
            f"dropout={dropout} acts between layers, and there is one layer: it does nothing",
            stacklevel=3,
        )
    return float(dropout)

"""One layer over any cell.

Legend: T time, B batch, I input, H hidden, O features of the output, S width of a state,
D directions, L layers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.rnn import PackedSequence

from penstock.cells import Cell, cell_name, find_cell
from penstock.cells.modifiers import Modifiers
from penstock.errors import ArgumentError
from penstock.layers.calling.arguments import State
from penstock.layers.calling.lengths import Packing
from penstock.layers.initialisers import Initialiser, draw, find_initialiser
from penstock.layers.making import connections, options
from penstock.layers.making.connections import Connection
from penstock.layers.making.parts import Architecture, build
from penstock.layers.running import graphs
from penstock.layers.stack import Stack
from penstock.layers.stream import Stream

__all__ = ["Recurrent", "State"]


class Recurrent(Stack):
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
        bidirectional: add a second direction that reads from the last step to the first.
        device, dtype: of the parameters.
        input_dropout: probability of zeroing a feature of each layer's input, the same features
            at all steps of a sequence (variational dropout, arXiv:1512.05287).
        recurrent_dropout: the same for what the gates read of the state.
        weight_drop: probability of zeroing an element of U, the same at all steps (Merity et al.
            2017, arXiv:1708.02182).
        zoneout: probability with which a unit of a state keeps its old value at a step, for all
            states, or by state: ``{"h": 0.05, "c": 0.5}`` (arXiv:1606.01305). In evaluation the
            expectation is taken.
        layer_norm: normalise W x and U h, each over all gates, and the state c on its way to the
            output, with learned gains (arXiv:1607.06450).
        clip_gates: limit L of pre-activations, 0 for none. All that σ, tanh or another function
            of one value reads, if gates are summed up in it, is clipped to ±L, with peepholes and
            reset gates inside: σ(clip(W x + U h + b + p ⊙ c)). Whatever else
            reads a gate, reads that gate clipped. Gates of the cell's output are not limited.
        clip_state: limit of the state c (or of the first, where there is no c); 0 for none.
        merge: how the outputs of two directions become one: "concat", "sum", "mean", "product".
        connection: what goes around a layer as wide as its input: "none", "residual", "highway".
        projection_size: P, the features that each layer's output is projected to; 0 for no
            projection. (An LSTM whose recurrence is projected too is "projected_lstm".)
        trainable_state: learn the initial state, ``initial_<state>`` [L·D, S], at first 0.
        checkpoint: True, or the steps of a chunk: keep for the gradient only the states between
            chunks, ⌈√T⌉ steps each if True, and compute the rest again (arXiv:1604.06174).
        init: how parameters are drawn: "torch", "glorot", "orthogonal", "unit_forget", "keras",
            "chrono", or a function of the layer (see `penstock.layers.initialisers`).
        hyperparameters: those that the cell declares, by name.

    Parameters are named and shaped as torch.nn's: ``weight_ih_l{k}`` [G·H, I],
    ``weight_hh_l{k}`` [G·H, S], ``bias_ih_l{k}`` and ``bias_hh_l{k}`` [G·H], G gates in the order
    of their declaration, then ``weight_{name}_l{k}`` for the cell's vectors and matrices; the
    second direction's names end in ``_reverse``. All are drawn from U(−1/√H, 1/√H), but for
    biases and vectors with an initial value of their own.

    Raises:
        UnknownCellError: no cell has that name.
        ArgumentError: a size, option or hyperparameter has a value that cannot work.
        TraceError: the compiler, which makes the modifiers, cannot read the cell's step.
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
        *,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        weight_drop: float = 0.0,
        zoneout: float | Mapping[str, float] = 0.0,
        layer_norm: bool = False,
        clip_gates: float = 0.0,
        clip_state: float = 0.0,
        merge: str = "concat",
        connection: str = "none",
        projection_size: int = 0,
        trainable_state: bool = False,
        checkpoint: bool | int = False,
        init: str | Initialiser = "torch",
        **hyperparameters: Any,
    ) -> None:
        nn.Module.__init__(self)  # not super(): a drop-in has nn.RNNBase beside it
        self.cell = find_cell(cell)(**hyperparameters)
        self.input_size = options.size("input_size", input_size)
        self.hidden_size = options.size("hidden_size", hidden_size)
        self.num_layers = options.size("num_layers", num_layers)
        self.bias = options.flag(bias=bias)
        self.batch_first = options.flag(batch_first=batch_first)
        self.bidirectional = options.flag(bidirectional=bidirectional)
        self.dropout = options.dropout_between(dropout, self.num_layers)
        self.input_dropout = options.probability("input_dropout", input_dropout)
        self.weight_drop = options.probability("weight_drop", weight_drop)
        self.modifiers = options.modifiers(
            self.cell, recurrent_dropout, zoneout, layer_norm, clip_gates, clip_state
        )
        self.merge, self.connection = merge, connection
        connections.check(merge, connection)
        self.projection_size = options.size("projection_size", projection_size, least=0)
        self.trainable_state = options.flag(trainable_state=trainable_state)
        self.checkpoint = (
            checkpoint
            if isinstance(checkpoint, bool)
            else options.size("checkpoint", checkpoint, least=0)
        )
        self._init = find_initialiser(init)
        self._state_sizes = self.cell.state_sizes(self.hidden_size)
        like: dict[str, Any] = {"device": device, "dtype": dtype}
        architecture = Architecture(
            self.cell, self.input_size, self.hidden_size, self.num_layers, self.bias,
            self.bidirectional, self.modifiers, (merge, connection, self.projection_size),
        )  # fmt: skip
        self._parts, joined = build(self, architecture, **like)
        self.output_size = joined[-1].output_size
        self._check_options(joined)
        is_plain = merge == "concat" and all(c.is_plain for c in joined)
        self.connections: Any = () if is_plain else nn.ModuleList(joined)
        if self.trainable_state:
            rows = self.num_layers * (1 + self.bidirectional)
            for state, width in zip(self.cell.states, self._state_sizes, strict=True):
                initial = nn.Parameter(torch.zeros(rows, width, **like))
                self.register_parameter(f"initial_{state}", initial)
        self.reset_parameters()

    def _check_options(self, joined: Sequence[Connection]) -> None:
        """Raise where an option would do nothing."""
        if self.connection != "none" and not any(c.goes_around for c in joined):
            raise ArgumentError(
                f"connection={self.connection!r} goes around a layer as wide as its input, and "
                f"none is: the input has {self.input_size} features, the output "
                f"{self.output_size}; set projection_size={self.input_size}, or leave it out"
            )
        no_products = not self.cell.usage(self._parts[0][0].place).h_gates
        if no_products and (self.modifiers.recurrent_dropout or self.weight_drop):
            name = cell_name(type(self.cell))
            raise ArgumentError(
                f"recurrent_dropout and weight_drop act on U h, and {name} has no such product"
            )

    def reset_parameters(self) -> None:
        """Draw all parameters anew, as `init` and the cell's declarations say."""
        draw(self)
        for connection in self.connections:
            connection.reset_parameters()
        for state in self.cell.states if self.trainable_state else ():
            nn.init.zeros_(getattr(self, f"initial_{state}"))
        self._init(self)

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: State | None = None,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
        *,
        all_states: bool = False,
    ) -> Any:
        """Run the layer over sequences.

        Args:
            x: [T, B, I], [B, T, I] with batch_first, [T, I] for one sequence without a batch, or
                a PackedSequence.
            state: the initial state [L·D, B, S] (no B where x has none), or a tuple of them in
                the order of the cell's states; where None, zero or the learned one. A state
                carried from batch to batch must be detached in between, or gradients reach back
                through all batches: ``state = tuple(s.detach() for s in state)``.
            lengths: [B] steps of each row. The output is 0 past a row's end, and its final state
                is that of its last valid step.
            reset: bool, [T, B] ([B, T] with batch_first). Where True, the state is set to zero
                before that step; the backward direction is cut at the same place.
            all_states: return the states of all steps too; x must be a padded batch.

        Returns:
            output: [T, B, O], or laid out as x is; the final state, formed as `state`; and with
            all_states, each state at every step, [L·D, T, B, S] ([L·D, B, T, S] with
            batch_first), formed as `state`.

        Raises:
            ArgumentError: shapes or types do not fit; the message says which and what is wanted.
        """
        if isinstance(x, fx.Proxy):
            return graphs.call_module(self, x, state, lengths, reset, all_states=all_states)
        if not isinstance(x, Tensor | PackedSequence):
            raise ArgumentError(f"x is a {type(x).__name__}; give a torch.Tensor")
        if all_states and (isinstance(x, PackedSequence) or x.ndim != 3):
            raise ArgumentError("all_states goes with a padded batch; give x as [T, B, I]")
        if isinstance(x, PackedSequence):
            return self._packed(Packing(x), state, lengths, reset)
        if x.ndim == 2:
            output, states, _ = self._run(x[:, None], state, lengths, reset, single=True)
            return output[:, 0], self._as_given(tuple(s[:, 0] for s in states))
        time_first = x.transpose(0, 1) if self.batch_first and x.ndim == 3 else x
        output, states, swept = self._run(time_first, state, lengths, reset, False, all_states)
        result = output.transpose(0, 1) if self.batch_first else output, self._as_given(states)
        if not all_states:
            return result
        every = zip(*(s.sequences for s in swept), strict=True)
        stacked = (torch.stack(s) for s in every)
        return *result, self._as_given(
            tuple(s.transpose(1, 2) if self.batch_first else s for s in stacked)
        )

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
            {name: self._weight(full).detach() for name, full in parts[0].names.items()}
            for parts in self._parts
        ]
        places = [parts[0].place for parts in self._parts]
        initial = None
        if self.trainable_state:
            like = next(iter(weights[0].values()), torch.empty(0))
            initial = [s.detach() for s in self._learned(like)]
        return Stream(
            self.cell, places, weights, options.size("batch_size", batch_size),
            self.connections, initial,
        )  # fmt: skip

    def _packed(
        self, packing: Packing, state: State | None, lengths: Any, reset: Tensor | None
    ) -> tuple[PackedSequence, State]:
        if not (lengths is None and reset is None):
            raise ArgumentError(
                "a PackedSequence has its own lengths; lengths and reset go with padded input"
            )
        x = packing.pad()
        states = packing.sort(self._initial(state, x)) if x.ndim == 3 else state
        output, states, _ = self._run(x, states, packing.lengths, None)
        return packing.pack(output), self._as_given(packing.unsort(states))

    def _as_given(self, states: tuple[Tensor, ...]) -> State:
        return states if len(states) > 1 else states[0]

    def extra_repr(self) -> str:
        """Return what the layer's line in a printed model says."""
        shown = {
            "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
            "bidirectional": False, "input_dropout": 0.0, "weight_drop": 0.0, "merge": "concat",
            "connection": "none", "projection_size": 0, "trainable_state": False, "checkpoint": 0,
        }  # fmt: skip
        words = [repr(cell_name(type(self.cell))), str(self.input_size), str(self.hidden_size)]
        values = {name: (getattr(self, name), usual) for name, usual in shown.items()}
        plain = Modifiers()
        for one in fields(self.modifiers):
            values[one.name] = getattr(self.modifiers, one.name), getattr(plain, one.name)
        words += [f"{name}={value!r}" for name, (value, usual) in values.items() if value != usual]
        words += [f"{name}={value!r}" for name, value in self.cell.hyperparameters.items()]
        return ", ".join(words)

"""torch.nn's RNN, LSTM and GRU: signature, errors, state_dict and packed input are torch's own.

Legend: T time, B batch, I input, H hidden, P projection, L layers, D directions.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from penstock.cells import Cell, gru, lstm, projected_lstm, rnn
from penstock.errors import ArgumentError
from penstock.layers.recurrent import Recurrent, State

Device = torch.device | str | None


class _DropIn(Recurrent):
    """What the three have in common.

    torch.nn's checks are not written again: its own module on the meta device, the twin, is given
    the same arguments, and any input that cannot work, and raises what torch.nn raises.
    """

    def __init__(
        self, cell: type[Cell], module: type[nn.RNNBase], arguments: dict[str, Any], **hyper: Any
    ) -> None:
        given = {n: v for n, v in arguments.items() if n not in ("self", "__class__")}
        twin = module(**given | {"device": "meta"})
        own = {n: v for n, v in given.items() if n not in ("proj_size", "nonlinearity")}
        with warnings.catch_warnings():  # the twin has warned of the same
            warnings.simplefilter("ignore")
            super().__init__(cell, **own, **hyper)
        self._twin = (twin,)  # in a tuple, so that it does not count as a part of this module

    def forward(  # type: ignore[override]
        self, input: Tensor | PackedSequence, hx: State | None = None
    ) -> Any:
        """Run the layer; arguments, results and errors are those of torch.nn's module."""
        try:
            time = self.batch_first and isinstance(input, Tensor) and input.ndim == 3
            if isinstance(input, Tensor) and not input.shape[time]:
                raise ArgumentError("the input has no steps")
            return super().forward(input, hx)
        except (ArgumentError, AttributeError, IndexError, TypeError):
            self._twin[0].to(next(self.parameters()).dtype)(*_to_meta((input, hx)))
            raise

    @property
    def mode(self) -> str:
        """torch.nn's name of the cell."""
        return self._twin[0].mode

    @property
    def proj_size(self) -> int:
        """P, or 0 without projection."""
        return self._twin[0].proj_size

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._twin[0]._all_weights]

    def flatten_parameters(self) -> None:
        """Do nothing: the weights need no particular place in memory."""

    def extra_repr(self) -> str:
        """Return torch.nn's line for such a module."""
        return self._twin[0].extra_repr()


class RNN(_DropIn):
    """torch.nn.RNN over the cell ``"rnn"`` (`penstock.cells.rnn.RNN` has its equations).

    Shapes: input [T, B, I], [B, T, I] with batch_first, [T, I], or a PackedSequence; hx and h_n
    [L·D, B, H]; output [T, B, D·H].

    Raises: what torch.nn.RNN raises.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(rnn.RNN, nn.RNN, locals(), nonlinearity=nonlinearity)
        self.nonlinearity = nonlinearity


class LSTM(_DropIn):
    """torch.nn.LSTM over the cell ``"lstm"`` (`penstock.cells.lstm.LSTM` has its equations).

    With proj_size the cell is ``"projected_lstm"``.

    Shapes: input [T, B, I], [B, T, I] with batch_first, [T, I], or a PackedSequence; hx and the
    final state (h [L·D, B, P or H], c [L·D, B, H]); output [T, B, D·(P or H)].

    Raises: what torch.nn.LSTM raises.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        arguments = dict(locals())
        if proj_size:
            super().__init__(projected_lstm.ProjectedLSTM, nn.LSTM, arguments, proj_size=proj_size)
        else:
            super().__init__(lstm.LSTM, nn.LSTM, arguments)


class GRU(_DropIn):
    """torch.nn.GRU over the cell ``"gru"`` (`penstock.cells.gru.GRU` has its equations).

    Shapes: input [T, B, I], [B, T, I] with batch_first, [T, I], or a PackedSequence; hx and h_n
    [L·D, B, H]; output [T, B, D·H].

    Raises: what torch.nn.GRU raises.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Device = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(gru.GRU, nn.GRU, locals())


def _to_meta(value: Any) -> Any:
    if isinstance(value, PackedSequence):
        return value._replace(data=value.data.to("meta"))
    if isinstance(value, tuple):
        return tuple(_to_meta(v) for v in value)
    return value.to("meta") if isinstance(value, Tensor) else value

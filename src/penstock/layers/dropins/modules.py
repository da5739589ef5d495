"""torch.nn's RNN, LSTM and GRU: signature, errors, state_dict and packed input are torch's own.

Legend: T time, B batch, I input, H hidden, P projection, L layers, D directions.
"""

import warnings
from typing import Any, ClassVar, Never

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.rnn import PackedSequence

from penstock.cells import Cell, gru, lstm, projected_lstm, rnn
from penstock.errors import ArgumentError
from penstock.layers.dropins.exchange import exchange
from penstock.layers.recurrent import Recurrent, State

Device = torch.device | str | None


class _DropIn(Recurrent, nn.RNNBase):
    """What the three have in common.

    torch.nn's checks are not written again: its own module on the meta device, the twin, is given
    the same arguments, and any input that cannot work, and raises what torch.nn raises.
    """

    original: ClassVar[type[nn.RNNBase]]  # bound here, since torch.nn's name may come to mean ours

    def __init__(self, cell: type[Cell], arguments: dict[str, Any], **hyper: Any) -> None:
        given = {n: v for n, v in arguments.items() if n not in ("self", "__class__", "refused")}
        twin = self.original(**given | {"device": "meta"} | arguments.get("refused", {}))
        own = {n: v for n, v in given.items() if n not in ("proj_size", "nonlinearity")}
        with warnings.catch_warnings():  # the twin has warned of the same
            warnings.simplefilter("ignore")
            super().__init__(cell, **own, **hyper)
        self._twin = (twin,)  # in a tuple, so that it does not count as a part of this module
        self.mode, self.proj_size = twin.mode, twin.proj_size
        self._all_weights, self._flat_weights_names = twin._all_weights, twin._flat_weights_names

    def forward(  # type: ignore[override]
        self, input: Tensor | PackedSequence, hx: State | None = None
    ) -> Any:
        """Run the layer; arguments, results and errors are those of torch.nn's module."""
        if isinstance(input, fx.Proxy):
            return super().forward(input, hx)
        try:
            time = self.batch_first and isinstance(input, Tensor) and input.ndim == 3
            if isinstance(input, Tensor) and not input.shape[time]:
                raise ArgumentError("the input has no steps")
            return super().forward(input, hx)
        except (ArgumentError, AttributeError, IndexError, TypeError):
            self._twin[0].to(self._flat_weights[0].dtype)(*_to_meta((input, hx)))
            raise

    # What nn.RNNBase does beside checking and printing is to keep its weights in one piece for
    # cuDNN. There is no such piece here, so that in the rest a drop-in is a plain module.
    extra_repr = nn.RNNBase.extra_repr
    __setattr__ = nn.Module.__setattr__  # type: ignore[assignment]
    __getstate__ = object.__getstate__
    __setstate__ = nn.Module.__setstate__
    _apply = nn.Module._apply
    _replicate_for_data_parallel = nn.Module._replicate_for_data_parallel

    @property
    def _flat_weights(self) -> list[Tensor]:  # type: ignore[override]
        """The weights as torch's operators take them: subclasses of nn.LSTM read them."""
        return [self._weight(name) for name in self._flat_weights_names]

    def flatten_parameters(self) -> None:
        """Do nothing: the weights need no particular place in memory."""

    _init_flat_weights = _update_flat_weights = flatten_parameters

    def __prepare_scriptable__(self) -> nn.Module:
        """Return torch.nn's own layer over the same parameters, which torch.jit.script can read."""
        made = exchange(self, {kind: kind.original for kind in _DropIn.__subclasses__()})
        return super().__prepare_scriptable__() if made is self else made


class RNN(_DropIn):
    """torch.nn.RNN over the cell ``"rnn"`` (`penstock.cells.rnn.RNN` has its equations).

    Shapes: input [T, B, I], [B, T, I] with batch_first, [T, I], or a PackedSequence; hx and h_n
    [L·D, B, H]; output [T, B, D·H].

    Raises: what torch.nn.RNN raises.
    """

    original = nn.RNN

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
        **refused: Never,
    ) -> None:
        super().__init__(rnn.RNN, locals(), nonlinearity=nonlinearity)
        self.nonlinearity = nonlinearity


class LSTM(_DropIn):
    """torch.nn.LSTM over the cell ``"lstm"`` (`penstock.cells.lstm.LSTM` has its equations).

    With proj_size the cell is ``"projected_lstm"``.

    Shapes: input [T, B, I], [B, T, I] with batch_first, [T, I], or a PackedSequence; hx and the
    final state (h [L·D, B, P or H], c [L·D, B, H]); output [T, B, D·(P or H)].

    Raises: what torch.nn.LSTM raises.
    """

    original = nn.LSTM
    # What a subclass of nn.LSTM with a forward of its own may call.
    check_forward_args = nn.LSTM.check_forward_args  # type: ignore[assignment]
    get_expected_cell_size = nn.LSTM.get_expected_cell_size
    permute_hidden = nn.LSTM.permute_hidden  # type: ignore[assignment]

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
            super().__init__(projected_lstm.ProjectedLSTM, arguments, proj_size=proj_size)
        else:
            super().__init__(lstm.LSTM, arguments)


class GRU(_DropIn):
    """torch.nn.GRU over the cell ``"gru"`` (`penstock.cells.gru.GRU` has its equations).

    Shapes: input [T, B, I], [B, T, I] with batch_first, [T, I], or a PackedSequence; hx and h_n
    [L·D, B, H]; output [T, B, D·H].

    Raises: what torch.nn.GRU raises.
    """

    original = nn.GRU

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
        **refused: Never,
    ) -> None:
        super().__init__(gru.GRU, locals())


def _to_meta(value: Any) -> Any:
    if isinstance(value, PackedSequence):
        return value._replace(data=value.data.to("meta"))
    if isinstance(value, tuple):
        return tuple(_to_meta(v) for v in value)
    return value.to("meta") if isinstance(value, Tensor) else value

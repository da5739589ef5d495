"""torch's own operators, for the cells that it has: cuDNN's on CUDA."""

from typing import Any

import torch
from torch import Tensor
from torch.backends.cudnn import rnn as cudnn_rnn

from penstock.cells import Cell, gru, lstm, projected_lstm, rnn
from penstock.compiler.pipeline import Sweep
from penstock.layers.running import fitting
from penstock.layers.running.eager import Swept
from penstock.layers.running.followed import is_followed, is_traced

_MODES = {gru.GRU: "GRU", lstm.LSTM: "LSTM", projected_lstm.ProjectedLSTM: "LSTM", rnn.RNN: "RNN"}


def has(cell: type[Cell]) -> bool:
    """Return whether torch has an operator for a cell."""
    return cell in _MODES


def has_kernels_for(x: Tensor) -> bool:
    """Return whether the compiled kernels take a tensor: of these numbers, and on a CPU."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def takes(sweep: Sweep) -> bool:
    """Return whether a sweep can and should go this way.

    It can for a cell of torch's without masks and modifiers, whose later states are not asked for,
    and should where no kernel of ours can be asked, or torch.jit.trace records: then the graph
    holds for sequences of any length.
    """
    traced = is_traced()
    if has_kernels_for(sweep.x) and not traced:
        return False
    masked = sweep.valid is not None or sweep.reset is not None
    one = len(sweep.states) == 1 or not sweep.every_state
    plain = one and not masked and not sweep.place.modifiers.any and sweep.x.numel() > 0
    tensors = (sweep.x, *sweep.states, *sweep.weights.values())
    if not plain or type(sweep.cell) not in _MODES or not _projects(sweep):
        return False
    return traced or not is_followed(tensors)


def _projects(sweep: Sweep) -> bool:
    """Return whether torch can project the state, if that is asked: on CUDA only cuDNN, to less."""
    projected = _projection(sweep)
    if not projected or not sweep.x.is_cuda:
        return True
    cudnn: bool = torch.backends.cudnn.is_acceptable(sweep.x)  # type: ignore[no-untyped-call]
    return cudnn and projected < sweep.place.hidden_size


def _projection(sweep: Sweep) -> int:
    """Return the size that a state is projected to; 0 if it is not."""
    size = sweep.cell.state_sizes(sweep.place.hidden_size)[0]
    return 0 if "weight_hr" not in sweep.weights else size


def run(sweep: Sweep) -> Swept:
    """Run a sweep on torch's operator."""
    fitting.check_weights(sweep)
    mode = _MODES[type(sweep.cell)]
    if mode == "RNN":
        mode = f"RNN_{sweep.cell.hyperparameters['nonlinearity'].upper()}"
    weights = list(sweep.weights.values())
    _flatten(sweep, mode, weights)
    operators: dict[str, Any] = {
        "GRU": torch.gru, "LSTM": torch.lstm, "RNN_TANH": torch.rnn_tanh, "RNN_RELU": torch.rnn_relu
    }  # fmt: skip
    x = sweep.x.flip(0) if sweep.reverse else sweep.x
    states = [state[None] for state in sweep.states]
    initial = states if mode == "LSTM" else states[0]
    has_biases = "bias_ih" in sweep.weights
    train = is_traced() or torch.is_grad_enabled()  # a graph must not depend on the mode
    output, *final = operators[mode](x, initial, weights, has_biases, 1, 0.0, train, False, False)
    if sweep.reverse:
        output = output.flip(0)
    elif sweep.returned and train and sweep.x.is_cuda:
        output = output.clone()  # cuDNN's gradient reads it
    return Swept(output, tuple(state[0] for state in final), (output,))


def _flatten(sweep: Sweep, mode: str, weights: list[Tensor]) -> None:
    """Lay the weights in one piece of memory, once, or cuDNN would copy them at every call."""
    pieces = {w.untyped_storage().data_ptr() for w in weights}
    if len(pieces) == 1 or not all(isinstance(w, torch.nn.Parameter) for w in weights):
        return
    if not torch.backends.cudnn.is_acceptable(weights[0]):  # type: ignore[no-untyped-call]
        return
    place, projected = sweep.place, _projection(sweep)
    number = cudnn_rnn.get_cudnn_mode(mode)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        torch._cudnn_rnn_flatten_weight(
            weights, len(weights), place.input_size, number, place.hidden_size, projected, 1,
            False, False,
        )  # fmt: skip

"""From ONNX: RNN, LSTM and GRU nodes with their weights."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from penstock.errors import ModelFileError
from penstock.importers.links import names_of
from penstock.importers.making import make
from penstock.importers.onnx_files import as_model
from penstock.importers.onnx_graphs import read_graph


def from_onnx(
    path_or_model_or_node: Any,
    name: str | Sequence[str] | None = None,
    *,
    weights: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Return the RNN, LSTM or GRU nodes of an ONNX model as one module with their weights.

    Read are both layouts, all directions, peepholes, input_forget, linear_before_reset, clip,
    constant initial states, and several nodes of which each reads the one before, through whatever
    Transpose, Squeeze, Reshape or sum of directions an exporter puts between. The model is parsed,
    and not run; it takes the library onnx, which the extra `onnx` brings.

    Args:
        path_or_model_or_node: a path, an onnx.ModelProto, or an onnx.NodeProto with `weights`.
        name: the node to take (its name, or that of its first output), or several that follow
            each other. Without it the model must be such nodes alone.
        weights: arrays by the names that the model has for them, in the place of inputs or
            initializers.

    Returns:
        `penstock.RNN`, LSTM or GRU; a `penstock.Recurrent` for what these lack: the cells
        "gru_reset_before_keep" (linear_before_reset=0), "peephole_lstm" and "cifg", clip_gates, a
        constant initial state (``initial_h``), another merge of directions. Nodes that cannot be
        one module are in a `penstock.importers.modules.Chain`, and direction="reverse" is a
        `penstock.importers.modules.Backwards`. It is in evaluation mode.

    batch_first is that of the model's input, where the first node reads it, and otherwise the
    node's layout. Output and state are Penstock's: [T, B, D·H] (or [B, T, D·H]) for ONNX's Y
    [T, D, B, H] (or [B, T, D, H] in layout 1), and [D, B, H] in either layout.
    What a call to ONNX is given besides X is given to the call here: sequence_lens as lengths
    (of RNN, LSTM and GRU, as torch.nn's, in a PackedSequence), initial_h and initial_c as state.

    Warns:
        UserWarning: the graph itself makes a state or lengths, which must be given in the call.

    Raises:
        ArgumentError: an operator, activation or combination has no counterpart (the message
            names it), a weight is no constant, nodes do not follow each other, or the library
            onnx is not there.
        ModelFileError: the file holds no ONNX model, or a damaged one.
        DataError: there is no such file, or it is too large.

    Example:
        >>> gru = penstock.from_onnx("model.onnx")  # doctest: +SKIP
        >>> output, h = gru(torch.randn(20, 8, 3))  # doctest: +SKIP

    Source: https://onnx.ai/onnx/operators/ (RNN, LSTM, GRU).
    """
    names = names_of(name)
    model, beside = as_model(path_or_model_or_node)
    said: list[str] = []
    try:
        found = read_graph(model, beside, weights or {}, names, said.append)
    except ModelFileError as error:
        if beside is None:
            raise
        raise ModelFileError(f"{path_or_model_or_node}: {error}") from None
    for sentence in dict.fromkeys(said):
        warnings.warn(sentence, stacklevel=2)
    return make(found.links, found.batch_first).eval()

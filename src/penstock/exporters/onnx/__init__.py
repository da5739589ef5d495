"""ONNX: a layer as its own file, with time and batch free, and a part of torch.onnx.export.

RNN, LSTM (with peepholes, or with coupled gates) and GRU (with both places of the reset) become
ONNX's own operators. Any other cell, and any with modifiers, becomes one Scan a direction, whose
body is the step's equations.

Legend: T time, B batch, I input, S width of a state, O features of the output, L layers,
D directions.
"""

import importlib
from pathlib import Path
from typing import Any

from penstock.errors import ExportError

__all__ = ["SUFFIX", "translations", "write"]

SUFFIX = ".onnx"


def write(
    module: Any,
    path: Path,
    example: Any = None,
    *,
    lengths: bool = False,
    states: bool = False,
    streaming: bool = False,
) -> None:
    """Write a layer, or a network around layers, as an ONNX file, as it computes in evaluation.

    Of a layer, the input is ``x`` [T, B, I], or [B, T, I] where the layer is made with batch_first,
    the output ``output`` of the same layout; T and B are free. The file is of opset 18, which all
    current runtimes read. Of a model that `penstock.load` gave, inputs are those of its network's
    forward, in scaled units, and T and B are free. Any other module goes through
    torch.onnx.export, with the first two axes of each input free where it lets them be.

    Args:
        module: a `penstock.Recurrent`, RNN, LSTM or GRU; a model; or another torch.nn.Module.
        path: the file.
        example: for other modules, the input: a tensor, or a tuple of them.
        lengths: of a layer: add an input ``lengths`` [B] int32, the steps of each row. The output
            is 0 past a row's end, and its final state is that of its last step.
        states: of a layer: add the initial states as inputs, each under its name in the cell
            (``h``, ``c``), and the final ones as outputs (``h_n``, ``c_n``): [L·D, B, S] each.
            Without, they are zero, or those that the layer has learned.
        streaming: of a layer: write a single step instead, from ``x`` [B, I] and the states to
            ``output`` [B, O] and the new states.

    Raises:
        ExportError: ONNX cannot say what the layer does, or a package is not installed.
        ArgumentError: an example is needed, or options do not go together.
    """
    options = {"lengths": lengths, "states": states, "streaming": streaming}
    _part("writing").write(module, path, example, options)


def translations() -> dict[Any, Any]:
    """Return Penstock's operator's translation, for torch.onnx.export's custom_translation_table.

    As a rule torch finds it by itself; this is for versions of onnxscript where it does not.
    """
    operators = importlib.import_module("penstock.layers.running.operator").torch.ops.penstock
    return {operators.sweep.default: _part("registered", "onnxscript").sweep}


def _part(name: str, needs: str = "onnx") -> Any:
    """Return a module of this wing, which needs a package."""
    try:
        importlib.import_module(needs)
    except ImportError:
        raise ExportError(
            f"writing ONNX needs the package {needs}, which is not installed: "
            f"pip install {needs}, or pip install 'penstock[onnx]'"
        ) from None
    return importlib.import_module(f"{__name__}.{name}")

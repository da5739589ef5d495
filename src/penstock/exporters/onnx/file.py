"""A layer as an ONNX file.

Legend: T time, B batch, I input, S width of a state, O features of the output, L layers,
D directions.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from penstock import atomic
from penstock._version import __version__
from penstock.errors import ArgumentError, ExportError
from penstock.exporters.onnx.stacks import StackPrinter
from penstock.exporters.onnx.values import OnnxGraph, OnnxValue
from penstock.exporters.written import WrittenStack, write_layer
from penstock.layers.recurrent import Recurrent

OPSET = 18
IR_VERSION = 8  # what came with this opset, so that no reader is too old for one and not the other
LARGEST = 2**31 - 2**20  # bytes; a protobuf holds less than 2 GiB
_NUMBERS: Mapping[torch.dtype, np.dtype[Any]] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}


def write_recurrent(
    layer: Recurrent, path: Path, *, lengths: bool, states: bool, streaming: bool
) -> None:
    """Write a layer; see `penstock.exporters.onnx.write`."""
    if streaming and layer.bidirectional:
        raise ExportError(
            "a step at a time knows no later steps, which the backward direction begins with; "
            "leave out streaming=True, or make the layer with bidirectional=False"
        )
    if streaming and lengths:
        raise ArgumentError(
            "lengths tell where sequences end, and with streaming=True there is one step: leave "
            "lengths out, and feed a row as long as it lasts"
        )
    save(recurrent_model(layer, lengths, states, streaming), path)


def recurrent_model(
    layer: Recurrent, lengths: bool = False, states: bool = False, streaming: bool = False
) -> onnx.ModelProto:
    """Return a layer as an ONNX model."""
    written = write_layer(layer)
    out = OnnxGraph(_numbers(layer))
    sizes = written.layers[0].directions[0].states
    D = len(written.layers[0].directions)
    _check_names(sizes)
    axes = ("B",) if streaming else ("B", "T") if written.batch_first else ("T", "B")
    inputs = [out.info("x", *axes, written.input_size)]
    if lengths:
        inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, ["B"]))
    shapes = {s: (len(written.layers) * D, "B", size) for s, size in sizes.items()}
    given = states or streaming
    inputs += [out.info(name, *shape) for name, shape in shapes.items() if given]
    printer = StackPrinter(
        out, written, _times_first(out, written, OnnxValue("x"), streaming),
        {name: OnnxValue(name) for name in sizes if given},
        OnnxValue("lengths") if lengths else None, streaming,
    )  # fmt: skip
    out.rename(_times_first(out, written, printer.output(), streaming), "output")
    outputs = [out.info("output", *axes, written.output_size)]
    for name, shape in shapes.items() if given else ():
        out.rename(printer.final(name), f"{name}_n")
        outputs.append(out.info(f"{name}_n", *shape))
    return _model(out, written.cell, inputs, outputs)


def save(model: onnx.ModelProto, path: Path) -> None:
    """Check a model, and write it whole or not at all."""
    onnx.checker.check_model(model, full_check=True)
    atomic.write(path, model.SerializeToString())


def check_size(size: int) -> None:
    """Raise unless a file can hold so many bytes.

    Raises:
        ExportError: it cannot.
    """
    if size > LARGEST:
        raise ExportError(
            f"the weights take {size / 2**30:.1f} GiB in ONNX, and a file holds less than 2; make "
            "the layers smaller, or use torch.onnx.export(module, …, dynamo=True), which puts "
            "weights into a file beside it"
        )


def _model(
    out: OnnxGraph,
    cell: str,
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
) -> onnx.ModelProto:
    size = sum(node.ByteSize() for node in out.nodes)
    size += sum(array.nbytes for array in out.constants.values())
    check_size(size)
    return helper.make_model(
        out.proto(cell, inputs, outputs),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="penstock",
        producer_version=__version__,
    )


def _numbers(layer: Recurrent) -> np.dtype[Any]:
    dtype = next((p.dtype for p in layer.parameters()), torch.float32)
    if dtype not in _NUMBERS:
        raise ExportError(
            f"the layer is {dtype}, which ONNX runtimes compute but in part; convert it first: "
            "layer.float()"
        )
    return _NUMBERS[dtype]


def _check_names(states: Mapping[str, int]) -> None:
    names = ["x", "lengths", "output", *states, *(f"{name}_n" for name in states)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ExportError(
            f"{twice[0]!r} would name two inputs or outputs of the file: an input is called as its "
            "state, an output as that and _n, beside x, lengths and output; rename the cell's state"
        )


def _times_first(
    out: OnnxGraph, written: WrittenStack, value: OnnxValue, streaming: bool
) -> OnnxValue:
    """Return x as [T, B, I], or the output as it is asked for."""
    if streaming or not written.batch_first:
        return value
    return out.call("Transpose", value, perm=[1, 0, 2])

"""ONNX models from files: parsed, never run; weights beside the file are read from its folder."""

import importlib
import importlib.util
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import ArgumentError, ModelFileError, PenstockError
from penstock.opening import check_claim, open_plain, read_bytes

_KINDS = "fiub"  # of NumPy: what weights and shapes are made of


def library() -> Any:
    """Return the module onnx.

    Raises:
        ArgumentError: it is not there.
    """
    if not importlib.util.find_spec("onnx"):
        raise ArgumentError("from_onnx takes the library onnx: pip install 'penstock[onnx]'")
    return importlib.import_module("onnx")


@dataclass
class Beside:
    """The folder of a model's file, and how many bytes have been read there beside it."""

    folder: Path
    taken: int = 0


def as_model(source: Any) -> tuple[Any, Beside | None]:
    """Return a ModelProto, and the folder of its file if it is one.

    Raises:
        ArgumentError: the source is no path, model or node.
        ModelFileError: the file holds no model.
        DataError: there is no such file, or it is too large.
    """
    onnx = library()
    if isinstance(source, onnx.ModelProto):
        return source, None
    if isinstance(source, onnx.NodeProto):
        names = [name for name in source.input if name]
        free = [onnx.helper.make_tensor_value_info(name, 1, None) for name in names]
        made = [onnx.helper.make_tensor_value_info(name, 1, None) for name in source.output if name]
        return onnx.helper.make_model(onnx.helper.make_graph([source], "node", free, made)), None
    if not isinstance(source, str | os.PathLike):
        raise ArgumentError(
            f"a {type(source).__name__} is no ONNX model; give a path, a ModelProto or a NodeProto"
        )
    path = Path(source)
    content = read_bytes(path)
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf's own, one of two kinds by its build
        raise ModelFileError(f"{path} is no ONNX model, or is cut off ({error})") from None
    if not model.HasField("graph") or not model.graph.node:
        raise ModelFileError(f"{path} is no ONNX model: it has no graph")
    if not all(isinstance(name, str) for name in _names(model.graph)):
        raise ModelFileError(f"{path} is a damaged ONNX model: a name in it is no text")
    return model, Beside(path.parent)


def _names(graph: Any) -> Iterator[Any]:
    """Yield all names of a graph: those that are no UTF-8 come as bytes."""
    for held in (graph.input, graph.output, graph.initializer):
        yield from (one.name for one in held)
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def arrays(
    model: Any, beside: Beside | None, wanted: set[str], given: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """Return the constants of these names: those given, or else the model's initializers.

    Raises:
        ModelFileError: one is damaged, or stands in a file that is not there.
    """
    found = {name: np.asarray(value) for name, value in given.items() if name in wanted}
    for tensor in model.graph.initializer:
        if tensor.name in wanted - found.keys():
            found[tensor.name] = to_array(tensor, beside)
    return found


def to_array(tensor: Any, beside: Beside | None) -> NDArray[Any]:
    """Return the values of a TensorProto.

    Raises:
        ModelFileError: it is damaged, or stands in a file that cannot be read.
    """
    onnx = library()
    try:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor = _read_beside(tensor, beside)
        array: NDArray[Any] = onnx.numpy_helper.to_array(tensor)
    except PenstockError:
        raise
    except Exception as error:  # each kind of damage has its own
        raise ModelFileError(f"the tensor {tensor.name!r} cannot be read ({error})") from None
    if array.dtype.kind not in _KINDS and array.dtype.name != "bfloat16":
        raise ModelFileError(f"the tensor {tensor.name!r} is of {array.dtype}, not of numbers")
    return array


def _read_beside(tensor: Any, beside: Beside | None) -> Any:
    """Return a tensor with the values that stand in a file beside the model's."""
    onnx = library()
    where = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(where.get("location", ""))
    if beside is None:
        raise ModelFileError(
            f"the tensor {tensor.name!r} stands in the file {location}; give the model's path"
        )
    path = beside.folder / location
    inside = path.resolve().is_relative_to(beside.folder.resolve())
    if location.is_absolute() or ".." in location.parts or not inside:
        raise ModelFileError(f"the tensor {tensor.name!r} stands outside of the model's folder")
    width = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    size, start = math.prod(tensor.dims) * width, int(where.get("offset", 0))
    with open_plain(path) as file:
        beside.taken += size  # of all tensors, which may claim the same bytes
        check_claim(path, file, beside.taken)
        file.seek(start)
        content = file.read(size)
    if len(content) != size:
        raise ModelFileError(f"{path} ends before the tensor {tensor.name!r} does")
    copy = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    copy.raw_data = content
    return copy

"""A network around layers as an ONNX file, by torch's exporter with our translation.

Legend: B batch, T time, F numbers, C symbols, h steps ahead, P and K further columns, D features.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from penstock.errors import ArgumentError, ExportError
from penstock.exporters.onnx import file, translations
from penstock.models.carrying import FrameNetwork
from penstock.models.forecaster import Forecaster
from penstock.models.reader import SequenceNetwork
from penstock.models.symbols import SymbolNetwork

_B, _T = 3, 7  # of the examples; any two numbers that are no other size's, and not 1


@dataclass(frozen=True)
class Argument:
    """An argument of a network: an example, and the names of its free axes, "" for any name."""

    example: Tensor
    axes: tuple[str, ...]


def write_network(network: nn.Module, path: Path, example: Any) -> None:
    """Write a network, as it computes in evaluation.

    example: its input, a tensor or a tuple of them; not needed for the networks of a comparison.

    Raises:
        ArgumentError: an example is needed.
        ExportError: torch's exporter cannot say what the network does, or not for any T and B.
    """
    arguments = _made(network) if example is None else _given(example)
    was_training = network.training
    network.eval()
    try:
        model = _exported(network, arguments, ["output"] if example is None else None)
    finally:
        network.train(was_training)
    _name_axes(model, arguments)
    file.check_size(sum(len(one.raw_data) for one in model.graph.initializer))
    file.save(model, path)


def _exported(
    network: nn.Module, arguments: Sequence[Argument], outputs: Sequence[str] | None
) -> onnx.ModelProto:
    free = tuple({axis: Dim.AUTO for axis, _ in enumerate(one.axes)} for one in arguments)
    # With gradients a network of frames reads them whole, instead of so many at a time.
    with warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")  # torch's, of its own inner functions
        program = torch.export.export(
            network, tuple(one.example for one in arguments), dynamic_shapes=free
        )
        made: Any = torch.onnx.export(
            program, dynamo=True, custom_translation_table=translations(), verbose=False,
            opset_version=file.OPSET, output_names=outputs,
        )  # fmt: skip
    model: onnx.ModelProto = made.model_proto
    return model


def _name_axes(model: onnx.ModelProto, arguments: Sequence[Argument]) -> None:
    """Give the free axes their names; raise where torch has fixed one."""
    names: dict[str, str] = {}
    for info, argument in zip(model.graph.input, arguments, strict=True):
        sizes = info.type.tensor_type.shape.dim
        for axis, name in enumerate(argument.axes):
            if name and not sizes[axis].dim_param:
                raise ExportError(
                    f"torch's exporter has fixed the axis {name} of {info.name} to "
                    f"{sizes[axis].dim_value}: something in the network looks at that number"
                )
            if name.isidentifier():
                names[sizes[axis].dim_param] = name
    for info in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for size in (d for d in info.type.tensor_type.shape.dim if d.dim_param):
            words = re.split(r"(\w+)", size.dim_param)
            size.dim_param = "".join(names.get(word, word) for word in words)


def _given(example: Any) -> list[Argument]:
    arguments = (example,) if isinstance(example, Tensor) else tuple(example)
    if not all(isinstance(one, Tensor) for one in arguments):
        kinds = ", ".join(type(one).__name__ for one in arguments)
        raise ArgumentError(f"example is of {kinds}; give a tensor, or a tuple of tensors")
    return [Argument(one, ("",) * min(one.ndim, 2)) for one in arguments]


def _made(network: nn.Module) -> list[Argument]:
    """Return the arguments of a network of a comparison."""
    for kind, make in _ARGUMENTS.items():
        if isinstance(network, kind):
            return make(network)
    raise ArgumentError(
        f"torch's exporter follows a {type(network).__name__} through one call; give an example of "
        "its input: penstock.export(module, path, example=x), or a tuple of several tensors"
    )


def _forecaster(network: Forecaster) -> list[Argument]:
    K, h = network.known, network.horizon
    P = network.recurrent.input_size - 2 - K
    arguments = [Argument(torch.randn(_B, _T), ("B", "T"))]
    if P or K:
        arguments.append(Argument(torch.randn(_B, _T, P), ("B", "T")))
    if K:
        arguments.append(Argument(torch.randn(_B, _T + h, K), ("B", f"T + {h}")))
    return arguments


def _reader(network: SequenceNetwork) -> list[Argument]:
    embeddings = [one for one in network.embeddings if isinstance(one, nn.Embedding)]
    C = len(embeddings)
    F = network.recurrent.input_size - sum(one.embedding_dim for one in embeddings)
    return [
        Argument(torch.randn(_B, _T, F), ("B", "T")),
        Argument(torch.zeros(_B, _T, C, dtype=torch.int64), ("B", "T")),
        Argument(torch.full((_B,), _T), ("B",)),
    ]


def _symbols(_network: SymbolNetwork) -> list[Argument]:
    codes = torch.zeros(_B, _T, dtype=torch.int64)
    return [Argument(codes, ("B", "T")), Argument(codes[:, 0], ("B",))]


def _frames(network: FrameNetwork) -> list[Argument]:
    return [Argument(torch.randn(_B, _T, network.recurrent.input_size), ("B", "T"))]


_ARGUMENTS: Mapping[type[nn.Module], Callable[[Any], list[Argument]]] = {
    Forecaster: _forecaster,
    SymbolNetwork: _symbols,
    FrameNetwork: _frames,
    SequenceNetwork: _reader,  # the others but the first are of this class too
}

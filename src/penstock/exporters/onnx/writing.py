"""Which way something becomes an ONNX file: a layer by itself, a network by torch's exporter."""

import importlib
from pathlib import Path
from typing import Any

from torch import nn

from penstock.errors import ArgumentError
from penstock.exporters.onnx import file
from penstock.layers.recurrent import Recurrent


def write(module: Any, path: Path, example: Any, options: dict[str, bool]) -> None:
    """Write a layer, a model or another module; see `penstock.exporters.onnx.write`."""
    if isinstance(module, Recurrent):
        file.write_recurrent(module, path, **options)
        return
    network = getattr(module, "network", module)
    if not isinstance(network, nn.Module):
        raise ArgumentError(
            f"ONNX is written of a penstock.Recurrent, of a model that penstock.load gave, or of a "
            f"torch.nn.Module with an example of its input; this is a {type(module).__name__}"
        )
    asked = [name for name, value in options.items() if value]
    if asked:
        raise ArgumentError(
            f"{asked[0]} goes with a layer; what a {type(network).__name__} takes and gives is "
            "what its forward says. Leave it out"
        )
    networks = importlib.import_module("penstock.exporters.onnx.networks")
    networks.write_network(network, path, example)

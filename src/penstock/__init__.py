"""Penstock: recurrent cells written once, as equations; everything else is derived from them."""

import importlib
from typing import TYPE_CHECKING, Any

from penstock._version import __version__ as __version__
from penstock.loading import register_operators

if TYPE_CHECKING:
    from penstock.cells import Cell, Gate, Matrix, Vector, cells
    from penstock.comparison.compare import compare
    from penstock.comparison.keeping.model import Model, load
    from penstock.comparison.results import Results
    from penstock.data.understanding import describe
    from penstock.exporters import export
    from penstock.importers.from_keras import from_keras
    from penstock.importers.from_onnx import from_onnx
    from penstock.layers.dropins.modules import GRU, LSTM, RNN
    from penstock.layers.dropins.swapping import from_torch, patch_torch, to_torch
    from penstock.layers.recurrent import Recurrent
    from penstock.layers.running.function import backend

# Public name → the module that holds it, imported on first use: `import penstock` stays quick.
_HOME = {
    "Cell": "penstock.cells",
    "Gate": "penstock.cells",
    "Matrix": "penstock.cells",
    "Vector": "penstock.cells",
    "cells": "penstock.cells",
    "GRU": "penstock.layers.dropins.modules",
    "LSTM": "penstock.layers.dropins.modules",
    "RNN": "penstock.layers.dropins.modules",
    "Recurrent": "penstock.layers.recurrent",
    "backend": "penstock.layers.running.function",
    "from_torch": "penstock.layers.dropins.swapping",
    "patch_torch": "penstock.layers.dropins.swapping",
    "to_torch": "penstock.layers.dropins.swapping",
    "describe": "penstock.data.understanding",
    "export": "penstock.exporters",
    "from_keras": "penstock.importers.from_keras",
    "from_onnx": "penstock.importers.from_onnx",
    "compare": "penstock.comparison.compare",
    "load": "penstock.comparison.keeping.model",
    "Model": "penstock.comparison.keeping.model",
    "Results": "penstock.comparison.results",
}

__all__ = [  # noqa: RUF022  (the order in which a reader meets them)
    "RNN", "LSTM", "GRU", "Recurrent",
    "Cell", "Gate", "Vector", "Matrix", "cells", "backend",
    "patch_torch", "from_torch", "to_torch",
    "describe", "compare", "Results", "load", "Model", "export", "from_keras", "from_onnx",
]  # fmt: skip


register_operators()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'penstock' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])

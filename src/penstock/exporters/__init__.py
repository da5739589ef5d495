"""What leaves Penstock: one file a format, found by looking.

A format is a module here, or a wing, that says which files it writes, as `SUFFIX`, and has a
function `write`.
"""

import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from penstock.errors import ArgumentError

__all__ = ["export", "formats"]


def export(module: Any, path: str | Path, example: Any = None, **options: Any) -> Path:
    """Write a layer, or a trained model, in another format: that of the path's ending.

    Args:
        module: a `penstock.Recurrent` (or RNN, LSTM, GRU), or a model that `penstock.load` gave.
        path: the file to write, such as "model.onnx", "model.c" or "model.pt2".
        example: an input, as the module takes it, where the format asks for one.
        options: of the format; see its module in `penstock.exporters`.

    Returns:
        The path.

    Raises:
        ArgumentError: no format has that ending, or an option cannot be.
        ExportError: the format cannot say what the module does; the message says what.
    """
    path = Path(path)
    if path.suffix not in formats():
        known = ", ".join(f"model{suffix}" for suffix in formats())
        raise ArgumentError(f"no format has the ending of {path.name!r}; give one such as {known}")
    importlib.import_module(formats()[path.suffix]).write(module, path, example, **options)
    return path


@cache
def formats() -> dict[str, str]:
    """Return the module of each format by the ending of its files; only files are looked at."""
    folder, found = Path(__path__[0]), {}
    for file in sorted([*folder.glob("*.py"), *folder.glob("*/__init__.py")]):
        if suffix := re.search(r'^SUFFIX = "(.*)"', file.read_text("utf-8"), re.MULTILINE):
            name = file.parent.name if file.stem == "__init__" else file.stem
            found[suffix[1]] = f"{__name__}.{name}"
    return found

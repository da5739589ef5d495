"""What leaves Penstock: one file a format, found by looking.

A format is a module or a wing here that says which files it writes, as `SUFFIX`, and has a function
`write(module, path, example, *, ...)`, whose keywords are the format's options.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from penstock.errors import ArgumentError

__all__ = ["check_ending", "describe", "export", "formats"]


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
    check_ending(path)
    write = importlib.import_module(formats()[path.suffix]).write
    _check_options(path, write, options)
    write(module, path, example, **options)
    return path


def check_ending(path: Path) -> None:
    """Raise unless a format has the ending of a file; no format is imported.

    Raises:
        ArgumentError: none has.
    """
    if path.suffix not in formats():
        known = ", ".join(f"model{suffix}" for suffix in formats())
        raise ArgumentError(f"no format has the ending of {path.name!r}; give one such as {known}")


def _check_options(path: Path, write: Callable[..., None], options: Iterable[str]) -> None:
    """Raise unless a format has these options: what its `write` takes by name alone.

    Raises:
        ArgumentError: it has not one of them.
    """
    parameters = inspect.signature(write).parameters.values()
    known = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise ArgumentError(
                f"{path.suffix} has no option {name!r}; its options: {', '.join(known) or 'none'}"
            )


def describe(path: Path) -> str:
    """Return the inputs and outputs of a file that was written, in words; "" if a format has none.

    A format may have a function `describe` for it.
    """
    module = importlib.import_module(formats()[path.suffix])
    words: str = module.describe(path) if hasattr(module, "describe") else ""
    return words


@cache
def formats() -> dict[str, str]:
    """Return the module of each format by the ending of its files; only files are looked at."""
    found, here = {}, Path(__path__[0])
    for file in sorted([*here.glob("*.py"), *here.glob("*/__init__.py")]):
        if suffix := re.search(r'^SUFFIX = "(.*)"', file.read_text("utf-8"), re.MULTILINE):
            name = file.parent.name if file.name == "__init__.py" else file.stem
            found[suffix[1]] = f"{__name__}.{name}"
    return found

"""The cells: one file each, one page of maths each. `cells()` finds them by looking.

This module imports no torch, which takes a second or more, before a cell is asked for.
"""

import ast
import importlib
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from penstock.errors import ArgumentError, DataError, UnknownCellError, nearest
from penstock.opening import open_plain

if TYPE_CHECKING:
    from penstock.cells.cell import Cell
    from penstock.cells.check import Usage
    from penstock.cells.language import Gate, Matrix, Place, Vector

__all__ = [  # noqa: RUF022  (the language, then where its cells are)
    "Cell", "Gate", "Matrix", "Vector", "Place", "Usage",
    "cell_name", "cells", "check_name", "find_cell", "is_shipped",
]  # fmt: skip

# Name of the language → the module that holds it, imported on first use.
_HOME = {
    "Cell": "cell", "Usage": "check",
    "Gate": "language", "Matrix": "language", "Place": "language", "Vector": "language",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def cells() -> "dict[str, type[Cell]]":
    """Return every cell by name, the user's own included, sorted by name.

    A shipped cell is named as its file, a user's as its class in snake case (`LeakyLSTM` is
    ``"leaky_lstm"``). Where two classes have one name, the one defined last counts, as with
    any name in Python, and a user's own stands before a shipped one.
    """
    for name in _modules():
        importlib.import_module(f"{__name__}.{name}")
    language = importlib.import_module(f"{__name__}.cell")
    checked = [c for c in language.Cell.__subclasses__() if c.is_checked]
    classes = sorted(checked, key=lambda c: not is_shipped(c))
    return dict(sorted({cell_name(c): c for c in classes}.items()))


def cell_name(cell: "type[Cell]") -> str:
    """Return the name under which `cells` lists a class."""
    if is_shipped(cell):
        return cell.__module__.rpartition(".")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cell.__name__).lower()


def find_cell(cell: "str | type[Cell]") -> "type[Cell]":
    """Return the class that a name, ``path/to/file.py:MyCell``, or the class itself stands for.

    Raises:
        UnknownCellError: no cell has that name; the message suggests the nearest ones.
        ArgumentError: the file cannot be read or run, or has no such cell.
    """
    if not isinstance(cell, type):
        check_name(cell)
        if is_in_file(cell):
            own: type[Cell] = importlib.import_module(f"{__name__}.own").cell_in_file(cell)
            return own
        return cells()[cell]
    language = importlib.import_module(f"{__name__}.cell")
    if not issubclass(cell, language.Cell):
        raise UnknownCellError(f"{cell.__name__} is no cell; give a subclass of penstock.Cell")
    return cell


def check_name(cell: object) -> None:
    """Raise unless a cell has that name; of a shipped one only its file is looked at.

    Raises:
        UnknownCellError: none has; the message suggests the nearest ones.
        ArgumentError: the file of ``path/to/file.py:MyCell`` cannot be opened.
    """
    if isinstance(cell, str) and is_in_file(cell):
        try:
            open_plain(Path(cell.rpartition(":")[0])).close()
        except DataError as error:
            raise ArgumentError(str(error)) from None
        return
    names = _shipped_names() if f"{__name__}.cell" not in sys.modules else tuple(cells())
    if cell not in names:
        raise UnknownCellError(f"unknown cell {cell!r}: {nearest(str(cell), names)}")


def _shipped_names() -> tuple[str, ...]:
    """Return the names of the modules here that define a cell, without importing them."""
    folder = Path(__path__[0])
    return tuple(name for name in _modules() if _defines_a_cell(folder / f"{name}.py"))


def _modules() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def _defines_a_cell(path: Path) -> bool:
    classes = (node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.ClassDef))
    return any(isinstance(b, ast.Name) and b.id == "Cell" for one in classes for b in one.bases)


def is_in_file(name: str) -> bool:
    """Whether a name is that of a class in a file: ``path/to/file.py:MyCell``."""
    file, colon, _ = name.rpartition(":")
    return bool(colon) and file.endswith(".py")


def is_shipped(cell: "type[Cell]") -> bool:
    """Whether a cell is one of Penstock's own."""
    return cell.__module__.startswith(f"{__name__}.")


class _Callable(ModuleType):
    """Lets ``penstock.cells()`` list the cells while ``penstock.cells.lstm`` is a module."""

    def __call__(self) -> "dict[str, type[Cell]]":
        return cells()


sys.modules[__name__].__class__ = _Callable

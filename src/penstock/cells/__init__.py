"""The cells: one file each, one page of maths each. `cells()` finds them by looking."""

import importlib
import pkgutil
import re
import sys
from types import ModuleType

from penstock.cells.cell import Cell
from penstock.cells.check import Usage
from penstock.cells.language import Gate, Matrix, Place, Vector
from penstock.cells.own import cell_in_file, is_in_file
from penstock.errors import UnknownCellError, nearest

__all__ = [  # noqa: RUF022  (the language, then where its cells are)
    "Cell", "Gate", "Matrix", "Vector", "Place", "Usage", "cell_name", "cells", "find_cell",
    "is_shipped",
]  # fmt: skip


def cells() -> dict[str, type[Cell]]:
    """Return every cell by name, the user's own included, sorted by name.

    A shipped cell is named as its file, a user's as its class in snake case (`LeakyLSTM` is
    ``"leaky_lstm"``). Where two classes have one name, the one defined last counts, as with
    any name in Python, and a user's own stands before a shipped one.
    """
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    checked = [c for c in Cell.__subclasses__() if c.is_checked]
    classes = sorted(checked, key=lambda c: not is_shipped(c))
    return dict(sorted({cell_name(c): c for c in classes}.items()))


def cell_name(cell: type[Cell]) -> str:
    """Return the name under which `cells` lists a class."""
    if is_shipped(cell):
        return cell.__module__.rpartition(".")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cell.__name__).lower()


def find_cell(cell: str | type[Cell]) -> type[Cell]:
    """Return the class that a name, ``path/to/file.py:MyCell``, or the class itself stands for.

    Raises:
        UnknownCellError: no cell has that name; the message suggests the nearest ones.
        ArgumentError: the file cannot be read or run, or has no such cell.
    """
    if isinstance(cell, type) and issubclass(cell, Cell):
        return cell
    if isinstance(cell, str) and is_in_file(cell):
        return cell_in_file(cell)
    known = cells()
    if not isinstance(cell, str) or cell not in known:
        raise UnknownCellError(f"unknown cell {cell!r}: {nearest(str(cell), known)}")
    return known[cell]


def is_shipped(cell: type[Cell]) -> bool:
    """Whether a cell is one of Penstock's own."""
    return cell.__module__.startswith(f"{__name__}.")


class _Callable(ModuleType):
    """Lets ``penstock.cells()`` list the cells while ``penstock.cells.lstm`` is a module."""

    def __call__(self) -> dict[str, type[Cell]]:
        return cells()


sys.modules[__name__].__class__ = _Callable

"""A cell named on the command line: one that is listed, or a class in a file of the user's."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from penstock.errors import ArgumentError, DataError, PenstockError, nearest
from penstock.opening import open_plain

if TYPE_CHECKING:
    from penstock.cells import Cell

HELP = "A cell's name (`penstock cells` lists them), or one of your own: file.py:MyCell."


def find(text: str) -> "type[Cell]":
    """Return the cell that a name, or ``path/to/file.py:MyCell``, stands for.

    Raises:
        UnknownCellError: no cell has that name.
        ArgumentError: the file cannot be read or run, or has no such cell.
    """
    from penstock.cells import Cell, find_cell  # noqa: PLC0415  (torch takes seconds)

    file, colon, name = text.rpartition(":")
    if not (colon and file.endswith(".py")):
        return find_cell(text)
    module = _load(Path(file))
    own = {n: c for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, Cell)}
    defined = {n: c for n, c in own.items() if c is not Cell}
    if name not in defined:
        raise ArgumentError(f"{file} has no cell {name!r}: {nearest(name, defined)}")
    return defined[name]


def _load(path: Path) -> ModuleType:
    """Run a file of Python and return it as a module."""
    try:
        open_plain(path).close()
    except DataError as error:
        raise ArgumentError(str(error)) from None
    spec = importlib.util.spec_from_file_location(f"penstock_user_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except PenstockError:
        raise
    except (Exception, SystemExit) as error:
        line = getattr(error, "lineno", None) or _line(error, path)
        where = f"{path}, line {line}" if line else str(path)
        raise ArgumentError(f"{where}: {type(error).__name__}: {error}") from error
    return module


def _line(error: BaseException, path: Path) -> int | None:
    """Return the line of a file at which an error passed through it last."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line

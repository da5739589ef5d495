"""A user's own cells: read from a file, told apart by their source, sent to another process."""

import hashlib
import importlib.util
import inspect
import pickle
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType, new_class
from typing import Any

import cloudpickle

from penstock.cells.cell import Cell
from penstock.errors import ArgumentError, DataError, PenstockError, nearest
from penstock.opening import open_plain, read_bytes

_PREFIX = "penstock_user_"  # of the module that a file becomes
# What each class is given, beside what was written in it.
_MADE = {
    "__dict__", "__weakref__", "__firstlineno__", "__static_attributes__",
    "declared", "_usages", "is_checked", "below",
}  # fmt: skip
_FILES: dict[tuple[Path, str], ModuleType] = {}
_RECEIVED: list[type] = []


def cell_in_file(name: str) -> type[Cell]:
    """Return the cell that ``path/to/file.py:MyCell`` stands for. The file is run.

    Raises:
        ArgumentError: the file cannot be read or run, or has no such cell.
    """
    file, _, wanted = name.rpartition(":")
    module = _run_file(Path(file))
    own = {n: c for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, Cell)}
    defined = {n: c for n, c in own.items() if c is not Cell}
    if wanted not in defined:
        raise ArgumentError(f"{file} has no cell {wanted!r}: {nearest(wanted, defined)}")
    return defined[wanted]


def _run_file(path: Path) -> ModuleType:
    """Return a file of Python as a module; it runs once as long as it is not changed."""
    try:
        open_plain(path).close()
        key = path.resolve(), hashlib.sha256(read_bytes(path)).hexdigest()
    except DataError as error:
        raise ArgumentError(str(error)) from None
    if key not in _FILES:
        _FILES[key] = _new_module(path)
    return _FILES[key]


def _new_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{_PREFIX}{path.stem}", path)
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


def written_in(cell: type[Cell]) -> str:
    """Return where a class was written: a file's name, or else its module's."""
    with suppress(OSError, TypeError):  # typed into a notebook or an interpreter
        return Path(inspect.getfile(cell)).name
    return cell.__module__


def equations_digest(cell: type[Cell]) -> str:
    """Return a hash of what a cell's classes say, which is another after an equation changed."""
    own = [c for c in cell.__mro__ if issubclass(c, Cell) and c is not Cell]
    return hashlib.sha256("\n".join(map(_said, own)).encode()).hexdigest()


def _said(cell: type[Cell]) -> str:
    """Return a class's source; its code where it was typed into a notebook or an interpreter."""
    try:
        return inspect.getsource(cell)
    except (OSError, TypeError):
        return repr([(name, _meaning(value)) for name, value in sorted(_namespace(cell).items())])


def _meaning(value: Any) -> Any:
    """Return what a value does, without where in memory or in a file it is."""
    if isinstance(value, FunctionType):
        return _meaning(value.__code__), value.__defaults__
    if isinstance(value, CodeType):
        return value.co_code.hex(), value.co_names, [_meaning(c) for c in value.co_consts]
    plain = isinstance(value, int | float | str | tuple | None)
    return value if plain else (type(value).__name__, _declared(value))


def _declared(value: Any) -> list[tuple[str, Any]]:
    values = vars(value) if hasattr(value, "__dict__") else {}
    return [(n, v) for n, v in values.items() if isinstance(v, int | float | str | tuple)]


@dataclass(frozen=True)
class _Definition:
    """A class as what was written in it, so that a process without its module can define it."""

    name: str
    bases: tuple[type, ...]
    module: str
    namespace: dict[str, Any]

    def define(self) -> type:
        """Return the class anew."""
        said = {**self.namespace, "__module__": self.module}
        return new_class(self.name, self.bases, exec_body=lambda space: space.update(said))


def packed(cells: Iterable[type[Cell]]) -> bytes:
    """Return cells as bytes, for another process of the same run and for none else.

    A class that can be imported is sent by its name; another as what was written in it, since the
    other process may have neither its file nor its notebook.
    """
    sent = [cell if _can_be_imported(cell) else _written(cell) for cell in cells]
    by_value = [module for module in _FILES.values() if sys.modules.get(module.__name__) is module]
    for module in by_value:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(sent))
    finally:
        for module in by_value:
            cloudpickle.unregister_pickle_by_value(module)


def unpack(cells: bytes) -> None:
    """Make the cells in what `packed` gave known by name, for as long as this process lives."""
    sent = pickle.loads(cells)  # from the process that started this one
    _RECEIVED.extend(one.define() if isinstance(one, _Definition) else one for one in sent)


def _written(cell: type[Cell]) -> _Definition:
    return _Definition(cell.__name__, cell.__bases__, cell.__module__, _namespace(cell))


def _namespace(cell: type[Cell]) -> dict[str, Any]:
    return {name: value for name, value in vars(cell).items() if name not in _MADE}


def _can_be_imported(cell: type[Cell]) -> bool:
    name = cell.__module__
    if name in ("__main__", "__mp_main__") or name.startswith(_PREFIX):
        return False
    found: Any = sys.modules.get(name)
    for part in cell.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is cell

"""Programs that have been made in this process: each is compiled at most once."""

from collections.abc import Callable, Hashable
from weakref import WeakKeyDictionary

from penstock.cells import Cell
from penstock.compiler.runtime.program import Program
from penstock.errors import BackendError

# The programs of each cell class, or the error that it gave, for as long as the class lives.
_MADE: WeakKeyDictionary[type[Cell], dict[Hashable, Program | BackendError]] = WeakKeyDictionary()


def once(cell: type[Cell], key: Hashable, make: Callable[[], Program]) -> Program:
    """Return what `make` returns, or raise the BackendError that it raises, the first time."""
    made = _MADE.setdefault(cell, {})
    if key not in made:
        try:
            made[key] = make()
        except BackendError as error:
            made[key] = error
    result = made[key]
    if isinstance(result, BackendError):
        raise result
    return result

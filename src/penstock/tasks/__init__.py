"""The tasks: one file each. `tasks()` finds them by looking."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Iterator

from penstock.data.files import Source
from penstock.data.series import Options
from penstock.data.understanding import understand
from penstock.errors import ArgumentError, nearest
from penstock.tasks.base import Data, Task

__all__ = ["Data", "Task", "find_task", "infer", "tasks"]


def tasks() -> dict[str, type[Task]]:
    """Return every task by name, sorted by name."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return {task.name: task for task in sorted(_below(Task.__subclasses__()), key=lambda t: t.name)}


def _below(kinds: Iterable[type[Task]]) -> Iterator[type[Task]]:
    for task in kinds:
        yield from _below(task.__subclasses__())
        if not inspect.isabstract(task):
            yield task


def find_task(name: str) -> type[Task]:
    """Return the task of that name.

    Raises:
        ArgumentError: no task has that name; the message suggests the nearest ones.
    """
    known = tasks()
    if name not in known:
        raise ArgumentError(f"unknown task {name!r}: {nearest(name, known)}")
    return known[name]


def infer(source: Source, options: Options) -> tuple[str, str]:
    """Return the name of the task for a source, and why, as one sentence.

    Raises:
        DataError: a cell cannot be used, or it is not clear what is what; the message says where.
    """
    found = understand(source, options)
    return found.task, found.why

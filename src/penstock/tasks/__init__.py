"""The tasks, one file each, in wings; `tasks()` finds them by looking."""

import importlib
import pkgutil
from functools import cache

from penstock.data.files import Source
from penstock.data.series import Options
from penstock.data.understanding import understand
from penstock.errors import ArgumentError, nearest
from penstock.tasks.task import Task, TaskData, TaskKind

__all__ = ["Task", "TaskData", "TaskKind", "find_task", "infer", "tasks"]


@cache
def tasks() -> dict[str, TaskKind]:
    """Return every task by name, sorted by name."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(__path__, f"{__name__}.")
    ]
    kinds = {
        value.name: value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, TaskKind)
    }
    return dict(sorted(kinds.items()))


def find_task(name: str) -> TaskKind:
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
    understood = understand(source, options)
    return understood.task, understood.why

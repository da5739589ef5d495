"""The tasks: one file each. `tasks()` finds them by looking."""

import importlib
import pkgutil

from penstock.errors import ArgumentError, nearest
from penstock.tasks.base import Task

__all__ = ["Task", "find_task", "tasks"]


def tasks() -> dict[str, type[Task]]:
    """Return every task by name, sorted by name."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return {task.name: task for task in sorted(Task.__subclasses__(), key=lambda t: t.name)}


def find_task(name: str) -> type[Task]:
    """Return the task of that name.

    Raises:
        ArgumentError: no task has that name; the message suggests the nearest ones.
    """
    known = tasks()
    if name not in known:
        raise ArgumentError(f"unknown task {name!r}: {nearest(name, known)}")
    return known[name]

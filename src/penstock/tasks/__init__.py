"""The tasks, one file each, in wings; they are found by looking.

A task is named as its file, where it stands under its name in capitals: `CLASSIFY` in classify.py.
So files tell which tasks there are, and torch, which takes seconds, is imported with the first one.
"""

import importlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.data.understanding.suits import TASKS
from penstock.errors import ArgumentError, nearest

if TYPE_CHECKING:
    from penstock.tasks.task import TaskKind

__all__ = ["asked_of", "check_task", "find_task", "tasks"]


def tasks() -> "dict[str, TaskKind]":
    """Return every task by name, sorted by name."""
    return {name: find_task(name) for name in _modules()}


def find_task(name: str) -> "TaskKind":
    """Return the task of that name.

    Raises:
        ArgumentError: no task has that name; the message suggests the nearest ones.
    """
    check_task(name)
    kind: TaskKind = getattr(importlib.import_module(_modules()[name]), name.upper())
    return kind


def check_task(name: str) -> None:
    """Raise unless a task has that name; only files are looked at.

    Raises:
        ArgumentError: none has; the message suggests the nearest ones.
    """
    if name not in _modules():
        raise ArgumentError(f"unknown task {name!r}: {nearest(name, _modules())}")


def asked_of(name: str) -> str:
    """Return as which task the data of a task are understood; mostly as itself."""
    return name if name in TASKS else find_task(name).asks


@cache
def _modules() -> dict[str, str]:
    """Return the module of each task, by its name."""
    return {
        file.stem: f"{__name__}.{file.parent.name}.{file.stem}"
        for file in sorted(Path(__path__[0]).glob("*/*.py"), key=lambda file: file.stem)
        if re.search(rf"^{file.stem.upper()} = ", file.read_text("utf-8"), re.MULTILINE)
    }

"""The annotated class attributes of a cell, and the values that they may take."""

import inspect
import typing
from typing import Any, ClassVar, Literal

from penstock.errors import ArgumentError


def annotated(cls: type) -> dict[str, Any]:
    """Return the annotated class attributes of a cell, each with its annotation."""
    hints = inspect.get_annotations(cls)
    if any(isinstance(hint, str) for hint in hints.values()):  # from __future__ import annotations
        hints = {name: typing.get_type_hints(cls)[name] for name in hints}
    origins: dict[str, Any] = {name: typing.get_origin(hint) for name, hint in hints.items()}
    return {name: hint for name, hint in hints.items() if ClassVar not in (hint, origins[name])}


def checked(where: str, hint: Any, value: Any) -> Any:
    """Return a hyperparameter's value, or raise where it does not fit its annotation."""
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            choices = " or ".join(map(repr, typing.get_args(hint)))
            raise ArgumentError(f"{where} is {value!r}; it must be {choices}")
    elif hint is float and type(value) is int:
        return float(value)
    elif isinstance(hint, type) and type(value) is not hint:
        raise ArgumentError(f"{where} is {value!r}; it must be of type {hint.__name__}")
    return value

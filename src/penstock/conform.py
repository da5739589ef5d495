"""Values of JSON that others wrote: of the types that were wanted, or an error that says where.

A hint is a type (float takes whole numbers too, and only finite ones), None, X | Y, a Literal,
list[X], tuple[X, ...], dict[str, X], a dataclass (all of its fields and no other) or TypedDict,
Any, or Annotated with a test behind the type: Count is a whole number from 1.
"""

import math
from collections.abc import Callable, Sized
from dataclasses import is_dataclass
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from penstock.errors import DataError

_MOST = 2**31  # of a count: no size comes near


def _is_count(value: int) -> bool:
    return 1 <= value < _MOST


Count = Annotated[int, _is_count]


def conform(value: Any, hint: Any, where: str) -> None:
    """Raise unless a value is what a hint says; `where` names its place.

    Raises:
        DataError: it is not.
    """
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        _one_of(value, get_args(hint), where)
    elif origin is Annotated:
        kind, *tests = get_args(hint)
        conform(value, kind, where)
        _demand(all(test(value) for test in tests), value, where)
    elif origin is Literal:
        _demand(
            any(value == one and type(value) is type(one) for one in get_args(hint)), value, where
        )
    elif origin in (list, tuple):
        _demand(isinstance(value, list | tuple), value, where)
        for number, one in enumerate(value):
            conform(one, get_args(hint)[0], f"{where}[{number}]")
    elif origin is dict:
        _demand(isinstance(value, dict), value, where)
        for key, one in value.items():
            conform(one, get_args(hint)[1], f"{where}.{key}")
    elif is_typeddict(hint) or is_dataclass(hint):
        _object(value, hint, where)
    else:
        _demand(_PLAIN[hint](value), value, where)


def same_length(where: str, one: Sized, other: Sized) -> None:
    """Raise unless two values have as many parts.

    Raises:
        DataError: they have not; `where` names the first.
    """
    if len(one) != len(other):
        raise DataError(f"{where} has {len(one)} parts where {len(other)} are wanted")


_PLAIN: dict[Any, Callable[[Any], bool]] = {
    Any: lambda value: True,  # noqa: ARG005
    type(None): lambda value: value is None,
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    dict: lambda value: isinstance(value, dict),
    int: lambda value: type(value) is int,
    float: lambda value: type(value) in (int, float) and math.isfinite(value),
}


def _one_of(value: Any, hints: tuple[Any, ...], where: str) -> None:
    for hint in hints[:-1]:
        try:
            return conform(value, hint, where)
        except DataError:
            continue
    conform(value, hints[-1], where)
    return None


def _object(value: Any, hint: Any, where: str) -> None:
    _demand(isinstance(value, dict), value, where)
    hints = get_type_hints(hint, include_extras=True)
    if is_dataclass(hint) and (more := sorted({*value} - {*hints})):
        raise DataError(f"{where} has {more[0]!r}, which is not known here")
    required = hint.__required_keys__ if is_typeddict(hint) else hints
    missing = [key for key in required if key not in value]
    if missing:
        raise DataError(f"{where} has no {sorted(missing)[0]!r}")
    for key, kind in hints.items():
        if key in value:
            conform(value[key], kind, f"{where}.{key}")


def _demand(right: bool, value: Any, where: str) -> None:
    if not right:
        raise DataError(f"{where} cannot be {str(value)[:60]!r}")

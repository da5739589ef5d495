"""JSON that others wrote: each value has its type, each word is a known one. No torch.

`Record` says the types of what it holds; here are those of the objects in it whose further keys
depend on the task. A file from a stranger that passes holds strings of any kind, and they are
escaped where they are shown.
"""

import dataclasses
import json
from collections.abc import Sized
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes that of typing from Python 3.12 on

from penstock.errors import DataError

Count = Annotated[int, Field(ge=1, lt=2**31)]  # no size comes near
_STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")
Kind = TypeVar("Kind")


class DataRecord(TypedDict):
    """What was read."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    name: str
    rows: int
    series: int
    missing: int
    sha256: str


class Tried(TypedDict):
    """What the search could choose from."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    learning_rate: list[float]
    parameters: list[int]


class Standing(TypedDict):
    """How far a cell came in a tournament."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    cell: str
    rounds: int
    loss: float | None


class Trained(TypedDict):
    """What each trial could use."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    round_steps: int
    tried: Tried


class Versions(TypedDict):
    """What made it."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    penstock: str


class Times(TypedDict):
    """How long it took."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    total: float
    clock: float | None
    workers: int


class Example(TypedDict):
    """A test window to draw."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    series: str
    times: list[str]
    actual: list[float | None]
    context: int
    kind: Literal["line", "bars"]
    unit: str
    levels: list[str]


class Spoken(TypedDict, total=False):
    """What a verdict says of time."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    fastest: str | None
    sentences: list[str]


def parsed(kind: type[Kind], text: bytes) -> Kind:
    """Return a dataclass that stands in a file as JSON; further keys are left out.

    Raises:
        ValueError: a value is missing or has another type; the message says where.
    """
    try:
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise ValueError(_first(error)) from None


def check(kind: type, value: object, where: str) -> None:
    """Raise ValueError unless a value is of a kind, and say where it is not."""
    try:
        _adapter(kind).validate_python(value)
    except ValidationError as error:
        raise ValueError(_first(error, where)) from None


def conform(value: Any, hint: Any, where: str) -> None:
    """Raise unless a value of JSON is what a hint says; `where` names its place.

    The hint is a type, a dataclass (all of its fields and no other) or a TypedDict.

    Raises:
        DataError: it is not.
    """
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        _same_keys(where, {*value}, {field.name for field in dataclasses.fields(hint)})
    try:
        _adapter(hint).validate_json(json.dumps(value, allow_nan=False), strict=True)
    except ValidationError as error:
        raise DataError(_first(error, where)) from None
    except (ValueError, RecursionError) as error:  # infinite, or nested too deeply
        raise DataError(f"{where} cannot be used ({error})") from None


def same_length(where: str, one: Sized, other: Sized) -> None:
    """Raise unless two values have as many parts.

    Raises:
        DataError: they have not; `where` names the first.
    """
    if len(one) != len(other):
        raise DataError(f"{where} has {len(one)} parts where {len(other)} are wanted")


def _same_keys(where: str, given: set[str], wanted: set[str]) -> None:
    if missing := sorted(wanted - given):
        raise DataError(f"{where} has no {missing[0]!r}")
    if more := sorted(given - wanted):
        raise DataError(f"{where} has {more[0]!r}, which is not known here")


@lru_cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _first(error: ValidationError, *where: str) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, (*where, *first["loc"]))) or "the file"
    return f"{place}: {first['msg']}"

"""results.json as it is read: each value has its type, each word is a known one. No torch.

`Record` says the types of what it holds; here are those of the objects in it whose further keys
depend on the task. A file from a stranger that passes holds strings of any kind, and they are
escaped where they are shown.
"""

from typing import Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes that of typing from Python 3.12 on

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


class Trained(TypedDict):
    """What each trial could use."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]
    parameters: int
    round_steps: int


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
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ValueError(_first(error, where)) from None


def _first(error: ValidationError, *where: str) -> str:
    found = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, (*where, *found["loc"]))) or "the file"
    return f"{place}: {found['msg']}"

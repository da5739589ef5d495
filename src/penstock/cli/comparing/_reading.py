"""How data are to be read: the options that `compare` and `describe` share, written once."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from penstock.data.understanding.describe import Given

_SEVERAL = "with commas between, or the option repeated."

DataPath = Annotated[
    Path, typer.Argument(help="A file, a folder of files, or the name of a sample.")
]
_Name = str | None
_Names = list[str] | None


@dataclass(frozen=True)
class ReadingOptions:
    """A field an option; `with_reading` makes options of them."""

    task: Annotated[_Name, typer.Option(help="What to learn; told by the data if left out.")] = None
    target: Annotated[
        _Names, typer.Option(help=f"Columns to learn: values or labels, {_SEVERAL}")
    ] = None
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast.")] = None
    id: Annotated[_Name, typer.Option(help="Column of series ids.")] = None
    time_column: Annotated[_Name, typer.Option(help="Column of times; two as Date,Time.")] = None
    known: Annotated[_Names, typer.Option(help=f"Columns known ahead, as holidays, {_SEVERAL}")] = (
        None
    )
    past: Annotated[
        _Names, typer.Option(help=f"Columns known up to now, as weather, {_SEVERAL}")
    ] = None
    static: Annotated[
        _Names, typer.Option(help=f"Columns that stay the same in a series, {_SEVERAL}")
    ] = None
    split: Annotated[_Name, typer.Option(help="Column that says train, validation or test.")] = None
    test: Annotated[Path | None, typer.Option(help="File with the test part.")] = None
    validation: Annotated[Path | None, typer.Option(help="File with the validation part.")] = None
    group: Annotated[
        _Name, typer.Option(help="Column of what must not be in two parts, as a speaker.")
    ] = None
    frequency: Annotated[_Name, typer.Option(help="Step to bring irregular times to, as 1h.")] = (
        None
    )
    date_format: Annotated[_Name, typer.Option(help="How dates are written, as %d.%m.%Y.")] = None
    test_windows: Annotated[
        _Name, typer.Option(help="Windows of series to test: rolling, or the last of each series.")
    ] = None
    elapsed: Annotated[
        bool, typer.Option("--elapsed", help="Take the time since the row before as an input too.")
    ] = False

    def read(self, data: Path, task: str | None) -> "Given":
        """Return the data as they are understood for a task, or for the one that they tell.

        Raises:
            DataError: a cell cannot be used, or it is not clear what is what.
            ArgumentError: an option names what is not there.
        """
        from penstock.data.series import Options  # noqa: PLC0415  (polars takes 0.1 s)
        from penstock.data.understanding.describe import given  # noqa: PLC0415

        names = (tuple(told or ()) for told in (self.target, self.known, self.past, self.static))
        target, known, past, static = names
        options = Options(
            target, self.id, self.time_column, known, past, static, self.split, self.group, task,
            self.horizon, self.frequency, self.date_format, self.test_windows, self.elapsed,
        )  # fmt: skip
        return given(data, options, self.test, self.validation)


def with_reading(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `ReadingOptions` in place of its parameter `reading`."""
    written = inspect.signature(command)
    options = [
        inspect.Parameter(one.name, _KEYWORD, default=one.default, annotation=one.type)
        for one in fields(ReadingOptions)
    ]
    own = [
        one.replace(kind=_KEYWORD) for one in written.parameters.values() if one.name != "reading"
    ]

    @wraps(command)
    def taking_all(**told: Any) -> None:
        reading = ReadingOptions(**{one.name: told.pop(one.name) for one in options})
        command(reading=reading, **told)

    taking_all.__signature__ = written.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    return taking_all


_KEYWORD = inspect.Parameter.KEYWORD_ONLY

"""`penstock.describe`: what data hold, before anything is trained."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.data.files import Source
from penstock.data.reading import read_source
from penstock.data.samples import sample, samples
from penstock.data.series import Options
from penstock.data.understanding.together import SPLIT, together
from penstock.data.understanding.understand import understand
from penstock.data.understanding.understanding import Understanding
from penstock.errors import ArgumentError

Names = str | Sequence[str]


def describe(
    data: Any,
    *,
    task: str | None = None,
    target: Names = (),
    horizon: int | None = None,
    id: str | None = None,
    time_column: str | None = None,
    known: Names = (),
    past: Names = (),
    static: Names = (),
    split: str | None = None,
    test: Any = None,
    validation: Any = None,
    group: str | None = None,
    frequency: str | None = None,
    date_format: str | None = None,
    test_windows: str | None = None,
    elapsed: bool = False,
) -> Understanding:
    """Return what data hold: the task, the series, their times, and the role of every column.

    ```python
    import penstock

    found = penstock.describe("sunspots.csv")
    print(found)                    # all of it, a line each
    found.roles                     # {"YEAR": "time", "SUNACTIVITY": "target"}
    ```

    Args:
        data: the path of a file or a folder, the name of a sample, a dataframe of any library,
            a dict or list of arrays, an array, or a pair of arrays and their labels.
        task: what to learn; told by the data if left out.
        target: columns to learn: values or labels.
        horizon: steps to forecast.
        id: the column that names the series of a row; two are named "a,b".
        time_column: the column of times; a date and a time of day are named "date,time".
        known, past, static: columns known ahead of time, known up to now, and the same all
            through a series.
        split: the column that says train, validation or test.
        test, validation: a file or dataframe, of the same columns, with that part.
        group: the column of what must not be in two parts.
        frequency: the step to which rows of irregular times are brought, as "1h".
        date_format: how dates are written, as "%d.%m.%Y".
        test_windows: of series: "rolling", one a step, or "last", the last one of each series.
        elapsed: whether the time since the row before is a column too.

    Raises:
        DataError: a cell cannot be used, or it is not clear what is what; the message says where.
        ArgumentError: an option names what is not there.
    """
    options = Options(
        told_names(target), id, time_column, told_names(known), told_names(past),
        told_names(static), split, group, task, horizon, frequency, date_format, test_windows,
        elapsed,
    )  # fmt: skip
    return given(data, options, test, validation).understood


@dataclass(frozen=True)
class Given:
    """Data as they were given, read and understood once.

    Attributes:
        source: what was read.
        options: what the user said about it.
        understood: what it holds.
    """

    source: Source
    options: Options
    understood: Understanding


def given(data: Any, options: Options, test: Any = None, validation: Any = None) -> Given:
    """Return data, and parts in files or frames of their own, read and understood.

    Raises:
        DataError: a cell cannot be used, or it is not clear what is what; the message says where.
        ArgumentError: an option names what is not there.
    """
    source, options = _with_parts(data, options, test, validation)
    return Given(source, options, understand(source, options))


def _with_parts(data: Any, options: Options, test: Any, validation: Any) -> tuple[Source, Options]:
    """Return data with the parts that stand in files or frames of their own, and the options then.

    Raises:
        ArgumentError: the parts are told twice.
        DataError: the files do not fit together.
    """
    source = source_of(data)
    if test is None and validation is None:
        return source, options
    if options.split is not None:
        raise ArgumentError(
            "--split and a file for a part say both what is in which part; give one of the two"
        )
    parts = {"train": source}
    parts |= {} if validation is None else {"validation": source_of(validation)}
    parts |= {} if test is None else {"test": source_of(test)}
    return together(parts, options), replace(options, split=SPLIT)


def source_of(data: Any) -> Source:
    """Return the sample of that name, unless there is such a file; else what the data hold."""
    if isinstance(data, str | Path) and str(data) in samples() and not Path(data).exists():
        return sample(str(data))
    return read_source(data)


def told_names(told: Iterable[str]) -> tuple[str, ...]:
    """Return names that were told as one or several."""
    return (told,) if isinstance(told, str) else tuple(told)

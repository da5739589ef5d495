"""A file or frame → `Dataset`. Wide and long data take one way: all is made long first."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.columns import choose_columns, numbers, times
from penstock.data.files import Source, load
from penstock.data.series import Columns, Dataset, Options, Series
from penstock.errors import DataError

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame


def read(
    source: "str | Path | IntoDataFrame | Source",
    *,
    target: Sequence[str] = (),
    id_column: str | None = None,
    time_column: str | None = None,
    known: Sequence[str] = (),
    past: Sequence[str] = (),
) -> Dataset:
    """Return the series of a CSV or Parquet file, or of a dataframe of any library.

    Long data have a column of ids, one series each. Wide data have one series a column. See
    `choose_columns` for the columns taken where none is told. Empty cells are missing values:
    those before a series' first value and after its last are cut off, the others are filled with
    the value before them (which looks at the past alone) and marked as not observed. Columns
    beside the values are filled likewise, and NaN before their first value; those known ahead go
    on after the last value for as long as there are rows.

    Raises:
        DataError: the file or one of its cells cannot be used; the message says where and why.
        ArgumentError: a column told is not there.
    """
    options = Options(tuple(target), id_column, time_column, tuple(known), tuple(past))
    return read_series(load(source), options)


def read_series(source: Source, options: Options) -> Dataset:
    """Return the series of a table; see `read`."""
    with source.named():
        return _read(source.name, source.rows(), options)


def _read(name: str, frame: pl.DataFrame, options: Options) -> Dataset:
    columns = choose_columns(frame, options)
    tidy = _tidy(frame, columns)
    check_order(tidy, columns.time, columns.id)
    parts = tidy.partition_by("id", maintain_order=True)
    series = tuple(_series(part, columns) for part in parts)
    kept = tuple(one for one in series if len(one))
    if not kept:
        raise DataError(f"column {', '.join(columns.targets)} holds no value at all")
    missing = sum(int((~one.observed).sum()) for one in kept)
    return Dataset(name, kept, columns, missing, _notes(frame, columns, missing, series))


def _tidy(frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """Return the frame in long form: id, time, value, and the row in the file."""
    many = len(columns.targets) > 1
    row = pl.Series("row", np.arange(1, frame.height + 1))
    time = times(frame[columns.time]) if columns.time else row
    beside = [numbers(frame[c]).alias(f"beside {c}") for c in (*columns.known, *columns.past)]
    parts = []
    for target in columns.targets:
        if columns.id is None:
            ids = pl.repeat(target, frame.height, eager=True)
        else:
            ids = check_ids(frame[columns.id]) + (f"/{target}" if many else "")
        value = numbers(frame[target])
        parts.append(
            pl.DataFrame([row, ids.alias("id"), time.alias("time"), value.alias("value"), *beside])
        )
    tidy = pl.concat(parts)
    if columns.time is None:  # no column of times: count the rows of each series
        tidy = tidy.with_columns(time=pl.int_range(1, pl.len() + 1).over("id"))
    return tidy


def check_ids(column: pl.Series) -> pl.Series:
    """Return a column of ids as text.

    Raises:
        DataError: a cell is empty; the message names it.
    """
    empty = column.is_null().arg_true()
    if len(empty):
        raise DataError(f"id column {column.name!r}, row {empty[0] + 1} is empty; fill it in")
    return column.cast(pl.String)


def check_order(tidy: pl.DataFrame, time_column: str | None, id_column: str | None) -> None:
    """Raise unless the times of each id increase strictly; the frame has row, id and time.

    Raises:
        DataError: a time is repeated or comes too late; the message names its row.
    """
    wrong = tidy.with_columns(before=pl.col("time").shift().over("id")).filter(
        pl.col("time") <= pl.col("before")
    )
    if wrong.height:
        row, name, time, before = wrong.select("row", "id", "time", "before").row(0)
        what = "is repeated" if time == before else f"comes after the later {before}"
        remedy = "keep one row for each time" if time == before else "sort the rows by time"
        hint = "" if id_column else ", or name the column of ids with --id if there are several"
        raise DataError(
            f"time column {time_column!r}, row {row}: {time} {what} in series {name!r}; "
            f"{remedy}{hint}"
        )


def _series(part: pl.DataFrame, columns: Columns) -> Series:
    """Return one series, trimmed and filled; empty where it has no value."""
    values = part["value"].to_numpy()
    seen = np.flatnonzero(~np.isnan(values))
    cut = slice(seen[0], seen[-1] + 1) if len(seen) else slice(0)
    values = values[cut]
    observed = ~np.isnan(values)
    last_seen = np.maximum.accumulate(np.where(observed, np.arange(len(values)), 0))
    return Series(
        str(part["id"][0]),
        part["time"][cut],
        values[last_seen],
        observed,
        _beside(part, columns.known)[cut.start :],
        _beside(part, columns.past)[cut],
    )


def _beside(part: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """Return columns beside the values [n, F], each gap filled with the value before it."""
    if not names:
        return np.empty((part.height, 0))
    return part.select(
        pl.col(f"beside {n}").fill_null(strategy="forward") for n in names
    ).to_numpy()


def _notes(
    frame: pl.DataFrame, columns: Columns, missing: int, series: Sequence[Series]
) -> tuple[str, ...]:
    used = {columns.id, columns.time, *columns.targets, *columns.known, *columns.past}
    unused = [c for c in frame.columns if c not in used]
    empty = [one.id for one in series if not len(one)]
    notes = {
        f"columns not used: {', '.join(unused[:8])}": unused,
        f"{missing} missing values carried forward as inputs and never scored": missing,
        f"{len(empty)} series without any value left out: {', '.join(empty[:5])}": empty,
    }
    return tuple(note for note, applies in notes.items() if applies)

"""Which columns hold ids, times and values, and their cells as times and numbers."""

import math

import polars as pl

from penstock.data.series import Columns, Options
from penstock.errors import ArgumentError, DataError, nearest

_TIME_NAMES = ("date", "time", "timestamp", "datetime", "day", "month", "year")
_TIME_FORMATS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")

_LARGEST = 1e100  # squares of values must be finite


def choose_columns(frame: pl.DataFrame, options: Options) -> Columns:
    """Return the columns to read.

    Ids: as told, or ``unique_id`` (without either, the data are wide). Times: as told, or ``ds``,
    or the first column of dates, or one named date, time, timestamp, datetime, day, month or year.
    Values: as told, or ``y``; else, of wide data, every other column, and of long data the only
    other column of numbers. Columns known ahead, or up to now: those told.

    Raises:
        ArgumentError: a column told is not there.
        DataError: no column of values is left, or long data have several.
    """
    check_names(frame, options)
    ids = options.id or ("unique_id" if "unique_id" in frame.columns else None)
    time = options.time or find_time(frame, ids)
    rest = [c for c in frame.columns if c not in (ids, time, *options.known, *options.past)]
    targets = options.target or _default_targets(frame, rest, ids)
    told: set[str | None] = {*targets}
    if clash := {ids, time} & told:
        raise ArgumentError(f"column {clash.pop()!r} cannot be both the target and ids or times")
    if clash := {ids, time, *targets} & {*options.known, *options.past}:
        raise ArgumentError(f"column {clash.pop()!r} is read already; take it out of the others")
    return Columns(ids, time, tuple(targets), options.known, options.past)


def check_names(frame: pl.DataFrame, options: Options) -> None:
    """Raise unless every column told is there.

    Raises:
        ArgumentError: one is not; the message suggests the nearest names.
    """
    told = (*options.target, options.id, options.time, *options.known, *options.past)
    for name in told:
        if name is not None and name not in frame.columns:
            raise ArgumentError(f"there is no column {name!r}: {nearest(name, frame.columns)}")


def find_time(frame: pl.DataFrame, ids: str | None) -> str | None:
    """Return the column of times, by its type or name; None where there is none."""
    schema = frame.schema  # made anew at each access
    columns = [c for c in schema if c != ids]
    dated = [c for c in columns if schema[c].is_temporal()]
    named = [c for c in columns if c.lower() in _TIME_NAMES]
    return next((c for c in ["ds", *dated, *named] if c in columns), None)


def _default_targets(frame: pl.DataFrame, rest: list[str], ids: str | None) -> list[str]:
    if "y" in rest:
        return ["y"]
    if not rest:
        raise DataError(f"no column of values is left beside {', '.join(frame.columns)}")
    if ids is None:
        return rest
    schema = frame.schema
    numeric = [c for c in rest if schema[c].is_numeric()] or rest
    if len(numeric) > 1:
        raise DataError(
            f"several columns could be the values ({', '.join(numeric[:5])}); choose with --target"
        )
    return numeric


def numbers(column: pl.Series) -> pl.Series:
    """Return a column's cells as float64, null where empty.

    Raises:
        DataError: a cell is text, NaN, infinite or beyond ±1e100; the message names it.
    """
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        text = text.set(text == "", None)
        values = text.cast(pl.Float64, strict=False)
        _reject(column, values.is_null() & text.is_not_null(), "is not a number")
    elif column.dtype.is_numeric() or column.dtype == pl.Null:
        values = column.cast(pl.Float64)
    else:
        raise DataError(
            f"column {column.name!r} holds {column.dtype}, not numbers; choose others with --target"
        )
    if not _all_fit(values):
        _reject(column, values.is_not_null() & ~values.is_finite(), "is not a finite number")
        _reject(column, values.abs() > _LARGEST, "is too large to compute with")
    return values


def _all_fit(values: pl.Series) -> bool:
    """Whether all is finite and no value too large; quick, as there may be 10,000 columns."""
    low, high = values.min(), values.max()
    if low is None or high is None:  # nothing there
        return True
    return math.isfinite(values.sum()) and max(-low, high) <= _LARGEST  # type: ignore


def _reject(column: pl.Series, bad: pl.Series, what: str) -> None:
    row = bad.fill_null(False).arg_true()
    if len(row):
        cell = str(column[row[0]])[:40]
        raise DataError(
            f"column {column.name!r}, row {row[0] + 1}: {cell!r} {what}; correct it, leave the "
            "cell empty if the value is missing, or choose other columns with --target"
        )


def times(column: pl.Series) -> pl.Series:
    """Return a column's cells as dates, datetimes or numbers.

    Raises:
        DataError: a cell is empty or is no date; the message names it.
    """
    parsed = _parse_times(column) if column.dtype == pl.String else column
    if not (parsed.dtype.is_temporal() or parsed.dtype.is_numeric()):
        raise DataError(f"time column {column.name!r} holds {column.dtype}, not dates or numbers")
    bad = parsed.is_null().arg_true()
    if len(bad):
        cell = column[bad[0]]
        what = "is empty" if cell is None else f"{str(cell)[:40]!r} is no date"
        raise DataError(
            f"time column {column.name!r}, row {bad[0] + 1}: {what}; "
            "write dates as 2024-12-31 or 2024-12-31 23:59:00, or whole numbers"
        )
    return parsed


def _parse_times(column: pl.Series) -> pl.Series:
    """Return the reading of the text that leaves the fewest cells without a date."""
    text = column.str.strip_chars().str.replace(r"^(\d{4}-\d{2})$", "$1-01")
    readings = [text.str.to_datetime(form, strict=False) for form in _TIME_FORMATS]
    readings.append(text.cast(pl.Int64, strict=False))
    return min(readings, key=lambda reading: reading.null_count())

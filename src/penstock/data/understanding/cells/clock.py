"""The column or columns of times → local times, or plain numbers, of which the regular reading."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from penstock.data.understanding.cells.cells import Cells, shown
from penstock.data.understanding.cells.dates import Reading, clock, read_dates
from penstock.data.understanding.cells.epochs import times_of_numbers
from penstock.data.understanding.cells.units import YEARS, times_of_units
from penstock.data.understanding.cells.zones import IRREGULAR, Clock, gaps, with_offset, zoned
from penstock.data.understanding.remarks import Remarks
from penstock.errors import DataError


def read_times(
    names: Sequence[str],
    columns: Mapping[str, Cells],
    ids: pl.Series,
    form: str | None,
    told: bool,
    remarks: Remarks,
) -> Clock:
    """Return the times of the rows.

    Args:
        names: one column, or several that make a time together.
        columns: of the source.
        ids: [N] the series of each row; which reading of a date is regular depends on it.
        form: how dates are written, as for strptime, where the user says so.
        told: whether the user named the column.
        remarks: where to say what was done.

    Raises:
        DataError: a cell is no time, or day and month cannot be told apart.
    """
    first = columns[names[0]]
    if len(names) > 1:
        remarks.converted(f"times combined from {' and '.join(names)}")
    if len(names) > 1 and first.sort == "number" and first.name.strip().lower() in YEARS:
        times = Clock(times_of_units(names, columns))
    else:
        times = _one(first, [columns[name] for name in names[1:]], ids, form, told, remarks)
    _check_filled(" and ".join(names), columns[names[0]], times.times)
    return times


def _one(
    cells: Cells,
    added: Sequence[Cells],
    ids: pl.Series,
    form: str | None,
    told: bool,
    remarks: Remarks,
) -> Clock:
    """Return the times of a column, with the times of day that stand in others added."""
    kind = cells.raw.dtype
    if kind == pl.Date:
        return Clock(_plus(cells.raw.cast(pl.Datetime("us")), added))
    if isinstance(kind, pl.Datetime):
        times = cells.raw.cast(pl.Datetime("us", kind.time_zone))
        return zoned(_plus(times, added), ids, remarks)
    if form and kind == pl.String:
        return Clock(_plus(read_dates(cells.raw, form)[0].local, added))
    if cells.sort == "number":
        found = times_of_numbers(cells, told, remarks)
        if added and not found.times.dtype.is_temporal():
            raise DataError(
                f"time column {cells.name!r} holds no dates to put {added[0].name!r} to"
            )
        return replace(found, times=_plus(found.times, added))
    return _dates(cells, added, ids, form, remarks)


def _plus(times: pl.Series, added: Sequence[Cells]) -> pl.Series:
    for cells in added:
        times = times + _offset(cells)
    return times


def _dates(
    cells: Cells, added: Sequence[Cells], ids: pl.Series, form: str | None, remarks: Remarks
) -> Clock:
    if cells.raw.dtype != pl.String:
        raise DataError(
            f"time column {cells.name!r} holds {cells.raw.dtype}, not dates or numbers; "
            "choose another with --time-column"
        )
    readings = read_dates(cells.raw, form)
    if not cells.raw.drop_nulls().len():
        return Clock(pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(cells.raw)))
    if not readings:
        row = int(cells.raw.is_not_null().arg_true()[0])
        raise DataError(
            f"time column {cells.name!r}, row {row + 1}: {shown(cells.raw, row)} is no date; "
            "choose another with --time-column, or say how dates are written, "
            "such as --date-format %d.%m.%Y"
        )
    readings = [replace(reading, local=_plus(reading.local, added)) for reading in readings]
    chosen = _regular(cells, readings, ids, remarks)
    if chosen.offset is None:
        return Clock(chosen.local)
    return with_offset(chosen, ids, remarks)


def _regular(cells: Cells, readings: list[Reading], ids: pl.Series, remarks: Remarks) -> Reading:
    """Return the reading whose times are regular.

    Raises:
        DataError: several are, or none is.
    """
    readings = [r for r in readings if r.order != "year before month"] or readings
    if len(readings) == 1:
        return readings[0]
    regular = [r for r in readings if gaps(ids, r.local) < IRREGULAR]
    if len(regular) == 1:
        remarks.converted(
            f"dates in {cells.name!r} read as {regular[0].order}, "
            "the order that makes their spacing regular"
        )
        return regular[0]
    differ = (readings[0].local != readings[1].local).arg_true()
    if not len(differ):  # but in cells that one of them cannot read, which are refused later
        return readings[0]
    row = int(differ[0])
    one, other = (f"{r.local[row]:%Y-%m-%d}" for r in readings[:2])
    separator = next((mark for mark in "/-. " if mark in str(cells.raw[row])), "/")
    raise DataError(
        f"time column {cells.name!r}, row {row + 1}: {shown(cells.raw, row)} may be {one} or "
        f"{other}, and the spacing of the rows does not tell; say which with "
        f"--date-format %d{separator}%m{separator}%Y or %m{separator}%d{separator}%Y"
    )


def _offset(cells: Cells) -> pl.Series:
    """Return the time of day in a column: text such as 13:05, or numbers of hours."""
    if cells.raw.dtype == pl.String and cells.sort != "number":
        return clock(cells.raw.str.strip_chars())
    return (
        (cells.numbers("--time-column") * 3_600_000_000)
        .round()
        .cast(pl.Int64)
        .cast(pl.Duration("us"))
    )


def _check_filled(name: str, cells: Cells, times: pl.Series) -> None:
    bad = times.is_null().arg_true()
    if len(bad):
        row = int(bad[0])
        cell = cells.raw[row]
        what = "is empty" if cell is None or cell == "" else f"{shown(cells.raw, row)} is no date"
        raise DataError(
            f"time column {name!r}, row {row + 1}: {what}; correct it, or choose another column "
            "with --time-column"
        )

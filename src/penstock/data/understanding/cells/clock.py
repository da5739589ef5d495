"""The column or columns of times → local times, or plain numbers, of which the regular reading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from penstock.data.spacing import find_spacing, grid_size
from penstock.data.understanding.cells.cells import Cells, shown
from penstock.data.understanding.cells.dates import Reading, clock, looks_clocked, read_dates
from penstock.data.understanding.remarks import Remarks
from penstock.errors import DataError

YEARS = ("year", "yr", "yyyy", "fiscal year")
_PARTS = {
    "month": ("month", "mon", "mm"), "quarter": ("quarter", "qtr", "q"), "week": ("week", "wk"),
    "day": ("day", "dom", "day of month", "dd"), "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "min"), "second": ("second", "sec"),
}  # fmt: skip
_LIMITS = {"month": (1, 12), "quarter": (1, 4), "week": (1, 53), "day": (1, 31), "hour": (0, 23),
           "minute": (0, 59), "second": (0, 59)}  # fmt: skip
_EPOCHS = (("s", 1_000_000), ("ms", 1000), ("us", 1), ("ns", 1e-3))
_EPOCH = (1e8, 4.2e9)  # seconds: 1973 to 2103
_IRREGULAR = 2**62
_LARGEST = 2**53  # beyond it, whole numbers have gaps
_SERIAL = (18_264, 73_051)  # days of Excel: 1950 to 2100


@dataclass(frozen=True)
class Clock:
    """The times of the rows.

    Attributes:
        times: local times (datetime without a zone), or numbers.
        zone: the zone that the times are told in; None where none is told.
        yearly: whether the numbers are years.
    """

    times: pl.Series
    zone: str | None = None
    yearly: bool = False


def time_parts(columns: Mapping[str, Cells]) -> tuple[str, ...]:
    """Return the columns that make a time together, such as a year and a month."""
    lower = {name.strip().lower().replace("_", " "): name for name in columns}
    if year := next((lower[y] for y in YEARS if y in lower), None):
        parts = [year]
        for unit, words in _PARTS.items():
            name = next((lower[w] for w in words if w in lower), None)
            if name and _part(columns[name], unit) is not None:
                parts.append(name)
        units = {unit for unit, words in _PARTS.items() for w in words if lower.get(w) in parts}
        if units & {"month", "quarter", "week"} and columns[year].sort == "number":
            return tuple(parts)
    dates = [name for name, cells in columns.items() if cells.sort == "time"]
    clocks = [
        name for name, cells in columns.items()
        if cells.sort == "text" and looks_clocked(cells.raw)
    ]  # fmt: skip
    if len(clocks) == 1 and len(dates) == 1:
        return dates[0], clocks[0]
    hours = [lower[w] for w in _PARTS["hour"] if w in lower]
    if len(dates) == 1 and len(hours) == 1 and _part(columns[hours[0]], "hour") is not None:
        days = columns[dates[0]].raw
        if days.n_unique() < len(days):
            return dates[0], hours[0]
    return ()


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
        found = Clock(_of_units(names, columns))
    else:
        found = _one(first, [columns[name] for name in names[1:]], ids, form, told, remarks)
    _check_filled(" and ".join(names), columns[names[0]], found.times)
    return found


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
        return _zoned(_plus(times, added), ids, remarks)
    if form and kind == pl.String:
        return Clock(_plus(read_dates(cells.raw, form)[0].local, added))
    if cells.sort == "number":
        found = _numbers(cells, told, remarks)
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
    return _with_offset(chosen, ids, remarks)


def _regular(cells: Cells, readings: list[Reading], ids: pl.Series, remarks: Remarks) -> Reading:
    """Return the reading whose times are regular.

    Raises:
        DataError: several are, or none is.
    """
    readings = [r for r in readings if r.order != "year before month"] or readings
    if len(readings) == 1:
        return readings[0]
    regular = [r for r in readings if _is_regular(ids, r.local)]
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


def _is_regular(ids: pl.Series, times: pl.Series) -> bool:
    return _gaps(ids, times) < _IRREGULAR


def _gaps(ids: pl.Series, times: pl.Series) -> int:
    """Return how many rows the grid of times leaves out; a very large number if there is none."""
    frame = pl.DataFrame([ids.alias("id"), times.alias("time")]).drop_nulls().sort("id", "time")
    if frame.is_duplicated().any():
        return _IRREGULAR
    spacing = find_spacing(frame)
    return _IRREGULAR if spacing.unit == "none" else grid_size(frame, spacing) - frame.height


def _with_offset(reading: Reading, ids: pl.Series, remarks: Remarks) -> Clock:
    """Return times with an offset from UTC: civil where the wall's clock is regular, else UTC."""
    assert reading.offset is not None
    offsets = reading.offset.drop_nulls().unique().sort()
    zone = "UTC" if offsets.to_list() == [0] else None
    if len(offsets) <= 1:
        whole = len(offsets) and not offsets[0] % 60
        return Clock(reading.local, zone or (_fixed(offsets[0] // 60) if whole else None))
    utc = reading.local - pl.Series(reading.offset * 60_000_000).cast(pl.Duration("us"))
    if _gaps(ids, utc) < _gaps(ids, reading.local):
        remarks.converted("times of several offsets read in UTC, where they are regular")
        return Clock(utc, "UTC")
    low, high = (f"{o // 60:+03d}:{o % 60:02d}" for o in (offsets[0], offsets[-1]))
    remarks.converted(f"local times kept; the clock changes between {low} and {high}")
    return Clock(reading.local)


def _fixed(hours: int) -> str:
    return f"Etc/GMT{-hours:+d}"  # in these names the sign is that of the way back to UTC


def _zoned(times: pl.Series, ids: pl.Series, remarks: Remarks) -> Clock:
    """Return times with a zone: those on the wall where these are regular, else UTC."""
    zone = times.dtype.time_zone  # type: ignore[attr-defined]
    local = times.dt.replace_time_zone(None)
    if zone is None or zone == "UTC":
        return Clock(local, zone)
    utc = times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if _gaps(ids, utc) < _gaps(ids, local):
        remarks.converted(f"times in {zone} read in UTC, where they are regular")
        return Clock(utc, "UTC")
    return Clock(local, zone)


def _numbers(cells: Cells, told: bool, remarks: Remarks) -> Clock:
    """Return numbers as times where they are epochs, serial days or dates written as numbers."""
    values = cells.numbers("--time-column").drop_nulls()
    low, high = (float(v) if v is not None else 0.0 for v in (values.min(), values.max()))  # type: ignore[arg-type]
    whole = bool((values == values.round()).all())
    for unit, micro in _EPOCHS:
        per_second = 1_000_000 / micro
        if _EPOCH[0] * per_second <= low and high <= _EPOCH[1] * per_second:
            remarks.converted(f"{cells.name!r} read as {unit} since 1970")
            return Clock(
                (cells.values * micro).round().cast(pl.Int64).cast(pl.Datetime("us")), "UTC"
            )
    dated = "date" in cells.name.lower() or "datum" in cells.name.lower()
    if dated and _SERIAL[0] <= low and high <= _SERIAL[1]:
        remarks.converted(f"{cells.name!r} read as Excel's serial days")
        days = ((cells.values - 25_569) * 86_400_000_000).round().cast(pl.Int64)
        return Clock(days.cast(pl.Datetime("us")))
    if whole and (compact := _compact(cells, low, high)) is not None:
        remarks.converted(f"{cells.name!r} read as dates written as numbers")
        return Clock(compact)
    lower = cells.name.lower()
    named = lower in (*YEARS, "date", "time", "ds") or (told and "year" in lower)
    yearly = named and whole and 1000 <= low <= high < 3000
    small = max(-low, high) < _LARGEST
    return Clock(cells.values.cast(pl.Int64) if whole and small else cells.values, yearly=yearly)


def _compact(cells: Cells, low: float, high: float) -> pl.Series | None:
    """Return numbers such as 20240131 or 202401 as dates; None where they are none."""
    for form, ends in (("%Y%m%d", (18_000_101, 21_001_231)), ("%Y%m", (180_001, 210_012))):
        if ends[0] <= low and high <= ends[1]:
            text = cells.values.cast(pl.Int64).cast(pl.String)
            days = (text if form == "%Y%m%d" else text + "01").str.to_date("%Y%m%d", strict=False)
            if days.null_count() == cells.values.null_count():
                return days.cast(pl.Datetime("us"))
    return None


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


def _of_units(names: Sequence[str], columns: Mapping[str, Cells]) -> pl.Series:
    """Return the times that years, months, days, … in columns of their own tell."""
    units = {_unit(name): columns[name] for name in names[1:]}
    values = {unit: _part(cells, unit) for unit, cells in units.items()}
    year = columns[names[0]].numbers("--time-column").cast(pl.Int32)
    month = values.get("month")
    if (quarter := values.get("quarter")) is not None and month is None:
        month = quarter * 3 - 2
    day = values.get("day") if month is not None else None
    frame = pl.DataFrame({
        "y": year,
        "m": pl.repeat(1, len(year), eager=True) if month is None else month,
        "d": pl.repeat(1, len(year), eager=True) if day is None else day,
        **{u: v for u, v in values.items() if u in ("hour", "minute", "second")},
    })  # fmt: skip
    good = pl.struct("y", "m", "d").map_batches(_real_dates, return_dtype=pl.Date)
    dates = frame.select(good).to_series().cast(pl.Datetime("us"))
    if (week := values.get("week")) is not None and month is None:
        text = pl.select(pl.format("{}-W{}-1", year, week.cast(pl.String).str.zfill(2))).to_series()
        dates = text.str.to_date("%G-W%V-%u", strict=False).cast(pl.Datetime("us"))
    for unit, micro in (("hour", 3_600_000_000), ("minute", 60_000_000), ("second", 1_000_000)):
        if unit in values:
            dates = dates + (frame[unit].cast(pl.Int64) * micro).cast(pl.Duration("us"))
    return dates


def _real_dates(parts: pl.Series) -> pl.Series:
    """Return dates, null where there is no such day."""
    fields = [parts.struct.field(f).cast(pl.Int64).cast(pl.String) for f in ("y", "m", "d")]
    return (
        pl.select(pl.concat_str(fields, separator="-"))
        .to_series()
        .str.to_date("%Y-%m-%d", strict=False)
    )


def _unit(name: str) -> str:
    bare = name.strip().lower().replace("_", " ")
    return next((unit for unit, words in _PARTS.items() if bare in words), "hour")


def _part(cells: Cells | None, unit: str) -> pl.Series | None:
    """Return a column as months 1 to 12, hours 0 to 23, …; None where its cells are not such."""
    if cells is None:
        return None
    if cells.sort == "text" and unit == "month":
        text = cells.raw.str.strip_chars().str.replace(r"(?i)^sept$", "sep") + " 2000"
        values = text.str.to_date("%B %Y", strict=False).dt.month().cast(pl.Float64)
    elif cells.sort == "text" and unit == "quarter":
        values = cells.raw.str.extract(r"(?i)^\s*Q([1-4])\s*$", 1).cast(pl.Float64)
    elif cells.sort == "number":
        values = cells.values
    else:
        return None
    low, high = _LIMITS[unit]
    inside = values.is_between(low, high) & (values == values.round())
    return (
        values.cast(pl.Int32) if inside.all() and len(inside.drop_nulls()) == len(inside) else None
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

"""Times in several columns: a year and a month, a date and a time of day."""

from collections.abc import Mapping, Sequence

import polars as pl

from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.cells.dates import looks_clocked

YEARS = ("year", "yr", "yyyy", "fiscal year")
_PARTS = {
    "month": ("month", "mon", "mm"), "quarter": ("quarter", "qtr", "q"), "week": ("week", "wk"),
    "day": ("day", "dom", "day of month", "dd"), "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "min"), "second": ("second", "sec"),
}  # fmt: skip
_LIMITS = {"month": (1, 12), "quarter": (1, 4), "week": (1, 53), "day": (1, 31), "hour": (0, 23),
           "minute": (0, 59), "second": (0, 59)}  # fmt: skip


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


def times_of_units(names: Sequence[str], columns: Mapping[str, Cells]) -> pl.Series:
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

"""Text → dates and times, in every reading that fits all cells.

A cell is a date, a time of day after it, and an offset from UTC after that, each of which may be
left out where it is the last. Day and month may stand in either order: both readings are returned,
and whoever knows the series takes the one whose times are regular.
"""

import re
from dataclasses import dataclass

import polars as pl

from penstock.data.understanding.cells.sampling import sampled

_FAST = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
         "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f")  # fmt: skip
_SAMPLE = 24
_CLOCK = r"(?:^|[ T])(\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*([AaPp]\.?[Mm]\.?)?"
_ZONE = r"(?i):\d{2}(?:[.,]\d+)?\s*(Z|UTC|GMT|[-+]\d{2}:?(?:\d{2})?)(?:\[[\w/]+\])?$"
_WEEKDAY = r"(?i)^(mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+"
_QUARTER = (r"(?i)^(\d{4})[- /]?Q([1-4])$", r"(?i)^Q([1-4])[- /]?(\d{4})$")
_FISCAL = (r"(?i)^(?:FY|AY)[- ]?(\d{4})$", r"^(\d{4})[-/](\d{2}|\d{4})$")
_WEEK = r"(?i)^(\d{4})[- ]?W(\d{2})$"
# The shape of a date → how it may be read; {s} is what stands between its parts.
_SHAPES: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (r"\d{4}([-/. ])\d{1,2}\1\d{1,2}", (("", "%Y{s}%m{s}%d"),)),
    (r"\d{4}()\d{4}", (("", "%Y%m%d"),)),
    (r"\d{4}([-/.])\d{1,2}", (("", "%Y{s}%m"),)),
    (r"\d{1,2}([-/.])\d{4}", (("", "%m{s}%Y"),)),
    (r"\d{1,2}([-/. ])\d{1,2}\1\d{4}", (
        ("day before month", "%d{s}%m{s}%Y"), ("month before day", "%m{s}%d{s}%Y"),
    )),
    (r"\d{1,2}([-/. ])\d{1,2}\1\d{2}", (
        ("day before month", "%d{s}%m{s}%y"), ("month before day", "%m{s}%d{s}%y"),
        ("year before month", "%y{s}%m{s}%d"),
    )),
    (r"\d{1,2}([- /.]?)[a-z]{3,9}\1\d{4}", (("", "%d{s}%B{s}%Y"),)),
    (r"\d{1,2}([- /.]?)[a-z]{3,9}\1\d{2}", (("", "%d{s}%B{s}%y"),)),
    (r"\d{1,2}() [a-z]{3,9}, \d{4}", (("", "%d %B, %Y"),)),
    (r"[a-z]{3,9}() \d{1,2}, \d{4}", (("", "%B %d, %Y"),)),
    (r"[a-z]{3,9}([-/.])\d{1,2}\1\d{4}", (("", "%B{s}%d{s}%Y"),)),
    (r"[a-z]{3,9}() \d{1,2} \d{4}", (("", "%B %d %Y"),)),
    (r"[a-z]{3,9}([- /]?)\d{4}", (("", "%B{s}%Y"),)),
    (r"[a-z]{3,9}([- /])\d{2}", (("", "%B{s}%y"),)),
    (r"\d{4}([- /])[a-z]{3,9}\1\d{1,2}", (("", "%Y{s}%B{s}%d"),)),
    (r"\d{4}([- /]?)[a-z]{3,9}", (("", "%Y{s}%B"),)),
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One way to read a column of text as times.

    Attributes:
        local: what the clock on the wall says, without a zone; null where a cell is no time.
        offset: minutes by which it is ahead of UTC; None where no cell says.
        order: of day and month, in words; "" where there is no doubt.
    """

    local: pl.Series
    offset: pl.Series | None = None
    order: str = ""


def looks_dated(column: pl.Series) -> bool:
    """Whether most cells of a column of text are times."""
    cells = sampled(column, _SAMPLE).drop_nulls()
    sample = cells.filter(cells.str.contains(r"\d") & (cells.str.len_chars() <= 40))
    if 2 * len(sample) < len(cells) or not len(sample):
        return False
    return any(2 * r.local.null_count() < len(sample) for r in read_dates(sample))


def read_dates(column: pl.Series, form: str | None = None) -> list[Reading]:
    """Return the readings of a column that leave the fewest cells without a time.

    Args:
        column: of text.
        form: how the cells are written, as for strptime; found by their shape if left out.
    """
    if form:
        return [Reading(_exact(column, form))]
    if (quick := _quick(column)) is not None:
        return [Reading(quick)]
    cells = column.unique().drop_nulls().sort()
    readings = _readings(cells)
    fewest = min((r.local.null_count() for r in readings), default=0)
    return [
        Reading(
            _spread(column, cells, one.local), _maybe_spread(column, cells, one.offset), one.order
        )
        for one in readings
        if one.local.null_count() == fewest
    ]


def looks_clocked(column: pl.Series) -> bool:
    """Whether the cells of a column of text are times of day."""
    cells = sampled(column.drop_nulls(), _SAMPLE).str.strip_chars()
    return bool(len(cells)) and bool(cells.str.contains(f"{_CLOCK}$").all())


def clock(column: pl.Series) -> pl.Series:
    """Return the time of day in text as a duration; null where there is none."""
    hours = column.str.extract(_CLOCK, 1).cast(pl.Int64)
    minutes = column.str.extract(_CLOCK, 2).cast(pl.Int64)
    seconds = column.str.extract(_CLOCK, 3).str.replace(",", ".", literal=True).cast(pl.Float64)
    half = column.str.extract(_CLOCK, 4).str.to_lowercase().str.slice(0, 1)
    frame = pl.DataFrame(
        {"h": hours, "m": minutes, "s": seconds.fill_null(0.0), "half": half},
        schema={"h": pl.Int64, "m": pl.Int64, "s": pl.Float64, "half": pl.String},
    )
    hour = (
        pl.when(pl.col("half") == "p").then(pl.col("h") % 12 + 12)
        .when(pl.col("half") == "a").then(pl.col("h") % 12).otherwise(pl.col("h"))
    )  # fmt: skip
    good = (pl.col("m") < 60) & (pl.col("s") < 60) & (hour <= 24)
    micro = (hour * 3_600 + pl.col("m") * 60) * 1_000_000 + (pl.col("s") * 1e6).round().cast(
        pl.Int64
    )
    return frame.select(pl.when(good).then(micro).cast(pl.Duration("us"))).to_series()


def _quick(column: pl.Series) -> pl.Series | None:
    """Return the times if all are written as ISO 8601 says, as most are."""
    cells = column.drop_nulls()
    if not len(cells):
        return None
    for form in _FAST:
        if _exact(cells.head(1), form).null_count():
            continue
        times = _exact(column, form)
        if times.null_count() == column.null_count():
            return times
    return None


def _exact(column: pl.Series, form: str) -> pl.Series:
    """Return what strptime makes of the cells, as local times; the zone is not lost but undone."""
    try:
        times = column.str.to_datetime(form, strict=False, time_unit="us")
    except pl.exceptions.PolarsError:
        days = column.str.to_date(form, strict=False)
        return days.cast(pl.Datetime("us"))
    return times.dt.replace_time_zone(None) if times.dtype.time_zone else times  # type: ignore[attr-defined]


def _readings(cells: pl.Series) -> list[Reading]:
    bare = cells.str.strip_chars().str.replace_all(r"\s+", " ").str.replace(_WEEKDAY, "")
    zone = bare.str.extract(_ZONE, 1)
    offset = _minutes(zone) if zone.null_count() < len(zone) else None
    timed = bare.str.contains(_CLOCK)
    times = clock(bare) if timed.any() else None
    days = bare.str.replace(r"(?i)(\d)T(\d)", "$1 $2").str.replace(rf"{_CLOCK}.*$", "")
    days = (
        days.str.strip_chars()
        .str.replace(r"(?i)\bsept\b", "sep")
        .str.replace(r"([a-zA-Z])\.", "$1")
    )
    return [
        Reading(_together(dates, times, timed), offset, order)
        for order, dates in _days(days).items()
    ]


def _together(dates: pl.Series, times: pl.Series | None, timed: pl.Series) -> pl.Series:
    local = dates.cast(pl.Datetime("us"))
    if times is None:
        return local
    none = pl.Series([0], dtype=pl.Duration("us"))
    return local + times.zip_with(timed, none.new_from_index(0, len(times)))


def _days(days: pl.Series) -> dict[str, pl.Series]:
    """Return the dates in text in each order of day and month that its shape allows."""
    if (years := _fiscal_years(days)) is not None:
        return {"": years}
    orders: dict[str, pl.Series] = {}
    for cell in {days[0], days[len(days) // 2], days[-1]} if len(days) else ():
        for order, form in _forms(cell):
            dates = days.str.to_date(form, strict=False)
            before = orders.get(order)
            if before is None or dates.null_count() < before.null_count():
                orders[order] = _sane(dates)
    if not orders or min(d.null_count() for d in orders.values()) > 0:
        for dates in (_quarters(days), _weeks(days)):
            if dates.null_count() < len(dates):
                orders[""] = dates
    if len(orders) > 1:  # where all agree there is no doubt
        values = list(orders.values())
        if all(values[0].equals(other) for other in values[1:]):
            return {"": values[0]}
    return orders


def _sane(dates: pl.Series) -> pl.Series:
    return dates.set((dates.dt.year() < 1000).fill_null(False), None)


def _forms(cell: str) -> list[tuple[str, str]]:
    return [
        (order, form.format(s=match[1]))
        for shape, forms in _SHAPES
        if (match := re.fullmatch(shape, cell, re.IGNORECASE))
        for order, form in forms
    ]


def _quarters(days: pl.Series) -> pl.Series:
    first, second = _QUARTER
    year = days.str.extract(first, 1).fill_null(days.str.extract(second, 2))
    quarter = days.str.extract(first, 2).fill_null(days.str.extract(second, 1))
    frame = pl.DataFrame({"y": year.cast(pl.Int32), "m": quarter.cast(pl.Int32) * 3 - 2})
    return frame.select(pl.date("y", "m", 1)).to_series()


def _fiscal_years(days: pl.Series) -> pl.Series | None:
    """Return the first days of years such as FY2020 or 2019/20; None unless all are such."""
    named, pair = _FISCAL
    first = days.str.extract(pair, 1).cast(pl.Int32)
    second = days.str.extract(pair, 2).cast(pl.Int32)
    follows = (first + 1) % 100 == second % 100
    year = days.str.extract(named, 1).cast(pl.Int32).fill_null(first.set(~follows, None))
    if not len(year) or year.null_count():
        return None
    return pl.DataFrame({"y": year}).select(pl.date("y", 1, 1)).to_series()


def _weeks(days: pl.Series) -> pl.Series:
    return days.str.replace(_WEEK, "$1-W$2-1").str.to_date("%G-W%V-%u", strict=False)


def _minutes(zone: pl.Series) -> pl.Series:
    sign = zone.str.slice(0, 1).replace_strict({"-": -1, "+": 1}, default=0, return_dtype=pl.Int64)
    hours = zone.str.extract(r"^[-+](\d{2})", 1).cast(pl.Int64).fill_null(0)
    minutes = zone.str.extract(r"^[-+]\d{2}:?(\d{2})$", 1).cast(pl.Int64).fill_null(0)
    total = sign * (60 * hours + minutes)
    return total.set(zone.is_null(), None)


def _spread(column: pl.Series, cells: pl.Series, values: pl.Series) -> pl.Series:
    """Return the value of each cell of a column, given those of its distinct cells."""
    return column.replace_strict(cells, values, default=None, return_dtype=values.dtype)


def _maybe_spread(
    column: pl.Series, cells: pl.Series, values: pl.Series | None
) -> pl.Series | None:
    return None if values is None else _spread(column, cells, values)

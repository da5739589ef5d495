"""The step between the times of series, and the rows that are missing on its grid."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

_SECOND = 1_000_000
DAY = 86_400 * _SECOND
_UNITS = (("w", 7 * DAY), ("d", DAY), ("h", 3600 * _SECOND), ("min", 60 * _SECOND),
          ("s", _SECOND), ("ms", 1000), ("us", 1))  # fmt: skip
_SHORTEST_MONTH = 28 * DAY
_NEAR = 4  # days from a month's first or last that still are its beginning or end
_SPARSEST = 0.2  # of a grid's places must have a row, or the times are taken as irregular
_WEEKDAYS = 5
_FEWEST_OWN = 4  # rows, for a series to have a step of its own


@dataclass(frozen=True)
class Spacing:
    """The step between times that follow one another.

    Attributes:
        unit: microseconds, calendar months, business days or plain numbers; none if irregular.
        step: how many of them.
        ends: whether the times are the last days of months.
        yearly: whether the times are the numbers of years.
    """

    unit: Literal["us", "month", "business day", "number", "none"]
    step: float = 1
    ends: bool = False
    yearly: bool = False

    @property
    def name(self) -> str:
        """The frequency, such as "1d", "1mo", "business day" or "irregular"."""
        if self.unit == "none":
            return "irregular"
        if self.unit == "business day":
            return self.unit
        if self.unit == "number":
            return f"{self.step:g}y" if self.yearly else f"{self.step:g}"
        step = int(self.step)
        if self.unit == "month":
            many = next(((n, u) for n, u in ((12, "y"), (3, "q")) if step % n == 0), (1, "mo"))
            return f"{step // many[0]}{many[1]}" if step != 6 else "6mo"
        word, unit = next((w, u) for w, u in _UNITS if step % u == 0)
        return f"{step // unit}{word}"

    def places(self, times: pl.Series, firsts: pl.Series) -> NDArray[np.int64]:
        """Return the place of each time on the grid that begins at the first of its series."""
        if self.unit == "number":
            return np.rint((times - firsts).to_numpy() / self.step).astype(np.int64)
        if self.unit == "month":
            return ((_months(times) - _months(firsts)) // int(self.step)).to_numpy()
        if self.unit == "business day":
            days, first = _days(times), _days(firsts)
            return np.asarray(np.busday_count(first, days), np.int64)
        return np.asarray((times - firsts).dt.total_microseconds() // int(self.step), np.int64)

    def times(self, firsts: pl.Series, places: pl.Series) -> pl.Series:
        """Return the times at places of the grids that begin at `firsts`."""
        step = self.step if self.unit == "number" else int(self.step)
        if self.unit == "number":
            found = firsts + places * step
            return found.cast(firsts.dtype) if firsts.dtype.is_integer() else found
        frame = pl.DataFrame({"first": firsts, "k": places})
        first, k = pl.col("first"), pl.col("k")
        if self.unit == "month":
            moved = first.dt.offset_by(pl.format("{}mo", k * step))
            return frame.select(moved.dt.month_end() if self.ends else moved).to_series()
        if self.unit == "business day":
            return frame.select(first.dt.add_business_days(k, roll="forward")).to_series()
        return frame.select(first + pl.duration(microseconds=k * step)).to_series()


def find_spacing(frame: pl.DataFrame, yearly: bool = False) -> Spacing:
    """Return the step of the columns id and time, sorted by both; times are local or numbers.

    The step is the most frequent one; all others must be multiples of it. Months, quarters and
    years are of unequal length, and business days leave out the weekends: each is tried first
    where it may be. Times that would leave four fifths of their grid empty are irregular.
    """
    steps = frame.select(pl.col("time").diff().over("id")).to_series().drop_nulls()
    steps = steps.cast(pl.Float64 if steps.dtype.is_numeric() else pl.Int64)
    steps = steps.filter(steps > 0)
    if not len(steps):
        return Spacing("none")
    if frame["time"].dtype.is_temporal():
        spacing = _of_times(frame["time"], steps)
    else:
        spacing = _of_numbers(steps, yearly)
    return spacing if _is_full(frame, spacing) else Spacing("none")


def _of_numbers(steps: pl.Series, yearly: bool) -> Spacing:
    rounded = steps.round_sig_figs(9).alias("s")
    step = float(_most_frequent(rounded))
    near = (steps / step - (steps / step).round()).abs() < 1e-3
    return Spacing("number", step, yearly=yearly) if step > 0 and near.all() else Spacing("none")


def _of_times(times: pl.Series, steps: pl.Series) -> Spacing:
    step = int(_most_frequent(steps.alias("s")))
    same_clock = times.dt.time().n_unique() == 1
    smallest = int(steps.to_numpy().min())
    if same_clock and smallest >= _SHORTEST_MONTH and (spacing := _of_months(times)):
        return spacing
    if same_clock and step == DAY and _on_weekdays_alone(times, steps):
        return Spacing("business day")
    return Spacing("us", step) if bool((steps % step == 0).all()) else Spacing("none")


def _of_months(times: pl.Series) -> Spacing | None:
    """Return the step in months of times that stand at the same place in each."""
    day, last = times.dt.day(), times.dt.month_end().dt.day()
    most = int(day.to_numpy().max())
    ends = bool((day == last).all())
    same = bool(((day == most) | ((day == last) & (last < most))).all())
    at_ends = bool((last - day < _NEAR).all()) or bool((day <= _NEAR).all())
    if not (ends or same or at_ends):
        return None
    months = _months(times).unique().sort().diff().drop_nulls()
    step = int(np.gcd.reduce(months.to_numpy()))
    return Spacing("month", step, ends=ends and most > 28)


def _on_weekdays_alone(times: pl.Series, steps: pl.Series) -> bool:
    weekends = int((steps > DAY).sum())
    return bool((times.dt.weekday() <= _WEEKDAYS).all()) and weekends >= 2


def _is_full(frame: pl.DataFrame, spacing: Spacing) -> bool:
    return spacing.unit != "none" and grid_size(frame, spacing) * _SPARSEST <= frame.height


def grid_size(frame: pl.DataFrame, spacing: Spacing) -> int:
    """Return the places of the grids of all series, from the first to the last time of each."""
    ends = frame.group_by("id", maintain_order=True).agg(
        first=pl.col("time").first(), last=pl.col("time").last(), n=pl.len()
    )
    first = frame.select(pl.col("time").first().over("id")).to_series()
    steps = _own_steps(spacing.places(frame["time"], first), ends["n"].to_numpy())
    return int((spacing.places(ends["last"], ends["first"]) // steps + 1).sum())


def _own_steps(places: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the step of each series, in places: above 1 where it keeps to a longer one."""
    lengths = lengths.astype(np.int64)
    own = np.gcd.reduceat(places, np.cumsum(lengths) - lengths)
    return np.where((lengths >= _FEWEST_OWN) & (own > 0), own, 1)


def _most_frequent(values: pl.Series) -> float:
    counts = values.value_counts(name="n").sort("n", "s", descending=[True, False])
    return counts["s"][0]  # type: ignore[no-any-return]


def _months(times: pl.Series) -> pl.Series:
    return times.dt.year().cast(pl.Int64) * 12 + times.dt.month().cast(pl.Int64)


def _days(times: pl.Series) -> NDArray[np.datetime64]:
    return times.dt.date().to_numpy().astype("datetime64[D]")


def fill_gaps(frame: pl.DataFrame, spacing: Spacing) -> pl.DataFrame:
    """Return the rows of the grid of each series: id, time, and `at`, the row in the frame or null.

    The frame has the columns id and time, is sorted by both, and has no time twice.
    """
    first = frame.select(pl.col("time").first().over("id")).to_series()
    place = spacing.places(frame["time"], first)
    counts = frame["id"].rle().struct.field("len").to_numpy()
    steps = _own_steps(place, counts)
    column = pl.Series("place", place // np.repeat(steps, counts))
    rows = frame.select("id", "time").with_columns(column, at=pl.int_range(pl.len()))
    ends = rows.group_by("id", maintain_order=True).agg(
        first=pl.col("time").first(), most=pl.col("place").max(), n=pl.len()
    )
    ends = ends.with_columns(pl.Series("step", steps))
    if (ends["most"] + 1 == ends["n"]).all():
        return rows.drop("place")
    grid = ends.with_columns(place=pl.int_ranges(0, pl.col("most") + 1)).explode("place")
    grid = grid.select("id", "first", "step", "place")
    grid = grid.join(rows, on=["id", "place"], how="left", maintain_order="left")
    made = spacing.times(grid["first"], grid["place"] * grid["step"])
    return grid.select("id", time=pl.coalesce("time", made.alias("made")), at="at")


def parse_frequency(text: str) -> Spacing | None:
    """Return the spacing that a frequency such as 1h, 15min, 1d or 1mo names; None for no such."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    unit, count = text[len(digits) :].strip().lower(), int(digits or 1)
    months = {"mo": 1, "q": 3, "y": 12}
    if count < 1:
        return None
    if unit in months:
        return Spacing("month", count * months[unit])
    fixed = {**dict(_UNITS), "m": 60 * _SECOND}
    return Spacing("us", count * fixed[unit]) if unit in fixed else None

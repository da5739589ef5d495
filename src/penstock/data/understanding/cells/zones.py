"""Local times or UTC: whichever is regular."""

from dataclasses import dataclass

import polars as pl

from penstock.data.time.spacing import find_spacing, grid_size
from penstock.data.understanding.cells.dates import Reading
from penstock.data.understanding.remarks import Remarks

IRREGULAR = 2**62  # gaps of times without a grid


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


def with_offset(reading: Reading, ids: pl.Series, remarks: Remarks) -> Clock:
    """Return times with an offset from UTC: civil where the wall's clock is regular, else UTC."""
    assert reading.offset is not None
    offsets = reading.offset.drop_nulls().unique().sort()
    zone = "UTC" if offsets.to_list() == [0] else None
    if len(offsets) <= 1:
        whole = len(offsets) and not offsets[0] % 60
        return Clock(reading.local, zone or (_fixed(offsets[0] // 60) if whole else None))
    utc = reading.local - pl.Series(reading.offset * 60_000_000).cast(pl.Duration("us"))
    if gaps(ids, utc) < gaps(ids, reading.local):
        remarks.converted("times of several offsets read in UTC, where they are regular")
        return Clock(utc, "UTC")
    low, high = (f"{o // 60:+03d}:{o % 60:02d}" for o in (offsets[0], offsets[-1]))
    remarks.converted(f"local times kept; the clock changes between {low} and {high}")
    return Clock(reading.local)


def _fixed(hours: int) -> str:
    return f"Etc/GMT{-hours:+d}"  # in these names the sign is that of the way back to UTC


def zoned(times: pl.Series, ids: pl.Series, remarks: Remarks) -> Clock:
    """Return times with a zone: those on the wall where these are regular, else UTC."""
    zone = times.dtype.time_zone  # type: ignore[attr-defined]
    local = times.dt.replace_time_zone(None)
    if zone is None or zone == "UTC":
        return Clock(local, zone)
    utc = times.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if gaps(ids, utc) < gaps(ids, local):
        remarks.converted(f"times in {zone} read in UTC, where they are regular")
        return Clock(utc, "UTC")
    return Clock(local, zone)


def gaps(ids: pl.Series, times: pl.Series) -> int:
    """Return how many rows the grid of times leaves out; a very large number if there is none."""
    frame = pl.DataFrame([ids.alias("id"), times.alias("time")]).drop_nulls().sort("id", "time")
    if frame.is_duplicated().any():
        return IRREGULAR
    spacing = find_spacing(frame)
    return IRREGULAR if spacing.unit == "none" else grid_size(frame, spacing) - frame.height

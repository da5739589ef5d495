"""How time stamps go on after the last one."""

import numpy as np
import polars as pl

from penstock.data.time.spacing import Spacing, find_spacing


def continue_times(
    times: pl.Series, count: int, spacing: Spacing | None = None
) -> pl.Series | None:
    """Return the next `count` times of a regular series, or None where none can be told.

    Args:
        times: local times, dates or numbers, without gaps.
        count: how many.
        spacing: the step between them, if it is known; else it is told by the times.
    """
    local = times.cast(pl.Datetime("us")) if times.dtype == pl.Date else times
    if spacing is None:
        frame = pl.DataFrame(
            [pl.repeat("", len(times), eager=True).alias("id"), local.alias("time")]
        )
        spacing = find_spacing(frame)
    if spacing.unit == "none" or not len(times):
        return None
    places = spacing.places(local, local[:1].new_from_index(0, len(times)))
    step = int(places[-1] - places[-2]) if len(times) > 1 else 1
    if (np.diff(places) != step).any():
        return None
    first = local[:1].new_from_index(0, count)
    ahead = pl.Series(places[-1] + step * np.arange(1, count + 1))
    return spacing.times(first, ahead).cast(times.dtype).alias(times.name)


def in_zone(times: pl.Series, zone: str | None) -> pl.Series:
    """Return local times with their zone; dates alone where all are midnights without one.

    Of an hour that the clock strikes twice the first is taken; one that it leaves out is null.
    """
    if times.dtype != pl.Datetime("us"):
        return times
    if zone is not None:
        return times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    midnight = bool((times == times.dt.truncate("1d")).all())
    return times.cast(pl.Date) if midnight else times

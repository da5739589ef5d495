"""How time stamps go on after the last one."""

import polars as pl

_MONTH_STEPS = (1, 3, 6, 12)


def continue_times(times: pl.Series, count: int) -> pl.Series | None:
    """Return the next `count` times of a regular series, or None where none can be told.

    Regular are: numbers a constant step apart; dates and datetimes a constant duration apart, or
    1, 3, 6 or 12 calendar months apart, counted from the last one.
    """
    if len(times) < 2:
        return None
    steps = times.diff().drop_nulls()
    if steps.n_unique() == 1:
        return pl.Series(times.name, [times[-1] + steps[0] * k for k in range(1, count + 1)])
    if times.dtype.is_temporal() and times.dtype != pl.Time:
        return _continue_months(times, count)
    return None


def _continue_months(times: pl.Series, count: int) -> pl.Series | None:
    last = pl.Series(times.name, [times[-1]], dtype=times.dtype)
    for months in _MONTH_STEPS:
        if times[1:].equals(times[:-1].dt.offset_by(f"{months}mo")):
            return pl.concat([last.dt.offset_by(f"{months * k}mo") for k in range(1, count + 1)])
        ends = times.dt.month_end()
        if times.equals(ends) and ends[1:].equals(_ends(times[:-1], months)):
            return pl.concat([_ends(last, months * k) for k in range(1, count + 1)])
    return None


def _ends(times: pl.Series, months: int) -> pl.Series:
    return times.dt.offset_by(f"{months}mo").dt.month_end()

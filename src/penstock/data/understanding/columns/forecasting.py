"""The roles of columns in series to forecast: what is learned, and what stands beside it."""

from collections.abc import Mapping

import polars as pl

from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.columns.oddities import constant_within
from penstock.data.understanding.columns.parts import names_parts, note_parts
from penstock.data.understanding.columns.roles import Role, Told
from penstock.data.understanding.remarks import Remarks, listed
from penstock.errors import DataError

_CALENDAR = ("year", "month", "day", "weekday", "hour", "minute", "quarter", "ordinal_day", "week")


def forecast_roles(
    cells: Mapping[str, Cells],
    keys: pl.Series,
    times: pl.Series | None,
    told: Told,
    has_ids: bool,
    remarks: Remarks,
) -> dict[str, Role]:
    """Return the roles of the columns that are neither ids nor times.

    Targets: those told, or y; else, without ids, every column of numbers, and with ids the only
    one that changes within series. What does not change within them is static.

    Raises:
        DataError: no column of values is left, or with ids several are.
    """
    roles: dict[str, Role] = {n: r for n, r in told.roles().items() if n in cells}
    free = {n: c for n, c in cells.items() if n not in roles}
    if has_ids and keys.n_unique() > 1:
        static = [n for n, c in free.items() if n != "y" and c.sort in _SORTS and _still(c, keys)]
        roles |= dict.fromkeys(static, "static")
    free = {n: c for n, c in free.items() if n not in roles}
    if not told.target:
        roles |= dict.fromkeys(_targets(free, times, has_ids, remarks), "target")
    unused = [n for n in free if n not in roles]
    roles |= dict.fromkeys(unused, "left out")
    _say(free, unused, remarks)
    return {name: roles[name] for name in cells}


_SORTS = ("number", "boolean", "text")


def _still(cells: Cells, keys: pl.Series) -> bool:
    whole = not cells.values.null_count() and not names_parts(cells)
    return whole and constant_within(cells, keys)


def _targets(
    free: Mapping[str, Cells], times: pl.Series | None, has_ids: bool, remarks: Remarks
) -> list[str]:
    if "y" in free:
        return ["y"]
    numeric = [n for n, c in free.items() if c.sort == "number"]
    calendar = [n for n in numeric if times is not None and _follows(free[n], times)]
    if len(calendar) < len(numeric):
        numeric = [n for n in numeric if n not in calendar]
        if calendar:
            remarks.note(f"{listed(map(repr, calendar))} follow from the time and are left out")
    if not numeric:
        raise DataError(
            f"no column of values is left{_among(free)}; name the column to forecast with --target "
            "or, of sequences with labels, the column of labels"
        )
    if has_ids and len(numeric) > 1:
        raise DataError(
            f"several columns could be the values ({listed(numeric)}); choose with --target, as "
            f"--target {numeric[0]}, and name the others with --known or --past"
        )
    return numeric


def _among(free: Mapping[str, Cells]) -> str:
    return f" among {listed(map(repr, free))}" if free else " beside ids and times"


def _follows(cells: Cells, times: pl.Series) -> bool:
    """Whether a column is a part of the date, such as the month, which is no series of its own."""
    if not times.dtype.is_temporal() or cells.name.strip().lower().replace(" ", "_") not in _NAMES:
        return False
    parts = (getattr(times.dt, part)() for part in _CALENDAR)
    return any(
        bool(((cells.values - part.cast(pl.Float64)).drop_nulls() == shift).all())
        for part in parts for shift in (0, -1)
    )  # fmt: skip


_NAMES = (*_CALENDAR, "dow", "day_of_week", "dayofweek", "doy", "dayofyear", "day_of_year", "hr",
          "yr", "mnth", "mon", "qtr", "week_of_year")  # fmt: skip


def _say(free: Mapping[str, Cells], unused: list[str], remarks: Remarks) -> None:
    parts = [n for n in unused if names_parts(free[n])]
    for name in parts:
        note_parts(name, remarks)
    unused = [n for n in unused if n not in parts]
    texts = [n for n in unused if free[n].sort in ("text", "boolean")]
    other = [n for n in unused if n not in texts]
    if other:
        remarks.note(f"columns not used: {listed(other)}")
    if texts:
        name = min(texts)
        remarks.note(
            f"columns not used, as they hold no numbers: {listed(texts)}; --known {name} or "
            f"--past {name} takes one in, --target {name} makes it the label"
        )

"""Rows put in the order of their series and times, without copies, on a regular grid."""

import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.time.spacing import Spacing, fill_gaps, find_spacing, parse_frequency
from penstock.data.understanding.remarks import Remarks
from penstock.errors import ArgumentError, DataError


@dataclass(frozen=True)
class Order:
    """Where the rows of the source stand.

    Attributes:
        at: [N] the row of the source at each place; −1 where a row is put in.
        ids: [N] the series of each.
        times: [N], or None.
        spacing: of the times; None without times.
    """

    at: NDArray[np.int64]
    ids: pl.Series
    times: pl.Series | None
    spacing: Spacing | None = None

    @property
    def inserted(self) -> int:
        """How many rows were put in."""
        return int((self.at < 0).sum())


def in_order(ids: pl.Series, times: pl.Series | None, yearly: bool) -> Order:
    """Return the rows of each series together, in the order of time.

    Series stand in the order of their names where there are times, so that the order of the rows
    in the source does not matter; else in that of their first rows.
    """
    if times is None:
        first = pl.DataFrame({"id": ids}).with_row_index("row")
        key = first.select(pl.col("row").min().over("id")).to_series().to_numpy()
        at = np.argsort(key, kind="stable")
        return Order(at, ids.gather(at), None)
    frame = pl.DataFrame([ids.alias("id"), times.alias("time")])
    rows = frame.select(pl.arg_sort_by("id", "time", maintain_order=True)).to_series()
    frame, at = frame[rows], rows.cast(pl.Int64).to_numpy()
    return Order(at, frame["id"], frame["time"], find_spacing(frame, yearly))


def without_copies(order: Order, source: pl.DataFrame, remarks: Remarks) -> Order:
    """Return the order without rows that repeat another in every cell."""
    assert order.times is not None
    if not _repeated(order).any():
        return order
    copies = source.with_row_index(" row").unique(
        source.columns, keep="first", maintain_order=True
    )[" row"]  # fmt: skip
    kept = np.isin(order.at, copies.to_numpy())
    if kept.all():
        return order
    remarks.note(f"{int((~kept).sum()):,} rows repeat another in every cell and are left out")
    frame = pl.DataFrame([order.ids.alias("id"), order.times.alias("time")]).filter(pl.Series(kept))
    yearly = bool(order.spacing and order.spacing.yearly)
    return Order(order.at[kept], frame["id"], frame["time"], find_spacing(frame, yearly))


def _repeated(order: Order) -> pl.Series:
    """Return which rows have the series and the time of the row before."""
    assert order.times is not None
    same = (order.times == order.times.shift()) & (order.ids == order.ids.shift())
    return same.fill_null(False)


def check_once(order: Order, rows: NDArray[np.int64], name: str, has_ids: bool) -> None:
    """Raise where a series has a time twice; `rows` gives the row in the file, from 0.

    Raises:
        DataError: a time is repeated; the message names its row.
    """
    assert order.times is not None
    twice = _repeated(order).arg_true().to_numpy()
    if len(twice):
        place = twice[np.argmin(order.at[twice])]
        series = f" in series {order.ids[int(place)]!r}" if has_ids else ""
        hint = (
            "" if has_ids else ", or name the column of ids with --id if there are several series"
        )
        raise DataError(
            f"time column {name!r}, row {rows[order.at[place]] + 1}: {order.times[int(place)]} is "
            f"repeated{series}; keep one row for each time{hint}, or choose another column with "
            "--time-column"
        )


def on_grid(order: Order) -> Order:
    """Return the order with a place for each time that is left out of a regular step."""
    if order.times is None or order.spacing is None or order.spacing.unit == "none":
        return order
    frame = pl.DataFrame([order.ids.alias("id"), order.times.alias("time")])
    filled = fill_gaps(frame, order.spacing)
    place = filled["at"].fill_null(-1).to_numpy().astype(np.int64)
    at = np.where(place < 0, -1, order.at[np.maximum(place, 0)])
    return replace(order, at=at, ids=filled["id"], times=filled["time"])


def usual_step(ids: pl.Series, times: pl.Series) -> str:
    """Return the frequency that is nearest to the median step, as "1h"."""
    frame = pl.DataFrame([ids.alias("id"), times.alias("time")])
    steps = frame.select(pl.col("time").diff().over("id")).to_series().drop_nulls()
    median = float(steps.cast(pl.Int64).median() or 1)  # type: ignore[arg-type]
    names = ("1s", "10s", "1min", "5min", "15min", "1h", "6h", "1d", "1w")
    known = {name: one for name in names if (one := parse_frequency(name))}
    return min(known, key=lambda name: abs(math.log(known[name].step / max(median, 1))))


def wanted_spacing(text: str, times: pl.Series | None) -> Spacing:
    """Return the spacing that --frequency asks for.

    Raises:
        ArgumentError: it is no frequency, or there are no dates to bring to it.
    """
    spacing = parse_frequency(text)
    if spacing is None:
        raise ArgumentError(
            f"--frequency is {text!r}; give a step such as 15min, 1h, 1d, 1w or 1mo"
        )
    if times is None or not times.dtype.is_temporal():
        raise ArgumentError("--frequency takes a column of dates; name it with --time-column")
    return spacing


def resampled(order: Order, spacing: Spacing, columns: pl.DataFrame) -> tuple[Order, pl.DataFrame]:
    """Return one row for each step that has any: the mean of numbers, the last of all else."""
    assert order.times is not None
    step = f"{int(spacing.step)}{'mo' if spacing.unit == 'month' else 'us'}"
    frame = columns.with_columns(
        order.ids.alias(" id"), order.times.dt.truncate(step).alias(" time")
    )
    wanted = [
        pl.col(c).mean() if columns.schema[c].is_numeric() else pl.col(c).last()
        for c in columns.columns
    ]
    rows = frame.group_by(" id", " time", maintain_order=True).agg(wanted)
    at = np.arange(rows.height)
    return Order(at, rows[" id"], rows[" time"], spacing), rows.drop(" id", " time")

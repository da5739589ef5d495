"""The time since the row before, as a column of its own."""

from collections.abc import Iterable

import polars as pl

from penstock.data.understanding.remarks import Remarks
from penstock.data.understanding.rows.sorted_rows import Order
from penstock.errors import ArgumentError


def since_last_row(order: Order, taken: Iterable[str], remarks: Remarks) -> pl.Series:
    """Return [N] t − t₋, where t₋ is the time of the last row before that is in the data.

    It is in seconds, or in the unit of times that are numbers; 0 in the first row of a series. Rows
    that were put in are none of the data, so it grows over them.

    Args:
        order: the rows.
        taken: names that the column must not have.
        remarks: where to say what was done.

    Raises:
        ArgumentError: there are no times.
    """
    if order.times is None:
        raise ArgumentError("--elapsed takes a column of times; name it with --time-column")
    dated = order.times.dtype.is_temporal()
    real = pl.Series(order.at >= 0)
    frame = pl.DataFrame([order.ids.alias("id"), order.times.alias("time"), real.alias("real")])
    seen = pl.when("real").then("time").forward_fill()
    since = frame.select(pl.col("time") - seen.shift().over("id")).to_series()
    name = "elapsed" if "elapsed" not in taken else "elapsed_"
    values = since.dt.total_microseconds() / 1e6 if dated else since.cast(pl.Float64)
    unit = "seconds" if dated else "the unit of the times"
    remarks.converted(f"{name} is the time since the row before, in {unit}")
    if values.drop_nulls().n_unique() < 2:
        remarks.note(f"{name} is the same in every row, as the times are regular")
    return values.fill_null(0.0).alias(name)

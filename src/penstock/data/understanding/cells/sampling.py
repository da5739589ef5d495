"""Some cells of a column, whatever the order of its rows."""

import polars as pl

_MANY = 50_000  # rows, from which on finding the distinct cells of all takes longest of all
_SHARE = 64


def sampled(column: pl.Series, most: int) -> pl.Series:
    """Return up to `most` distinct cells of a long column of text, or all of a short one."""
    if len(column) <= most:
        return column
    if len(column) >= _MANY:
        some = column.filter(column.hash(0) % _SHARE == 0).unique().drop_nulls()
        if len(some) >= most:
            return some[some.hash(0).arg_sort()[:most]]
    cells = column.unique().drop_nulls()
    return cells if len(cells) <= most else cells[cells.hash(0).arg_sort()[:most]]

"""Some cells of a column, whatever the order of its rows."""

import polars as pl


def sampled(column: pl.Series, most: int) -> pl.Series:
    """Return up to `most` distinct cells of a long column of text, or all of a short one."""
    if len(column) <= most:
        return column
    cells = column.unique().drop_nulls()
    return cells if len(cells) <= most else cells[cells.hash(0).arg_sort()[:most]]

"""Tables whose columns are times → a row for each of them."""

import re
from collections.abc import Sequence

import polars as pl

from penstock.data.understanding.cells.dates import read_dates
from penstock.data.understanding.remarks import Remarks

_FEWEST_STEPS = 3
_FEWEST_YEARS = 5
_DATED = r"\d.*[-/. :Qq].*\d|[A-Za-z]{3}.?\d\d|\d{8}"
_LONG_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august",
                "september", "october", "november", "december")  # fmt: skip
_MONTHS = tuple(name[:3] for name in _LONG_MONTHS)


def melt_dates(frame: pl.DataFrame, remarks: Remarks) -> pl.DataFrame | None:
    """Return a table whose columns are dates with a row for each of them; None if it is no such.

    The new columns are time and value (with an underscore where these names are taken).
    """
    dated = _dated_names(frame.columns)
    rest = [name for name in frame.columns if name not in dated]
    if len(dated) < max(_FEWEST_STEPS, len(rest)):
        return None
    time, value = (name if name not in rest else f"{name}_" for name in ("time", "value"))
    order = pl.int_range(frame.height, eager=True)
    if not rest:
        frame, rest = (
            frame.with_columns(pl.repeat("all", frame.height, eager=True).alias("id")),
            ["id"],
        )
    long = frame.with_columns(order.alias(" row")).unpivot(
        dated, index=[" row", *rest], variable_name=time, value_name=value
    )
    remarks.converted(f"{len(dated)} columns of dates turned into rows: {time} and {value}")
    return long.sort(" row", maintain_order=True).drop(" row")


def melt_months(frame: pl.DataFrame, remarks: Remarks) -> pl.DataFrame | None:
    """Return a table of a column of years and twelve of months with a row a month; else None."""
    months = {str(name).strip().lower()[:3]: name for name in frame.columns}
    year = next((n for n in frame.columns if n.strip().lower() in ("year", "yr", "")), None)
    whole = {n.strip().lower() for n in frame.columns} <= {
        *_MONTHS,
        *_LONG_MONTHS,
        "year",
        "yr",
        "",
    }
    if year is None or not whole or not {*_MONTHS} <= {*months} or len(frame.columns) != 13:
        return None
    parts = [
        frame.select(
            (pl.col(year).cast(pl.String) + f"-{k:02d}").alias("time"),
            pl.col(months[m]).alias("value"),
        )
        for k, m in enumerate(_MONTHS, 1)
    ]
    remarks.converted("12 columns of months turned into rows: time and value")
    order = pl.concat([pl.int_range(frame.height, eager=True)] * 12)
    whole_frame = pl.concat(parts).with_columns(order.alias(" row"))
    return whole_frame.sort(" row", maintain_order=True).drop(" row")


def _dated_names(columns: Sequence[str]) -> list[str]:
    years = [name for name in columns if re.fullmatch(r"(1[89]|20)\d\d", name)]
    if len(years) >= _FEWEST_YEARS and _follow(years):
        return years
    names = pl.Series([name for name in columns if re.search(_DATED, name)], dtype=pl.String)
    readings = read_dates(names) if len(names) else []
    return names.filter(readings[0].local.is_not_null()).to_list() if readings else []


def _follow(years: Sequence[str]) -> bool:
    numbers = sorted(map(int, years))
    return numbers == [*range(numbers[0], numbers[0] + len(numbers))]

"""Numbers that are times: epochs, serial days of Excel, dates written as numbers, years."""

import polars as pl

from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.cells.units import YEARS
from penstock.data.understanding.cells.zones import Clock
from penstock.data.understanding.remarks import Remarks

_EPOCHS = (("s", 1_000_000), ("ms", 1000), ("us", 1), ("ns", 1e-3))
_EPOCH = (1e8, 4.2e9)  # seconds: 1973 to 2103
_LARGEST = 2**53  # beyond it, whole numbers have gaps
_SERIAL = (18_264, 73_051)  # days of Excel: 1950 to 2100


def times_of_numbers(cells: Cells, told: bool, remarks: Remarks) -> Clock:
    """Return numbers as times where they are epochs, serial days or dates written as numbers."""
    values = cells.numbers("--time-column").drop_nulls()
    low, high = (float(v) if v is not None else 0.0 for v in (values.min(), values.max()))  # type: ignore[arg-type]
    whole = bool((values == values.round()).all())
    for unit, micro in _EPOCHS:
        per_second = 1_000_000 / micro
        if _EPOCH[0] * per_second <= low and high <= _EPOCH[1] * per_second:
            remarks.converted(f"{cells.name!r} read as {unit} since 1970")
            return Clock(
                (cells.values * micro).round().cast(pl.Int64).cast(pl.Datetime("us")), "UTC"
            )
    dated = "date" in cells.name.lower() or "datum" in cells.name.lower()
    if dated and _SERIAL[0] <= low and high <= _SERIAL[1]:
        remarks.converted(f"{cells.name!r} read as Excel's serial days")
        days = ((cells.values - 25_569) * 86_400_000_000).round().cast(pl.Int64)
        return Clock(days.cast(pl.Datetime("us")))
    if whole and (compact := _compact(cells, low, high)) is not None:
        remarks.converted(f"{cells.name!r} read as dates written as numbers")
        return Clock(compact)
    lower = cells.name.lower()
    named = lower in (*YEARS, "date", "time", "ds") or (told and "year" in lower)
    yearly = named and whole and 1000 <= low <= high < 3000
    small = max(-low, high) < _LARGEST
    return Clock(cells.values.cast(pl.Int64) if whole and small else cells.values, yearly=yearly)


def _compact(cells: Cells, low: float, high: float) -> pl.Series | None:
    """Return numbers such as 20240131 or 202401 as dates; None where they are none."""
    for form, ends in (("%Y%m%d", (18_000_101, 21_001_231)), ("%Y%m", (180_001, 210_012))):
        if ends[0] <= low and high <= ends[1]:
            text = cells.values.cast(pl.Int64).cast(pl.String)
            days = (text if form == "%Y%m%d" else text + "01").str.to_date("%Y%m%d", strict=False)
            if days.null_count() == cells.values.null_count():
                return days.cast(pl.Datetime("us"))
    return None

"""What the cells of a column are: numbers, truth values, times, lists of numbers, or text."""

import math
from dataclasses import dataclass
from typing import Literal

import polars as pl

from penstock.data.understanding.cells.sampling import sampled
from penstock.errors import DataError

Sort = Literal["number", "boolean", "time", "list", "text", "other"]

MARKS = ("", "na", "n/a", "#n/a", "#na", "nan", "null", "none", "nil", "?", "-", "--", ".", "<na>",
         "nat", "(null)", "missing")  # fmt: skip
LARGEST = 1e70  # squares of squared errors must be finite, and those of the smallest not 0
_TRUE, _FALSE = ("true", "yes", "t", "y"), ("false", "no", "f", "n")
SAMPLE = 1000


@dataclass(frozen=True)
class Cells:
    """A column as it stands in the source, and what its cells are taken for.

    Attributes:
        raw: as it stands there.
        sort: what the cells are.
        values: float64 where they are numbers or truth values, null where missing; else raw.
        marks: the marks of missing values that were met.
        style: an example of how the numbers are written and read; "" where as 1234.5.
        wrong: the row of the first cell that is none of its sort, from 0; None without one.
    """

    raw: pl.Series
    sort: Sort
    values: pl.Series
    marks: tuple[str, ...] = ()
    style: str = ""
    wrong: int | None = None

    @property
    def name(self) -> str:
        """The column's name."""
        return self.raw.name

    def text(self) -> pl.Series:
        """Return the cells as text, byte for byte; null where empty."""
        if self.raw.dtype.is_float():
            whole = self.raw.drop_nulls().drop_nans()
            if bool((whole == whole.round()).all()) and bool((whole.abs() < 2**53).all()):
                return self.raw.fill_nan(None).cast(pl.Int64).cast(pl.String)  # 1.0 is the id 1
        text = self.raw if self.raw.dtype == pl.String else self.raw.cast(pl.String, strict=False)
        return text.set(text == "", None) if text.dtype == pl.String else text

    def numbers(self, option: str = "--target") -> pl.Series:
        """Return the cells as float64, null where missing.

        Raises:
            DataError: a cell is text, infinite or beyond ±1e70, or none is above 1e-70;
                the message names it.
        """
        if self.sort not in ("number", "boolean"):
            self._refuse(self._first_wrong(), "is not a number", option)
        if self.wrong is not None:
            self._refuse(self.wrong, "is not a number", option)
        _check_range(self, option)
        return self.values

    def _first_wrong(self) -> int:
        """Return the row of the first cell that is no number, from 0."""
        if self.raw.dtype != pl.String:
            return 0
        bare = self.raw.str.strip_chars()
        bad = bare.cast(pl.Float64, strict=False).is_null() & ~bare.str.to_lowercase().is_in(MARKS)
        rows = bad.fill_null(False).arg_true()
        return int(rows[0]) if len(rows) else 0

    def _refuse(self, row: int, what: str, option: str) -> None:
        raise DataError(
            f"column {self.name!r}, row {row + 1}: {shown(self.raw, row)} {what}; correct it, "
            f"leave the cell empty if the value is missing, or choose other columns with {option}"
        )


def shown(column: pl.Series, row: int) -> str:
    """Return a cell for a message."""
    cell = column[row]
    return "an empty cell" if cell is None else repr(str(cell)[:40])


def _check_range(cells: Cells, option: str) -> None:
    low, high = cells.values.min(), cells.values.max()
    if low is None or high is None:
        return
    if not (math.isfinite(low) and math.isfinite(high)):  # type: ignore[arg-type]
        row = cells.values.is_infinite().arg_true()[0]
        cells._refuse(row, "is not a finite number", option)
    if max(-low, high) > LARGEST:  # type: ignore
        cells._refuse(
            (cells.values.abs() > LARGEST).arg_true()[0], "is too large to compute with", option
        )
    if 0 < max(-low, high) < 1 / LARGEST:  # type: ignore
        cells._refuse((cells.values != 0).arg_true()[0], "is too small to compute with", option)


def sorted_cells(column: pl.Series) -> Cells:  # noqa: PLR0911  (a line a type)
    """Return a column by its type or, if it is text, as the plain numbers that it may hold."""
    kind = column.dtype
    if kind == pl.String:
        return _plain(column)
    if kind == pl.Boolean:
        return Cells(column, "boolean", column.cast(pl.Float64))
    if kind.is_numeric() or kind == pl.Null:
        return Cells(column, "number", column.cast(pl.Float64).fill_nan(None))
    if kind in (pl.Date, pl.Datetime):
        return Cells(column, "time", column)
    if kind == pl.Duration:
        return Cells(column, "number", column.dt.total_microseconds() / 1e6)
    if kind in (pl.Categorical, pl.Enum):
        return Cells(column.cast(pl.String), "text", column.cast(pl.String))
    if kind in (pl.List, pl.Array):
        return Cells(column, "list", column)
    if kind == pl.Time:
        return Cells(column.cast(pl.String), "text", column.cast(pl.String))
    return Cells(column, "other", column)


def _plain(column: pl.Series) -> Cells:
    """Return text as plain numbers where most cells are; the rest must be marks of missing ones."""
    head = sampled(column, SAMPLE).str.strip_chars()
    if len(head.drop_nulls()) and not mostly(head.cast(pl.Float64, strict=False), head):
        return _truth(column)
    values = column.cast(pl.Float64, strict=False)
    if values.null_count() > column.null_count():
        values = column.str.strip_chars().cast(pl.Float64, strict=False)
    return numbers_of(column, values)


def numbers_of(column: pl.Series, values: pl.Series) -> Cells:
    """Return text as the numbers `values`, unless half of its cells are none; then as text."""
    missing = values.is_nan().fill_null(False)
    odd = column.filter((values.is_null() & column.is_not_null()) | missing)
    marks: tuple[str, ...] = ()
    wrong: int | None = None
    if len(odd):
        values = values.fill_nan(None)
        bare = odd.str.strip_chars()
        met = bare.str.to_lowercase().is_in(MARKS)
        marks = tuple(sorted({*bare.filter(met).unique()} - {""}))
        if not met.all():
            rows = (values.is_null() & column.is_not_null()).arg_true()
            cells = column.gather(rows).str.strip_chars().str.to_lowercase()
            bad = rows.filter(~cells.is_in(MARKS))
            if 2 * len(bad) >= column.is_not_null().sum() - len(odd) + len(bad):
                return _truth(column)
            wrong = int(bad[0])
    return Cells(column, "number", values, marks, wrong=wrong)


def mostly(values: pl.Series, cells: pl.Series) -> bool:
    """Whether most cells that are no marks of missing values have a value."""
    real = cells.is_not_null() & ~cells.str.to_lowercase().is_in(MARKS).fill_null(True)
    count = int(real.sum())
    return count == 0 or 2 * int((values.is_not_null() & real).sum()) > count


def _truth(column: pl.Series) -> Cells:
    """Return text as truth values where all cells are such words, else as text."""
    bare = column.str.strip_chars().str.to_lowercase()
    words = {*sampled(bare, SAMPLE).unique().drop_nulls()} - {*MARKS}
    if words and words <= {*_TRUE, *_FALSE}:
        values = bare.replace_strict(
            {**dict.fromkeys(_TRUE, 1.0), **dict.fromkeys(_FALSE, 0.0)},
            default=None, return_dtype=pl.Float64,
        )  # fmt: skip
        rest = bare.filter(values.is_null() & bare.is_not_null())
        if rest.is_in(MARKS).all() and words & {"true", "false", "yes", "no"}:
            return Cells(column, "boolean", values, tuple(sorted({*rest.unique()} - {""})))
    return Cells(column, "text", column)

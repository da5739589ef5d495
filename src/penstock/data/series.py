"""What the readers make of a file: a `Dataset` of `Series`, frozen."""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True)
class Options:
    """What the user said about the columns; empty or None where it is left to the reader.

    Attributes:
        target: the columns to learn: values to forecast, or the column of labels.
        id: the column that names the sequence of a row.
        time: the column of times.
        known: columns that are known ahead of time, such as holidays or prices.
        past: columns that are known up to the present alone, such as the weather.
        static: columns that are the same all through a series, such as a region.
        split: the column that says to which part (train, validation, test) a row belongs.
        group: the column of what must not be in two parts, such as a speaker.
        task: what to learn.
        horizon: steps to forecast.
        frequency: the step to which rows are brought, such as 1h.
        date_format: how dates are written, as for strptime.
    """

    target: tuple[str, ...] = ()
    id: str | None = None
    time: str | None = None
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    split: str | None = None
    group: str | None = None
    task: str | None = None
    horizon: int | None = None
    frequency: str | None = None
    date_format: str | None = None

    @staticmethod
    def of_record(columns: dict[str, Any]) -> "Options":
        """Return the options by which the columns of a record are read from another file."""
        several = (tuple(columns.get(name, ())) for name in ("targets", "known", "past"))
        target, known, past = several
        return Options(target, columns["id"], columns["time"], known, past)


@dataclass(frozen=True)
class Columns:
    """The columns in use.

    Attributes:
        id: None for wide data.
        time: None where the rows of each series are counted.
        targets: the values.
        known, past: known ahead of time, and known up to the present alone.
    """

    id: str | None
    time: str | None
    targets: tuple[str, ...]
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()


@dataclass(frozen=True)
class Series:
    """One series: equally spaced values in the order of time.

    Attributes:
        id: its name, unique in the dataset.
        times: [n] time stamps or integers, strictly increasing.
        values: [n] float64, finite; a missing value repeats the one before it.
        observed: [n] bool, False where the value was missing. First and last are True.
        known: [n + f, K] columns known ahead, of n steps and of f that follow; NaN before the
            first value of a column.
        past: [n, P] columns known up to the present alone.
    """

    id: str
    times: pl.Series
    values: NDArray[np.float64]
    observed: NDArray[np.bool_]
    known: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    past: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Dataset:
    """The series of one file or frame.

    Attributes:
        name: the file's name, or what kind of frame it was.
        series: in the order of their first rows (long) or of their columns (wide).
        columns: the columns read.
        missing: how many interior values were missing.
        notes: what the reader decided that the user should know, a sentence each.
    """

    name: str
    series: tuple[Series, ...]
    columns: Columns
    missing: int = 0
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """The number of values in all series."""
        return sum(map(len, self.series))

    def fingerprint(self) -> str:
        """Return a hash of the series: ids, values, which were observed, and columns beside."""
        digest = hashlib.sha256()
        for one in self.series:
            digest.update(f"{one.id}\0{len(one)}\0".encode())
            for array in (one.values, one.observed, one.known, one.past):
                digest.update(array.tobytes())
        return digest.hexdigest()

    def about(self) -> dict[str, Any]:
        """Return what the record of a comparison says of the data."""
        return {
            "name": self.name,
            "rows": self.rows,
            "series": len(self.series),
            "missing": self.missing,
            "columns": {name: _plain(value) for name, value in asdict(self.columns).items()},
            "sha256": self.fingerprint(),
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

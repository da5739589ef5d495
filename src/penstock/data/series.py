"""What the readers make of a file: a `Dataset` of `Series`, frozen."""

import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True)
class Columns:
    """The columns in use: of ids (None for wide data), of times (None: row numbers), of values."""

    id: str | None
    time: str | None
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """One series: equally spaced values in the order of time.

    Attributes:
        id: its name, unique in the dataset.
        times: [n] time stamps or integers, strictly increasing.
        values: [n] float64, finite; a missing value repeats the one before it.
        observed: [n] bool, False where the value was missing. First and last are True.
    """

    id: str
    times: pl.Series
    values: NDArray[np.float64]
    observed: NDArray[np.bool_]

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
        """Return a hash of the series: ids, values, and which of them were observed."""
        digest = hashlib.sha256()
        for one in self.series:
            digest.update(f"{one.id}\0{len(one)}\0".encode())
            digest.update(one.values.tobytes() + one.observed.tobytes())
        return digest.hexdigest()

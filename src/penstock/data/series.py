"""What the readers make of a file: a `Dataset` of `Series`, frozen."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.time.spacing import Spacing

Names = str | tuple[str, ...] | None


def one_or_more(names: tuple[str, ...]) -> Names:
    """Return a name, several of them, or None where there is none."""
    return names if len(names) > 1 else names[0] if names else None


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
        test_windows: "rolling", one a step, or "last", the last one of each series.
        elapsed: whether the time since the row before is a column too.
        numbers, symbols: the inputs of labelled sequences, where a model has learned from them.
        categories: the values of columns of text beside series, where a model has.
        learned: whether a model has learned from such data; the labels may then be left out.
    """

    target: tuple[str, ...] = ()
    id: Names = None
    time: Names = None
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    split: str | None = None
    group: str | None = None
    task: str | None = None
    horizon: int | None = None
    frequency: str | None = None
    date_format: str | None = None
    test_windows: str | None = None
    elapsed: bool = False
    numbers: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    learned: bool = False

    @staticmethod
    def of_record(columns: dict[str, Any]) -> "Options":
        """Return the options by which the columns of a record are read from another file."""
        names = ("targets", "known", "past", "static")
        target, known, past, static = (tuple(columns.get(name, ())) for name in names)
        elapsed = columns.get("elapsed")
        return Options(
            target,
            _names(columns["id"]),
            _names(columns["time"]),
            tuple(name for name in known if name != elapsed),
            past,
            static,
            task="forecast",
            frequency=columns.get("frequency"),
            date_format=columns.get("date_format"),
            elapsed=elapsed is not None,
            categories={n: tuple(v) for n, v in columns.get("categories", {}).items()},
        )


def _names(told: Any) -> Names:
    return tuple(told) if isinstance(told, list) else told


@dataclass(frozen=True)
class Columns:
    """The columns in use.

    Attributes:
        id: None for wide data.
        time: None where the rows of each series are counted.
        targets: the values.
        known, past: known ahead of time, and known up to the present alone.
        static: the same all through a series.
        categories: the values of columns of text; each becomes a column of zeros and ones.
        frequency, date_format: as the user told them.
        elapsed: which of the known columns is made: the time since the row before.
    """

    id: Names
    time: Names
    targets: tuple[str, ...]
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    frequency: str | None = None
    date_format: str | None = None
    elapsed: str | None = None

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns that are known up to the present, those that never change among them."""
        return (*self.past, *self.static)

    def spread(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the names of the columns of numbers that columns become."""
        return tuple(
            column
            for name in names
            for column in ([f"{name}={c}" for c in self.categories[name]]
                           if name in self.categories else [name])
        )  # fmt: skip


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
        ends: the rows in which training and validation end, where the user gave the parts; they
            are the same where no validation was given.
        later: [f] the times of the rows that follow, which hold no value.
    """

    id: str
    times: pl.Series
    values: NDArray[np.float64]
    observed: NDArray[np.bool_]
    known: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    past: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    ends: tuple[int, int] | None = None
    later: pl.Series | None = None

    def __len__(self) -> int:
        return len(self.values)

    def until(self, row: int) -> "Series":
        """Return what came before a row, with the columns known ahead of it; views, not copies."""
        return replace(
            self,
            times=self.times[:row],
            values=self.values[:row],
            observed=self.observed[:row],
            past=self.past[:row],
        )

    def place(self, row: int, column: int = 0) -> str:  # noqa: ARG002
        """Return where a value stands, and the value, for a sentence."""
        return f"series {self.id!r}, {self.times[row]}: {self.values[row]:g}"


@dataclass(frozen=True)
class Dataset:
    """The series of one file or frame.

    Attributes:
        name: the file's name, or what kind of frame it was.
        series: in the order of their first rows (long) or of their columns (wide).
        columns: the columns read.
        missing: how many interior values were missing, or their rows.
        notes: what the reader decided that the user should know, a sentence each.
        spacing: the step between times; None where there are none.
        zone: that the times are told in; None where none is.
        understood: what was understood of the source, as values fit for JSON.
        last: whether the last window of each series alone is tested.
    """

    name: str
    series: tuple[Series, ...]
    columns: Columns
    missing: int = 0
    notes: tuple[str, ...] = ()
    spacing: Spacing | None = None
    zone: str | None = None
    understood: Mapping[str, Any] = field(default_factory=dict)
    last: bool = False

    @property
    def rows(self) -> int:
        """The number of values in all series."""
        return sum(map(len, self.series))

    def fingerprint(self) -> str:
        """Return a hash of the series: ids, values, which were observed, and columns beside."""
        digest = hashlib.sha256(b"last" if self.last else b"")
        for one in self.series:
            ends = f"{one.ends}\0" if one.ends else ""
            digest.update(f"{one.id}\0{len(one)}\0{ends}".encode())
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
            "understood": dict(self.understood),
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

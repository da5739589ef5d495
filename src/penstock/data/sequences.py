"""Sequences of unequal lengths, one after the other, with labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.columns import numbers, times
from penstock.data.layout import Layout
from penstock.data.readers import check_ids, check_order
from penstock.errors import DataError, nearest


@dataclass(frozen=True)
class Sequences:
    """The sequences of one file or frame.

    Attributes:
        name: the file's name, or what kind of frame it was.
        ids: [S] their names, in the order of their first rows.
        offsets: [S + 1] where each starts; N = offsets[S] steps in all.
        numbers: [N, F] float32; a missing value repeats the one before it, or is NaN without one.
        symbols: [N, C] text; "" where missing.
        labels: [S] or [N], as the layout says; null where missing. Empty where not wanted.
        layout: the columns read.
        missing: how many inputs were missing.
        notes: what the reader decided that the user should know, a sentence each.
    """

    name: str
    ids: tuple[str, ...]
    offsets: NDArray[np.int64]
    numbers: NDArray[np.float32]
    symbols: pl.DataFrame
    labels: pl.Series
    layout: Layout
    missing: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[S] the steps of each."""
        return np.diff(self.offsets)

    def fingerprint(self) -> str:
        """Return a hash of all that is learned from."""
        digest = hashlib.sha256("\0".join(self.ids).encode())
        digest.update(self.offsets.tobytes() + self.numbers.tobytes())
        for column in (*self.symbols, self.labels):
            digest.update("\0".join(column.cast(pl.String).fill_null("")).encode())
        return digest.hexdigest()

    def about(self) -> dict[str, Any]:
        """Return what the record of a comparison says of the data."""
        return {
            "name": self.name,
            "rows": int(self.offsets[-1]),
            "series": len(self),
            "missing": self.missing,
            "columns": asdict(self.layout),
            "sha256": self.fingerprint(),
        }


def read_sequences(name: str, frame: pl.DataFrame, layout: Layout) -> Sequences:
    """Return the sequences of a table.

    Empty cells of inputs are missing values, filled with the value before them; trailing empty
    cells of a sequence in a row end it. Rows without labels are kept, for the task to leave out.

    Raises:
        DataError: a column is missing, or a cell cannot be used; the message says where and why.
    """
    wanted = (layout.id, layout.time, layout.label, *layout.numbers, *layout.symbols)
    for column in wanted:
        if column is not None and column not in frame.columns:
            raise DataError(f"there is no column {column!r}: {nearest(column, frame.columns)}")
    data = _rows(name, frame, layout) if layout.form == "row" else _long(name, frame, layout)
    unused = [c for c in frame.columns if c not in wanted]
    notes = {
        f"columns not used: {', '.join(unused[:8])}": unused and layout.label,
        f"{data.missing} missing inputs carried forward": data.missing,
    }
    return replace(data, notes=tuple(note for note, applies in notes.items() if applies))


def _rows(name: str, frame: pl.DataFrame, layout: Layout) -> Sequences:
    """Return a sequence of each row."""
    values = np.stack([numbers(frame[c]).to_numpy() for c in layout.numbers], axis=1)
    seen = ~np.isnan(values)
    steps = np.arange(values.shape[1])
    lengths = np.where(seen, steps + 1, 0).max(axis=1)
    if not lengths.all():
        row = int(np.flatnonzero(lengths == 0)[0])
        raise DataError(f"row {row + 1} has no value in any of its steps; delete the row")
    last = np.maximum.accumulate(np.where(seen, steps, 0), axis=1)
    inside = steps < lengths[:, None]
    filled = np.take_along_axis(values, last, axis=1)[inside]
    ids = _names(frame, layout)
    return Sequences(
        name,
        tuple(ids),
        np.concatenate([[0], np.cumsum(lengths)]),
        filled[:, None].astype(np.float32),
        pl.DataFrame(),
        _labels(frame, layout),
        layout,
        int((inside & ~seen).sum()),
    )


def _names(frame: pl.DataFrame, layout: Layout) -> Sequence[str]:
    if layout.id is None:
        return [f"row {row}" for row in range(1, frame.height + 1)]
    return check_ids(frame[layout.id]).to_list()


def _long(name: str, frame: pl.DataFrame, layout: Layout) -> Sequences:
    """Return a sequence of each id, or one of all rows."""
    height = frame.height
    ids = check_ids(frame[layout.id]) if layout.id else pl.repeat("all", height, eager=True)
    row = pl.Series("row", np.arange(1, height + 1))
    if layout.time:
        time = times(frame[layout.time]).alias("time")
        check_order(pl.DataFrame([row, ids.alias("id"), time]), layout.time, layout.id)
    table = pl.DataFrame([row, ids.alias("id")])
    first = table.select(pl.col("row").min().over("id")).to_series().to_numpy()
    order = np.argsort(first, kind="stable")  # each id's rows together, in the order of the file
    starts = np.flatnonzero(np.diff(first[order], prepend=-1))
    columns = [numbers(frame[c])[order].alias(c) for c in layout.numbers]
    keys = ids[order].alias(" id")
    filled = pl.DataFrame([keys, *columns]).select(
        pl.col(c).fill_null(strategy="forward").over(" id") for c in layout.numbers
    )
    symbols = frame.select(pl.col(c).cast(pl.String).fill_null("") for c in layout.symbols)
    labels = _labels(frame, layout)[order] if layout.label else pl.Series([], dtype=pl.String)
    if layout.per == "sequence" and layout.label:
        labels = _one_each(labels, starts, keys, layout.label)
    return Sequences(
        name,
        tuple(keys[starts].to_list()),
        np.append(starts, height),
        filled.to_numpy().astype(np.float32) if columns else np.empty((height, 0), np.float32),
        symbols[order] if layout.symbols else symbols,
        labels,
        layout,
        sum(c.null_count() for c in columns) + sum(int((c == "").sum()) for c in symbols),
    )


def _labels(frame: pl.DataFrame, layout: Layout) -> pl.Series:
    """Return the labels as text if they are classes, as numbers if not; null where empty."""
    if layout.label is None:
        return pl.Series([], dtype=pl.String)
    column = frame[layout.label]
    if not layout.classes:
        return numbers(column)
    if column.dtype.is_float():  # 1.0 is the class 1
        numbers(column)
        column = column.cast(pl.Int64) if (column == column.round()).all() else column
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def _one_each(
    labels: pl.Series, starts: NDArray[np.int64], keys: pl.Series, label: str
) -> pl.Series:
    """Return one label a sequence [S].

    Raises:
        DataError: a sequence has two.
    """
    table = pl.DataFrame({"id": keys, "label": labels}).drop_nulls().unique(maintain_order=True)
    twice = table.filter(pl.col("id").is_duplicated())
    if twice.height:
        one, other = twice.filter(pl.col("id") == twice["id"][0])["label"][:2]
        raise DataError(
            f"label column {label!r}: id {twice['id'][0]!r} has the labels {one!r} and {other!r}; "
            "give each id one label, or label every step with --task tag"
        )
    wanted = pl.DataFrame({"id": keys[starts]})
    return wanted.join(table, on="id", how="left", maintain_order="left")["label"]

"""Sequences of unequal lengths, one after the other, with labels."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.files import Source
from penstock.data.series import Names, Options, one_or_more
from penstock.data.splits import drawn
from penstock.data.understanding.layouts.spread import Form
from penstock.data.understanding.suits import LABELLED
from penstock.data.understanding.understand import understand
from penstock.data.understanding.understanding import Table, Understanding
from penstock.errors import ArgumentError


@dataclass(frozen=True)
class Layout:
    """Which columns of a source hold what.

    Attributes:
        form: "long" has a column of ids and a row a step; "row" has a sequence a row, in columns
            or in a cell; "one" is a single sequence with a row a step.
        label: the column of labels.
        id, time: columns, or None.
        numbers, symbols: the columns of inputs.
        made: those of them that hold the steps of a row.
        steps: the columns of the source in which these stood.
        per: whether a label belongs to a sequence or to a step.
        classes: whether the labels are classes, and not numbers.
        elapsed: the column of numbers that is made: the time since the row before.
    """

    form: Form
    label: str
    id: Names
    time: Names
    numbers: tuple[str, ...]
    symbols: tuple[str, ...]
    made: tuple[str, ...]
    steps: tuple[str, ...]
    per: Literal["sequence", "step"]
    classes: bool
    elapsed: str | None = None

    def options(self) -> Options:
        """Return the options by which other data, with or without labels, are read likewise."""
        task = "tag" if self.per == "step" else "classify" if self.classes else "regress"
        made = (*self.made, self.elapsed)
        named = [[n for n in names if n not in made] for names in (self.numbers, self.symbols)]
        numbers, symbols = map(tuple, named)
        return Options(
            (self.label,), None if self.form == "row" else self.id, self.time,
            task=task, elapsed=self.elapsed is not None, numbers=numbers, symbols=symbols,
            learned=True,
        )  # fmt: skip

    @staticmethod
    def of_record(record: dict[str, Any]) -> "Layout":
        """Return the layout that was written as JSON."""
        lists = {n: tuple(v) if isinstance(v, list) else v for n, v in record.items()}
        return Layout(**lists)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Sequences:
    """The sequences of one file or frame.

    Attributes:
        name: the file's name, or what kind of frame it was.
        ids: [S] their names, in the order of their first rows.
        offsets: [S + 1] where each starts; N = offsets[S] steps in all.
        numbers: [N, F] float64; a missing value repeats the one before it, or is NaN without one.
        symbols: [N, C] text; "" where missing.
        labels: [S] or [N], as the layout says; null where missing. Empty where not wanted.
        layout: the columns read.
        missing: how many inputs were missing.
        notes: what the reader decided that the user should know, a sentence each.
        understood: what was understood of the source, as values fit for JSON.
        parts: [N] train, validation or test, where the user gave the parts.
        like_groups: columns that look like groups, and were not named as such.
        groups: [S] text, where the user named a column of groups; null where a cell is empty.
        rows: [N] the row of the source that each step stands in, from 1.
        draw: which of the splits by chance is meant; 0 is the one that is searched and judged.
    """

    name: str
    ids: tuple[str, ...]
    offsets: NDArray[np.int64]
    numbers: NDArray[np.float64]
    symbols: pl.DataFrame
    labels: pl.Series
    layout: Layout
    missing: int
    notes: tuple[str, ...] = ()
    understood: Mapping[str, Any] = field(default_factory=dict)
    parts: pl.Series | None = None
    groups: pl.Series | None = None
    like_groups: tuple[str, ...] = ()
    rows: pl.Series | None = None
    draw: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[S] the steps of each."""
        return np.diff(self.offsets)

    def place(self, row: int, column: int) -> str:
        """Return where a number stands, and the number, for a sentence."""
        owner = int(np.searchsorted(self.offsets, row, side="right")) - 1
        step = f"sequence {self.ids[owner]!r}, step {row - self.offsets[owner] + 1}"
        where = step if self.rows is None else f"row {self.rows[row]} ({step})"
        value = f"{self.numbers[row, column]:g}"
        return f"{self.name}: column {self.layout.numbers[column]!r}, {where}: {value}"

    def group_numbers(self) -> NDArray[np.int64] | None:
        """[S] the number of the group of each; one without a group is a group of its own."""
        if self.groups is None:
            return None
        numbers = self.groups.rank("dense").cast(pl.Int64).to_numpy().astype(np.float64)
        alone = np.arange(len(self)) + len(self) + 1
        return np.where(np.isnan(numbers), alone, np.nan_to_num(numbers)).astype(np.int64)

    def fingerprint(self) -> str:
        """Return a hash of all that is learned from."""
        digest = hashlib.sha256("\0".join(self.ids).encode() + drawn(self.draw))
        digest.update(self.offsets.tobytes() + self.numbers.tobytes())
        given = (column for column in (self.parts, self.groups) if column is not None)
        for column in (*self.symbols, self.labels, *given):
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
            "understood": dict(self.understood),
        }


def read_sequences(
    source: Source, options: Options, understood: Understanding | None = None
) -> Sequences:
    """Return the sequences of a source, as `penstock.describe` understands it.

    Missing inputs are filled with the value before them. Rows without labels are kept, for the
    task to leave out.

    Raises:
        DataError: a column is missing, or a cell cannot be used; the message says where and why.
        ArgumentError: which column holds the labels is not clear.
    """
    understood = understood or understand(source, options)
    if understood.task not in LABELLED:
        raise ArgumentError(f"{understood.name} holds no labels; name their column with --target")
    assert understood.table is not None
    layout = _layout(understood, understood.table)
    table = understood.table
    starts = table.starts()
    rows = table.columns
    filled = rows.select(
        pl.col(n).fill_null(strategy="forward").over(table.ids) for n in layout.numbers
    )
    symbols = rows.select(pl.col(n).fill_null("") for n in layout.symbols)
    missing = sum(rows[n].null_count() for n in (*layout.numbers, *layout.symbols))
    lost = (f"{missing} missing inputs carried forward",) if missing else ()
    return Sequences(
        understood.name,
        tuple(table.ids[starts[:-1]]),
        starts,
        filled.to_numpy().astype(np.float64) if layout.numbers else np.empty((len(table.ids), 0)),
        symbols,
        _labels(table, layout, starts),
        layout,
        missing,
        (*lost, *understood.notes),
        understood.record(),
        _column(table, next(iter(understood.with_role("split")), None)),
        _of_sequences(_column(table, _group(understood, options)), table, starts),
        understood.like_groups,
        table.rows,
    )


def _column(table: Table, name: str | None) -> pl.Series | None:
    return table.columns[name] if name else None


def _group(understood: Understanding, options: Options) -> str | None:
    """Return the column of groups, which may be one of the ids, if the user named one."""
    return next(iter(understood.with_role("group")), None) or options.group


def _layout(understood: Understanding, table: Table) -> Layout:
    label = understood.with_role("label")[0]
    used = [
        n for n in understood.roles if understood.roles[n] in ("input", "known", "past", "static")
    ]
    inputs = [*(n for n in used if n in table.columns.columns and n not in table.made), *table.made]
    schema = table.columns.schema
    return Layout(
        table.form,
        label,
        one_or_more(understood.with_role("id")),
        one_or_more(understood.with_role("time")),
        tuple(n for n in inputs if schema[n].is_numeric()),
        tuple(n for n in inputs if not schema[n].is_numeric()),
        table.made,
        table.steps,
        "step" if understood.task == "tag" else "sequence",
        understood.task != "regress",
        table.elapsed,
    )


def _labels(table: Table, layout: Layout, starts: NDArray[np.int64]) -> pl.Series:
    """Return the labels [S] or [N]; of a sequence its first one that is there."""
    labels = table.columns[layout.label]
    if layout.per == "step":
        return labels
    whole = _of_sequences(labels, table, starts)
    assert whole is not None
    return whole


def _of_sequences(
    values: pl.Series | None, table: Table, starts: NDArray[np.int64]
) -> pl.Series | None:
    """Return the first value of each sequence [S] that is there."""
    if values is None:
        return None
    first = pl.DataFrame([table.ids.alias("id"), values.alias("value")]).select(
        pl.col("value").fill_null(strategy="backward").over("id")
    )
    return first.to_series().gather(starts[:-1])

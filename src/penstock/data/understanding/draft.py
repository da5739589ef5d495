"""What is known of a table on the way: its layout, ids and times, and what its labels ask for."""

from dataclasses import dataclass

import polars as pl

from penstock.data.series import Options
from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.cells.clock import read_times
from penstock.data.understanding.cells.zones import Clock
from penstock.data.understanding.columns.ids import find_blocks, find_id, infer_ids, infer_panel
from penstock.data.understanding.columns.labels import Question, labelled_question
from penstock.data.understanding.columns.oddities import constant_within
from penstock.data.understanding.columns.roles import Told, find_label, find_times
from penstock.data.understanding.layouts.spread import (
    Form,
    Long,
    find_sequences,
    holds,
    numbered,
    spread_cells,
    spread_steps,
)
from penstock.data.understanding.names import IDS, first_named
from penstock.data.understanding.remarks import Remarks
from penstock.data.understanding.suits import LABELLED
from penstock.errors import ArgumentError, DataError

_FEWEST_ROWS = 8  # steps, for series that stand in a row each without a label


@dataclass(frozen=True)
class Draft:
    """What is known of a table on the way."""

    name: str
    told: Told
    options: Options
    remarks: Remarks
    out_cells: dict[str, Cells]
    long: Long
    ids: tuple[str, ...]
    keys: pl.Series
    times: tuple[str, ...]
    clock: Clock | None
    question: Question | None
    form: Form

    @property
    def cells(self) -> dict[str, Cells]:
        """The columns, with a row a step."""
        return self.long.cells

    @property
    def left_out(self) -> tuple[str, ...]:
        """The columns that only count the rows."""
        return tuple(self.out_cells)

    def beside(self) -> dict[str, Cells]:
        """Return the columns that are neither ids nor times."""
        return {n: c for n, c in self.cells.items() if n not in (*self.ids, *self.times)}


def make_draft(
    name: str,
    cells: dict[str, Cells],
    told: Told,
    options: Options,
    remarks: Remarks,
    out: dict[str, Cells],
) -> Draft:
    """Return layout, ids, times and question, in the order in which one depends on the other."""
    label = find_label(cells, told) if options.task not in ("forecast", "frames") else None
    ids = find_id(cells, told, label)
    long = _laid_out(Long.of(cells), label, ids, told, remarks)
    if long.owners is not None:
        ids = ids or _names_of_rows(long, told, label)
    keys = _keys(long, ids)
    label = label or _still_target(long, keys, told, options)
    times = find_times(long.cells, told, [label, *ids, *long.made], keys)
    if label and long.owners is None and not (times or ids):
        ids = find_blocks(long.cells, label, told, remarks)
        keys = _keys(long, ids)
        times = find_times(long.cells, told, [label, *ids], keys)
    if (
        not (times or ids)
        and long.owners is None
        and not (label and labelled_question(long.cells[label], keys, "long", options.task))
    ):
        times, ids = infer_panel(long.cells, told, remarks)
        keys = _keys(long, ids)
    parts = (name, told, options, remarks, out, long)
    clock = _clock(times, long, keys, told, options, remarks)
    if long.owners is None and not ids and clock and clock.times.is_duplicated().any():
        taken = [*times, *told.roles(), *([label] if label else [])]
        ids = infer_ids(long.cells, clock.times, taken, remarks)
        keys = _keys(long, ids)
        if ids:
            clock = _clock(times, long, keys, told, options, Remarks())
    form: Form = "row" if long.owners is not None else "long" if ids else "one"
    question = label and labelled_question(long.cells[label], keys, form, options.task)
    if options.task in LABELLED and not question:
        raise ArgumentError(
            "the column of labels is not clear; name one with --target "
            f"(columns: {', '.join(list(cells)[:8])})"
        )
    return Draft(*parts, ids, keys, times, clock, question or None, form)


def _still_target(long: Long, keys: pl.Series, told: Told, options: Options) -> str | None:
    """Return y where it does not change within sequences: that is a label, and no series."""
    y = long.cells.get("y")
    asked = told.target or "y" in told.roles() or options.task not in (None, "regress", "classify")
    if y is None or asked or not 1 < keys.n_unique() < len(keys) or y.values.n_unique() < 2:
        return None
    return "y" if y.sort == "number" and constant_within(y, keys) else None


def _laid_out(
    long: Long, label: str | None, ids: tuple[str, ...], told: Told, remarks: Remarks
) -> Long:
    """Return a row a step, where a sequence stands in a row or in a cell."""
    if ids and _combined(long, ids).n_unique() < len(long.rows):
        return long
    taken = {label, *ids, *told.roles()}
    free = [n for n in long.cells if n not in taken]
    lists = [n for n in free if long.cells[n].sort == "list"]
    if lists and len(long.rows) > 0:
        return spread_cells(long, tuple(lists), remarks)
    numeric = [n for n in free if long.cells[n].sort == "number"]
    channels = numbered(numeric) if 2 * len(numeric) >= len(free) else {}
    channels = channels or numbered([n for n in free if holds(long.cells[n]) != "numbers"])
    steps = {name for names in channels.values() for name in names}
    dated = any(c.sort == "time" for n, c in long.cells.items() if n not in steps)
    if label is not None:
        if steps and not dated:
            return spread_steps(long, channels, "--target", remarks)
        found = find_sequences(long.cells, [*taken])
        return spread_cells(long, found, remarks) if found and not dated else long
    rest = [n for n in free if n not in steps]
    names = [n for n in rest if long.cells[n].sort == "text"]
    alone = len(steps) >= _FEWEST_ROWS * max(len(channels), 1) and len(rest) <= 2 and not dated
    if alone and names and long.cells[names[0]].text().n_unique() == len(long.rows):
        return spread_steps(long, channels, "--target", remarks)
    return long


def _names_of_rows(long: Long, told: Told, label: str | None) -> tuple[str, ...]:
    """Return the column that has another text for each sequence, if any."""
    taken = {label, *told.roles(), *long.made}
    assert long.owners is not None
    count = long.owners.n_unique()
    free = {n: c for n, c in long.cells.items() if n not in taken and c.sort in ("text", "number")}
    unique = [
        n for n, c in free.items() if c.text().n_unique() == count and not c.text().null_count()
    ]
    best = first_named(unique, IDS)
    texts = sorted(n for n in unique if long.cells[n].sort == "text")
    return (best,) if best else tuple(texts[:1])


def _combined(long: Long, ids: tuple[str, ...]) -> pl.Series:
    texts = [long.cells[n].text() for n in ids]
    if len(texts) == 1:
        return texts[0]
    return pl.select(pl.concat_str([t.fill_null("") for t in texts], separator="/")).to_series()


def _keys(long: Long, ids: tuple[str, ...]) -> pl.Series:
    """Return the series of each row, as text.

    Raises:
        DataError: an id is empty.
    """
    if not ids:
        if long.owners is not None:
            return ("row " + (long.owners + 1).cast(pl.String)).alias("id")
        return pl.repeat("all", len(long.rows), eager=True).alias("id")
    keys = _combined(long, ids).alias("id")
    empty = keys.is_null().arg_true()
    if len(empty):
        row = int(long.rows[int(empty[0])]) + 1
        raise DataError(
            f"id column {ids[0]!r}, row {row} is empty; fill it in, or choose another with --id"
        )
    return keys


def _clock(
    times: tuple[str, ...],
    long: Long,
    keys: pl.Series,
    told: Told,
    options: Options,
    remarks: Remarks,
) -> Clock | None:
    if not times:
        return None
    return read_times(times, long.cells, keys, options.date_format, bool(told.time), remarks)

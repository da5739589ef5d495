"""From roles to the rows themselves, in order and on their grid, and to what is said of them."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.splits import split
from penstock.data.time.season import find_season
from penstock.data.time.spacing import Spacing
from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.columns.kinds import kinds_of
from penstock.data.understanding.columns.labels import Question
from penstock.data.understanding.columns.parts import count_parts, part_of
from penstock.data.understanding.columns.roles import Kind, Role
from penstock.data.understanding.draft import Draft
from penstock.data.understanding.rows.elapsed import since_last_row
from penstock.data.understanding.rows.sorted_rows import (
    Order,
    check_once,
    in_order,
    on_grid,
    resampled,
    usual_step,
    wanted_spacing,
    without_copies,
)
from penstock.data.understanding.suits import Suit
from penstock.data.understanding.understanding import Table, Understanding
from penstock.errors import DataError

_MOST_SEASONED = 100  # series that the season is looked for in
_LONGEST_HORIZON = 12


def _typed(draft: Draft, roles: dict[str, Role]) -> pl.DataFrame:
    """Return the columns in use: numbers as float64, all else as text."""
    columns = [pl.Series(" row", draft.long.rows)]
    per_sequence = draft.question is not None and draft.question.task != "tag"
    for name, role in roles.items():
        cells = draft.cells[name]
        if role == "left out":
            continue
        if role == "split":
            columns.append(part_of(cells, draft.keys, per_sequence))
        elif name not in draft.options.symbols and _is_numeric(cells, role, draft.question):
            columns.append(cells.numbers(_OPTIONS.get(role, "--target")).alias(name))
        else:
            columns.append(cells.text().alias(name))
    columns += [draft.cells[n].text().alias(n) for n in draft.told.group if n in draft.ids]
    return pl.DataFrame(columns)


_OPTIONS = {"known": "--known", "past": "--past", "static": "--static"}


def _is_numeric(cells: Cells, role: Role, question: Question | None) -> bool:
    if role in ("group", "split") or (role == "label" and question and question.classes):
        return False
    if role == "target":  # text there is an error that names its cell
        return True
    return cells.sort in ("number", "boolean") or (role == "label" and cells.sort != "other")


def finished(
    draft: Draft, source: pl.DataFrame, roles: dict[str, Role], suit: Suit
) -> Understanding:
    """Return what was understood, with the rows in order; `source` is the table as it stood."""
    typed, forecast = _typed(draft, roles), suit.task == "forecast"
    order, columns = _ordered(draft, source, typed, forecast)
    elapsed = None
    if draft.options.elapsed:
        made = since_last_row(order, source.columns, draft.remarks)
        elapsed, columns = made.name, columns.with_columns(made)
    starts = Table(order.ids, order.times, None, columns, columns[" row"]).starts()
    lengths = np.diff(starts)
    targets = [n for n, r in roles.items() if r == "target"] if forecast else []
    _check_values(columns, targets)
    sure = order.at >= 0
    present = columns.filter(pl.Series(sure))
    used = [n for n in columns.columns if n != " row" and roles.get(n) not in ("split", "group")]
    ahead = _ahead(draft, present, order, targets, sure)
    table = _table(draft, order, columns, elapsed)
    all_roles = _all_roles(draft, source, roles)
    kinds = _kinds(draft, all_roles)
    if elapsed:
        all_roles[elapsed], kinds[elapsed] = "known" if forecast else "input", "number"
    split_names = draft.told.split
    per_sequence = not forecast and suit.task != "tag"
    return Understanding(
        draft.name,
        suit.task,
        suit.why,
        len(lengths) * max(len(targets), 1),
        present.height,
        (int(lengths.min()), int(np.median(lengths)), int(lengths.max())),
        order.spacing.name if order.spacing and lengths.max() > 1 else "",
        _season(table, targets, draft.options.horizon, order.spacing) if forecast else 1,
        order.inserted,
        sum(present[n].null_count() for n in used) - ahead,
        all_roles,
        kinds,
        tuple(draft.remarks.conversions),
        tuple(draft.remarks.notes),
        count_parts(present[split_names[0]], order.ids.filter(pl.Series(sure)), per_sequence)
        if split_names else {},
        () if draft.told.group or draft.told.split else tuple(draft.remarks.like_groups),
        order.spacing,
        table,
    )  # fmt: skip


def _table(draft: Draft, order: Order, columns: pl.DataFrame, elapsed: str | None) -> Table:
    return Table(
        order.ids, order.times, draft.clock.zone if draft.clock else None,
        columns.drop(" row"), columns[" row"] + 1, draft.form, draft.long.made, draft.long.steps,
        elapsed,
    )  # fmt: skip


def _check_values(columns: pl.DataFrame, targets: list[str]) -> None:
    if targets and all(columns[n].null_count() == columns.height for n in targets):
        raise DataError(
            f"column {', '.join(targets)} holds no value at all; choose another with --target"
        )


def _ordered(
    draft: Draft, source: pl.DataFrame, typed: pl.DataFrame, forecast: bool
) -> tuple[Order, pl.DataFrame]:
    """Return the order of the rows, and the columns in it; rows put in are null but for statics."""
    clock = draft.clock
    order = in_order(draft.keys, clock.times if clock else None, bool(clock and clock.yearly))
    if order.times is not None:
        if draft.long.owners is None:
            order = without_copies(order, source, draft.remarks)
        check_once(order, draft.long.rows, " and ".join(draft.times), bool(draft.ids))
    columns = typed[order.at]
    if draft.options.frequency and forecast:
        spacing = wanted_spacing(draft.options.frequency, order.times)
        order, columns = resampled(order, spacing, columns)
        draft.remarks.converted(f"rows brought to one each {spacing.name}, by their mean")
    elif forecast and _is_irregular(order) and not draft.options.elapsed:
        draft.remarks.note(_irregular(order))
    filled = on_grid(order) if forecast else order
    return filled, columns if filled is order else _put_in(order, filled, columns, draft)


def _is_irregular(order: Order) -> bool:
    return bool(order.spacing and order.spacing.unit == "none" and len(order.at) > 2)


def _irregular(order: Order) -> str:
    assert order.times is not None
    dated = order.times.dtype.is_temporal()
    step = usual_step(order.ids, order.times) if dated else ""
    what = f"--frequency {step}, say, makes one row each {step} of them, and " if dated else ""
    return (
        "the times are irregular: there is no step between rows that most of them keep; "
        f"{what}--elapsed makes the time since the row before an input; "
        "else rows count as if they were equally far apart"
    )


def _put_in(order: Order, filled: Order, columns: pl.DataFrame, draft: Draft) -> pl.DataFrame:
    place = np.full(int(order.at.max()) + 1, 0)
    place[order.at] = np.arange(len(order.at))
    at = pl.Series(np.where(filled.at < 0, 0, place[np.maximum(filled.at, 0)]))
    at = at.set(pl.Series(filled.at < 0), None)
    whole = columns.select(pl.all().gather(at))
    static = [n for n in (*draft.told.static, *draft.told.group) if n in columns.columns]
    return whole.with_columns(pl.col(static).forward_fill().over(filled.ids)) if static else whole


def _ahead(
    draft: Draft, present: pl.DataFrame, order: Order, targets: list[str], sure: NDArray[np.bool_]
) -> int:
    """Return the empty targets after the last value of a series, where columns are known ahead."""
    if not draft.told.known or not targets:
        return 0
    ids = order.ids.filter(pl.Series(sure))
    frame = present.select(targets).with_columns(ids.alias(" id"))
    after = frame.select(pl.col(targets).backward_fill().over(" id").is_null().sum())
    return int(after.sum_horizontal()[0])


def _all_roles(draft: Draft, source: pl.DataFrame, roles: dict[str, Role]) -> dict[str, Role]:
    """Return the role of each column of the source, in its order."""
    every: dict[str, Role] = {**roles, **dict.fromkeys(draft.ids, "id")}
    every.update(dict.fromkeys(draft.times, "time"))
    every.update(dict.fromkeys(draft.left_out, "left out"))
    role: Role = "input" if draft.question else "target"
    every |= dict.fromkeys(draft.long.steps, role)
    return {name: every[name] for name in source.columns}


def _kinds(draft: Draft, roles: dict[str, Role]) -> dict[str, Kind]:
    classes = draft.question is not None and draft.question.classes
    made = draft.cells[draft.long.made[0]] if draft.long.made else None
    cells: dict[str, Cells] = {
        **draft.out_cells, **draft.cells,
        **{name: draft.cells.get(name, made) for name in draft.long.steps if made},
    }  # fmt: skip
    return kinds_of(cells, roles, classes)


def _season(table: Table, targets: list[str], horizon: int | None, spacing: Spacing | None) -> int:
    """Return the season of the training parts of the series, as forecasting splits them."""
    starts = table.starts()
    lengths = np.diff(starts)
    ahead = horizon or min(_LONGEST_HORIZON, max(1, int(np.median(lengths)) // 20))
    parts = []
    for target in targets[:_MOST_SEASONED]:
        values = table.columns[target].to_numpy()
        step = max(1, len(lengths) * len(targets) // _MOST_SEASONED)
        for start, length in zip(starts[:-1:step], lengths[::step], strict=True):
            seen = _carried(values[start : start + length])
            if len(seen) > 2 * ahead and len(part := seen[: split(len(seen), ahead).train]) > 2:
                parts.append(part)
    return find_season(parts, spacing) if parts else 1


def _carried(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a series from its first to its last value, each gap filled with the one before."""
    seen = np.flatnonzero(~np.isnan(values))
    if not len(seen):
        return values[:0]
    values = values[seen[0] : seen[-1] + 1]
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return values[last]

"""The roles of all columns of a table, once its layout, ids and times are known."""

import polars as pl

from penstock.data.understanding.cells.cells import Cells, shown
from penstock.data.understanding.columns.forecasting import forecast_roles
from penstock.data.understanding.columns.oddities import roles_beside
from penstock.data.understanding.columns.parts import check_within
from penstock.data.understanding.columns.roles import Role
from penstock.data.understanding.draft import Draft
from penstock.errors import ArgumentError, DataError

_FEWEST_FRAMES = 8  # columns, for a table of ones and zeros to be taken for frames


def frames_roles(draft: Draft) -> dict[str, Role] | None:
    """Return the roles of frames, if the table is one of ones and zeros; else None."""
    if draft.question or draft.options.task not in (None, "frames"):
        return None
    told = draft.told.roles()
    names = [n for n in draft.beside() if told.get(n, "target") == "target"]
    few = len(names) < _FEWEST_FRAMES and draft.options.task is None
    if few or not names:
        return None
    wrong = next((n for n in names if not _is_binary(draft.cells[n])), None)
    if wrong is not None and draft.options.task is None:
        return None
    if wrong is not None:
        _refuse(draft.cells[wrong])
    return {**dict.fromkeys(names, "target")}


def _refuse(cells: Cells) -> None:
    values = cells.numbers()
    row = int(((values == 0) | (values == 1)).fill_null(False).not_().arg_true()[0])
    raise DataError(
        f"column {cells.name!r}, row {row + 1}: {shown(cells.raw, row)} is not 0 or 1; frames hold "
        "nothing else"
    )


def _is_binary(cells: Cells) -> bool:
    values = cells.values
    return (
        cells.sort in ("number", "boolean")
        and not values.null_count()
        and bool(((values == 0) | (values == 1)).all())
    )


def roles_of(draft: Draft) -> dict[str, Role]:
    """Return the roles of the columns that are neither ids nor times."""
    cells, told = draft.beside(), draft.told
    if draft.question is None:
        times = draft.clock.times if draft.clock else None
        return forecast_roles(cells, draft.keys, times, told, bool(draft.ids), draft.remarks)
    label = draft.question.label
    roles: dict[str, Role] = {**told.roles(), label: "label"}
    free = {n: c for n, c in cells.items() if n not in roles}
    texts = cells[label].text() if draft.question.classes else None
    beside: dict[str, Role] = dict.fromkeys(free, "left out")
    if not draft.options.learned:
        beside = roles_beside(free, draft.keys, texts, draft.remarks)
    roles |= beside | dict.fromkeys(draft.long.made, "input")
    for name in told.group:
        check_within(name, draft.keys, draft.cells[name].text(), "has the values", "--group")
    if draft.question.task != "tag":
        _check_label(label, draft.keys, cells[label].text())
    if not (draft.options.elapsed or {"input", "known", "past"} & {roles[n] for n in cells}):
        raise ArgumentError(f"no column of inputs is left beside the labels {label!r}")
    return {name: roles[name] for name in cells}


def _check_label(label: str, keys: pl.Series, values: pl.Series) -> None:
    """Raise where a sequence has two labels.

    Raises:
        DataError: one has; the message names both.
    """
    pairs = pl.DataFrame([keys.alias("key"), values.alias("value")]).drop_nulls().unique()
    twice = pairs.filter(pl.col("key").is_duplicated()).sort("key", "value")
    if twice.height:
        one, other = twice["value"][:2]
        raise DataError(
            f"label column {label!r}: id {twice['key'][0]!r} has the labels {one!r} and {other!r}; "
            "give each id one label, or label every step with --task tag"
        )

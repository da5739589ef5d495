"""Which columns are the ids, that tell sequences apart: as told, as named, as the cells say."""

from collections.abc import Mapping

import polars as pl

from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.columns.roles import Told, is_whole, spelled
from penstock.data.understanding.layouts.spread import holds
from penstock.data.understanding.names import IDS, TIMES, first_named
from penstock.data.understanding.remarks import Remarks, listed

_BALANCED = 0.5  # of all pairs of ids and times must be there, for a number to be an id
_FEWEST_BLOCKS = 5
_MOST_KEYS = 8  # columns that are tried as ids


def find_id(cells: Mapping[str, Cells], told: Told, label: str | None) -> tuple[str, ...]:
    """Return the column of ids that is told, or named as such and has some value twice."""
    if told.id:
        return told.id
    taken = {n for n, role in told.roles().items() if role != "group"} | {label}
    free = {n: c for n, c in cells.items() if n not in taken}
    for word in IDS:
        name = first_named(free, [word])
        if name and free[name].sort in ("text", "number", "time"):
            keys = free[name].text()
            several = keys.n_unique() < len(keys) and not holds(free[name])
            if several or word == "unique_id":
                return (name,)
    ending = sorted(n for n in free if n.lower().endswith(("_id", " id")) or n.endswith("Id"))
    repeated = [n for n in ending if free[n].text().n_unique() < len(free[n].raw)]
    return tuple(repeated[:1]) if len(repeated) == 1 else ()


def find_blocks(
    cells: Mapping[str, Cells], label: str, told: Told, remarks: Remarks
) -> tuple[str, ...]:
    """Return the column whose values each stand in one block of rows, as the numbers of sentences.

    () where there is none; of several the one with the most blocks.
    """
    blocks: dict[str, int] = {}
    for name, column in sorted(cells.items()):
        named_so = column.sort == "text" or (column.sort == "number" and is_whole(column.values))
        if name == label or name in told.roles() or not named_so:
            continue
        values = column.text()
        count = int(values.ne_missing(values.shift()).sum())
        each_once = count == values.n_unique() and not values.null_count()
        if each_once and _FEWEST_BLOCKS <= count <= len(values) // 2:
            blocks[name] = count
    if not blocks:
        return ()
    best = max(blocks, key=blocks.__getitem__)
    remarks.note(
        f"{spelled(best)} has one value for each block of rows and is taken for the id; "
        "another is named with --id"
    )
    return (best,)


def infer_ids(
    cells: Mapping[str, Cells], times: pl.Series, taken: list[str], remarks: Remarks
) -> tuple[str, ...]:
    """Return the columns whose cells tell apart the rows of one time; () where none do."""
    free = {n: c for n, c in cells.items() if n not in taken}
    texts = {n: c.text() for n, c in free.items() if c.sort in ("text", "boolean")}
    whole = {n: c.text() for n, c in free.items() if c.sort == "number" and is_whole(c.values)}
    texts = {n: t.fill_null("") for n, t in texts.items() if 2 * t.n_unique() <= len(t)}
    singles = sorted(texts, key=lambda n: (texts[n].n_unique(), n))[:_MOST_KEYS]
    keys: list[tuple[str, ...]] = [(name,) for name in singles if _is_full(cells, name)]
    keys += [(a, b) for k, a in enumerate(singles) for b in singles[k + 1 :]]
    codes = sorted((n for n in whole if 2 * whole[n].n_unique() <= len(times)),
                   key=lambda n: (whole[n].n_unique(), n))[:_MOST_KEYS]  # fmt: skip
    numeric: list[tuple[str, ...]] = [(name,) for name in codes]
    numeric += [(a, b) for k, a in enumerate(codes) for b in codes[k + 1 :]]
    numeric += [(a, b) for a in singles for b in codes]
    columns = {**texts, **whole}
    for names in [*keys, *numeric]:
        frame = pl.DataFrame([times.alias(" time"), *(columns[n].alias(n) for n in names)])
        if frame.is_duplicated().any():
            continue
        grid = frame.select(names).n_unique() * times.n_unique()
        if names in keys or frame.height >= _BALANCED * grid:
            remarks.note(
                f"{listed(map(repr, names))} tells apart the rows of one time and is taken for "
                "the id; another is named with --id"
            )
            return names
    return ()


def infer_panel(
    cells: Mapping[str, Cells], told: Told, remarks: Remarks
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return a column of numbers that is named as a time, though each stands in many rows, and the
    ids that tell these rows apart: a year and a firm, say; none and none where there are no such.
    """
    roles = told.roles()
    free = {n: c for n, c in cells.items() if n not in roles and c.sort == "number"}
    name = first_named([n for n, c in free.items() if is_whole(c.values)], TIMES)
    ids = name and infer_ids(cells, free[name].values, [name, *roles], remarks)
    return ((name,), ids) if name and ids else ((), ())


def _is_full(cells: Mapping[str, Cells], name: str) -> bool:
    """Whether a column has no empty cell."""
    return not cells[name].text().null_count()

"""Which column has which role: as the user says, as its name says, or as its cells say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from penstock.data.series import Names, Options
from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.cells.units import time_parts
from penstock.data.understanding.layouts.spread import holds
from penstock.data.understanding.names import (
    COUNTERS,
    IDS,
    LABELS,
    SURE_TIMES,
    TIMES,
    first_named,
    is_nameless,
    named,
)
from penstock.data.understanding.remarks import Remarks, listed
from penstock.errors import ArgumentError

Role = Literal["time", "id", "target", "label", "input", "known", "past", "static", "group",
               "split", "left out"]  # fmt: skip
Kind = Literal["number", "boolean", "category", "symbol", "time"]

_BALANCED = 0.5  # of all pairs of ids and times must be there, for a number to be an id
_YEARS = (1500, 2200)
_MOST_KEYS = 8  # columns that are tried as ids


@dataclass(frozen=True)
class Told:
    """The columns that the user named, checked against those that there are."""

    target: tuple[str, ...]
    id: tuple[str, ...]
    time: tuple[str, ...]
    known: tuple[str, ...]
    past: tuple[str, ...]
    static: tuple[str, ...]
    split: tuple[str, ...]
    group: tuple[str, ...]
    inputs: tuple[str, ...]

    @staticmethod
    def of(options: Options, columns: list[str]) -> "Told":
        """Return the columns that options name.

        Raises:
            ArgumentError: one is not there, or has two roles.
        """
        told: dict[str, Names] = {
            "--target": options.target,
            "--id": options.id,
            "--time-column": options.time,
            "--known": options.known,
            "--past": options.past,
            "--static": options.static,
            "--split": options.split,
            "--group": options.group,
            "the model": (*options.numbers, *options.symbols),
        }
        columns_of = {
            option: named([names] if isinstance(names, str) else names or (), columns, option)
            for option, names in told.items()
        }
        _check_once(columns_of)
        for option in ("--split", "--group"):
            if len(columns_of[option]) > 1:
                raise ArgumentError(
                    f"{option} names {', '.join(columns_of[option])}; it takes one column"
                )
        return Told(*columns_of.values())

    def roles(self) -> dict[str, Role]:
        """Return the role of each column that was named, a label as a target."""
        pairs: list[tuple[tuple[str, ...], Role]] = [
            (self.target, "target"), (self.id, "id"), (self.time, "time"), (self.known, "known"),
            (self.past, "past"), (self.static, "static"), (self.split, "split"),
            (self.group, "group"), (self.inputs, "input"),
        ]  # fmt: skip
        return {name: role for names, role in pairs for name in names}


def _order(option: str) -> tuple[bool, str]:
    return option != "--target", option


def _check_once(columns_of: Mapping[str, tuple[str, ...]]) -> None:
    seen: dict[str, str] = {}
    for option, names in columns_of.items():
        for name in names:
            if name in seen and {seen[name], option} != {"--id", "--group"}:
                first, second = sorted((seen[name], option), key=_order)
                raise ArgumentError(
                    f"column {name!r} cannot be both {first} and {second}; name it once"
                )
            seen[name] = option


def counters(cells: Mapping[str, Cells], told: Told, remarks: Remarks) -> list[str]:
    """Return the columns that only number the rows, such as an index that pandas wrote."""
    counting = []
    for name, column in sorted(cells.items()):
        nameless = is_nameless(name)
        if name in told.roles() or not (nameless or name.lower() in COUNTERS):
            continue
        if column.sort == "number" and _counts(column.values):
            counting.append(name)
            remarks.note(f"{spelled(name)} only counts the rows and is left out")
        elif nameless and column.sort != "time" and not _are_years(column):
            counting.append(name)
            remarks.note(f"{spelled(name)} is left out, as nothing says what it holds")
    return counting


def _are_years(cells: Cells) -> bool:
    """Whether the cells are whole numbers that can be years, each once."""
    if cells.sort != "number" or not len(cells.values) or not _is_whole(cells.values):
        return False
    inside = bool(cells.values.is_between(*_YEARS).all())
    return inside and cells.values.n_unique() == len(cells.values)


def spelled(name: str) -> str:
    """Return a column's name for a sentence."""
    return f"column {name!r}" if name else "the column without a name"


def _counts(values: pl.Series) -> bool:
    """Whether the values are 0 … n − 1 or 1 … n, in any order."""
    if values.null_count() or not len(values):
        return False
    low, high = float(values.to_numpy().min()), float(values.to_numpy().max())
    return low in (0, 1) and high == low + len(values) - 1 and values.n_unique() == len(values)


def find_label(cells: Mapping[str, Cells], told: Told) -> str | None:
    """Return the column of labels: the one told, or the first that is named as such."""
    if len(told.target) == 1:
        return told.target[0]
    free = [name for name in cells if name not in told.roles()]
    return None if told.target else first_named(free, LABELS)


def asked_for_series(cells: Mapping[str, Cells], told: Told, options: Options) -> tuple[str, ...]:
    """Return the options given that only series to forecast take, where they decide the task.

    They do unless the column of labels leaves no doubt: text, or numbers in a column named label.
    """
    label = find_label(cells, told)
    if label and (cells[label].sort in ("text", "boolean") or label.lower() in LABELS):
        return ()
    given = {
        "--known": options.known, "--past": options.past, "--horizon": options.horizon,
        "--frequency": options.frequency, "--test-windows": options.test_windows,
    }  # fmt: skip
    return tuple(option for option, value in given.items() if value)


def find_times(
    cells: Mapping[str, Cells], told: Told, taken: list[str | None], ids: pl.Series | None
) -> tuple[str, ...]:
    """Return the column of times, or the columns that make a time together; () where there is none.

    The column told; two such as a date and a time of day; one named date, time, …; one of dates.
    A column of numbers must have no value twice in a series, unless its name leaves no doubt.
    """
    if told.time:
        return told.time
    roles = told.roles()
    free = {n: c for n, c in cells.items() if n not in taken and n not in roles}
    if parts := time_parts(free):
        return parts
    dated = {n: c for n, c in free.items() if c.sort == "time"}
    if best := first_named(dated, TIMES):
        return (best,)
    for word in TIMES:
        name = first_named(free, [word])
        if name and free[name].sort in ("number", "text") and (
            word in SURE_TIMES or _tells_rows(free[name], ids)
        ):  # fmt: skip
            return (name,)
    years = [n for n, c in free.items() if is_nameless(n) and _are_years(c)]
    if not dated and years:
        return (min(years),)
    ranked = sorted(dated, key=lambda n: (-dated[n].raw.n_unique(), n))
    return tuple(ranked[:1])


def _tells_rows(cells: Cells, ids: pl.Series | None) -> bool:
    """Whether a column has another number for most rows of a series."""
    if cells.sort != "number" or cells.values.null_count():
        return False
    keys = pl.repeat("", len(cells.values), eager=True) if ids is None else ids
    pairs = pl.DataFrame([keys.alias("id"), cells.values.alias("time")])
    return 2 * pairs.n_unique() > pairs.height


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


def infer_ids(
    cells: Mapping[str, Cells], times: pl.Series, taken: list[str], remarks: Remarks
) -> tuple[str, ...]:
    """Return the columns whose cells tell apart the rows of one time; () where none do."""
    free = {n: c for n, c in cells.items() if n not in taken}
    texts = {n: c.text() for n, c in free.items() if c.sort in ("text", "boolean")}
    whole = {n: c.text() for n, c in free.items() if c.sort == "number" and _is_whole(c.values)}
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
    name = first_named([n for n, c in free.items() if _is_whole(c.values)], TIMES)
    ids = name and infer_ids(cells, free[name].values, [name, *roles], remarks)
    return ((name,), ids) if name and ids else ((), ())


def _is_full(cells: Mapping[str, Cells], name: str) -> bool:
    """Whether a column has no empty cell."""
    return not cells[name].text().null_count()


def _is_whole(values: pl.Series) -> bool:
    return not values.null_count() and bool((values == values.round()).all())

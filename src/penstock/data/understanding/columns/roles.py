"""Which column has which role: as the user says, as its name says, or as its cells say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from penstock.data.series import Names, Options
from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.cells.units import time_parts
from penstock.data.understanding.names import (
    COUNTERS,
    LABELS,
    SURE_TIMES,
    TIMES,
    first_named,
    is_nameless,
    named,
)
from penstock.data.understanding.remarks import Remarks
from penstock.errors import ArgumentError

Role = Literal["time", "id", "target", "label", "input", "known", "past", "static", "group",
               "split", "left out"]  # fmt: skip
Kind = Literal["number", "boolean", "category", "symbol", "time"]

_YEARS = (1500, 2200)


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
    if cells.sort != "number" or not len(cells.values) or not is_whole(cells.values):
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


def is_whole(values: pl.Series) -> bool:
    """Whether numbers are whole, and all there."""
    return not values.null_count() and bool((values == values.round()).all())

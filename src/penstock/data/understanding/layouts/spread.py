"""From the ways in which tables hold sequences to one: a row a step."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.cells.sampling import sampled
from penstock.data.understanding.cells.styles import find_cells
from penstock.data.understanding.names import SEQUENCES, first_named
from penstock.data.understanding.remarks import Remarks, listed
from penstock.errors import DataError

Form = Literal["long", "row", "one"]

_FEWEST_STEPS = 3
_SHORTEST_TEXT = 10  # letters on average, for a cell to be a sequence of them
_MOST_LETTERS = 64
_SAMPLE = 200
_ENOUGH = 100_000  # letters of a cell, which may have millions of steps
_FIRSTS = (0, 1, 2)
_PARTED = re.compile(r"[\s,;|\[\]()]+")


@dataclass(frozen=True)
class Long:
    """Columns with a row a step.

    Attributes:
        cells: the columns by name.
        rows: [N] the row of the source that each came from, from 0.
        owners: [N] the sequence of each row, where each row of the source was one; else None.
        steps: the columns of the source that were the steps, or the one that held them all.
        made: the columns of the steps now.
    """

    cells: dict[str, Cells]
    rows: NDArray[np.int64]
    owners: pl.Series | None = None
    steps: tuple[str, ...] = ()
    made: tuple[str, ...] = ()

    @staticmethod
    def of(cells: dict[str, Cells]) -> "Long":
        """Return columns that have a row a step already."""
        height = len(next(iter(cells.values())).raw)
        return Long(cells, np.arange(height))


def numbered(columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the columns of the steps of each channel, in order; {} where there are no such.

    They have one name with 0, 1, 2, … in it, as t0 or 0_x. They may begin with 1, or with 2 where
    the first holds ids or labels. Several names with the same numbers are several channels.
    """
    groups: dict[tuple[str, str], dict[int, str]] = {}
    for name in columns:
        if found := re.fullmatch(r"(.*?)(\d+)|(\d+)(\D+)", name):
            before, first, second, after = found.groups(default="")
            groups.setdefault((before, after), {})[int(first or second)] = name
    most = max(map(len, groups.values()), default=0)
    longest = next((sorted(group) for group in groups.values() if len(group) == most), [])
    alike = {key: group for key, group in groups.items() if sorted(group) == longest}
    enough = most >= _FEWEST_STEPS and 2 * most * len(alike) >= len(columns)
    whole = enough and longest == [*range(longest[0], longest[0] + most)]
    if not whole or longest[0] not in _FIRSTS:
        return {}
    bare = [f"{before}{after}".strip("_.- ") for before, after in alike]
    distinct = len({*bare}) == len(bare) and "" not in bare
    keys = bare if distinct else [f"{before}#{after}" for before, after in alike]
    return {
        key: tuple(group[k] for k in longest)
        for key, group in zip(keys, alike.values(), strict=True)
    }


def spread_steps(
    long: Long, channels: Mapping[str, tuple[str, ...]], option: str, remarks: Remarks
) -> Long:
    """Return the sequences that stand in a row each, up to the last cell that is not empty.

    Raises:
        DataError: a row has no step, or some columns hold numbers and some do not.
    """
    steps = tuple(name for names in channels.values() for name in names)
    columns = {key: [long.cells[name] for name in names] for key, names in channels.items()}
    symbols = {key: _are_symbols(cells, option) for key, cells in columns.items()}
    seen = np.any([_filled(cells, symbols[key]) for key, cells in columns.items()], axis=0)
    lengths = np.where(seen, np.arange(1, seen.shape[1] + 1), 0).max(axis=1)
    if not lengths.all():
        row = int(np.flatnonzero(lengths == 0)[0])
        raise DataError(f"row {row + 1} has no value in any of its steps; delete the row")
    owners = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    taken = [name for name in long.cells if name not in steps]
    made: dict[str, Cells] = {}
    for key, cells in columns.items():
        plain = "symbol" if symbols[key] else "x"
        name = _free(key if len(columns) > 1 else plain, [*taken, *made])
        made[name] = _gathered(cells, owners, places, symbols[key], name, option)
    remarks.converted(
        f"{len(steps)} columns, {steps[0]} to {steps[-1]}, read as the steps of a row"
        + (f", of {len(made)} channels: {listed(made)}" if len(made) > 1 else "")
    )
    return _expanded(long, steps, made, owners)


def _are_symbols(columns: Sequence[Cells], option: str) -> bool:
    """Whether steps are symbols; text among what is mostly numbers is an error that names it."""
    odd = next((c for c in columns if c.sort in ("text", "time")), None)
    if odd and sum(c.sort == "number" for c in columns) > len(columns) / 2:
        odd.numbers(option)
    return odd is not None


def _filled(columns: Sequence[Cells], symbols: bool) -> NDArray[np.bool_]:
    """Return which cells have a value [rows, steps]."""
    kept = [c.text() if symbols else c.values for c in columns]
    return np.stack([column.is_not_null().to_numpy() for column in kept], axis=1)


def _gathered(
    columns: Sequence[Cells],
    owners: NDArray[np.int64],
    places: NDArray[np.int64],
    symbols: bool,
    name: str,
    option: str,
) -> Cells:
    flat = owners + places * len(columns[0].raw)
    if symbols:
        text = pl.concat([c.text().alias(name) for c in columns]).gather(flat)
        return Cells(text, "text", text)
    values = pl.concat([c.numbers(option).alias(name) for c in columns]).gather(flat)
    return Cells(values, "number", values)


def _expanded(
    long: Long, steps: tuple[str, ...], made: Mapping[str, Cells], owners: NDArray[np.int64]
) -> Long:
    rest = {
        name: replace(c, raw=c.raw.gather(owners), values=c.values.gather(owners), wrong=None)
        for name, c in long.cells.items() if name not in steps
    }  # fmt: skip
    return Long({**rest, **made}, long.rows[owners], pl.Series("owner", owners), steps, tuple(made))


def find_sequences(cells: Mapping[str, Cells], taken: Sequence[str | None]) -> tuple[str, ...]:
    """Return the columns whose cells each hold a whole sequence: all lists, or one of text."""
    free = {name: c for name, c in cells.items() if name not in taken}
    lists = [n for n, c in free.items() if c.sort == "list" or holds(c) == "numbers"]
    if lists:
        return tuple(lists)
    texts = [n for n, c in free.items() if c.sort == "text" and holds(c)]
    best = first_named(texts, SEQUENCES)
    return (best,) if best else tuple(sorted(texts, key=lambda n: (-_size(free[n]), n))[:1])


def _size(cells: Cells) -> float:
    return float(cells.raw.str.len_chars().mean() or 0)  # type: ignore[arg-type]


def holds(cells: Cells) -> Literal["", "numbers", "words", "letters"]:
    """Return what the sequences in the cells of a column are made of; "" where they are none."""
    if cells.sort != "text":
        return ""
    sample = sampled(cells.raw.drop_nulls(), _SAMPLE).to_list()
    parts = [_parts(cell) for cell in sample]
    if not sample:
        return ""
    counts = sorted(map(len, parts))
    if counts[len(counts) // 2] >= _FEWEST_STEPS:
        return "numbers" if all(_is_number(p) for row in parts[:20] for p in row) else "words"
    letters = {letter for cell in sample for letter in cell[:_ENOUGH]}
    long = sum(map(len, sample)) >= _SHORTEST_TEXT * len(sample)
    several = 2 * len({*sample}) > len(sample) or cells.name.strip().lower() in SEQUENCES
    return "letters" if long and several and len(letters) <= _MOST_LETTERS else ""


def _parts(cell: str) -> list[str]:
    """Return the steps in a cell; of one without end, those that it begins with."""
    parts = [part for part in _PARTED.split(cell[:_ENOUGH]) if part]
    return parts[:-1] if len(cell) > _ENOUGH else parts  # the last is cut off


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.lower() in ("?", "na", "null", "none")
    return True


def spread_cells(long: Long, columns: tuple[str, ...], remarks: Remarks) -> Long:
    """Return the sequences that stand in a cell each.

    Raises:
        DataError: a cell is empty, or the cells of a row are of unlike lengths.
    """
    lists = {name: _as_list(long.cells[name]) for name in columns}
    lengths = [one.list.len().fill_null(0).to_numpy() for one in lists.values()]
    for name, one in zip(columns, lengths, strict=True):
        if not one.all():
            row = int(np.flatnonzero(one == 0)[0])
            raise DataError(
                f"column {name!r}, row {row + 1}: the sequence is empty; delete the row"
            )
        if (one != lengths[0]).any():
            row = int(np.flatnonzero(one != lengths[0])[0])
            raise DataError(f"row {row + 1}: {columns[0]!r} and {name!r} are of unlike lengths")
    made = {name: _exploded(name, one) for name, one in lists.items()}
    words = {name: holds(long.cells[name]) or "values" for name in columns}
    remarks.converted(f"the cells of {listed(columns)} read as sequences of {words[columns[0]]}")
    owners = np.repeat(np.arange(len(lengths[0])), lengths[0])
    return _expanded(long, columns, made, owners)


def _as_list(cells: Cells) -> pl.Series:
    if cells.sort == "list":
        column = cells.raw
        return column.arr.to_list() if isinstance(column.dtype, pl.Array) else column
    text = cells.raw.str.strip_chars()
    if holds(cells) == "letters":
        return text.str.split("")
    spaced = text.str.replace_all(r"[\s,;|\[\]()]+", " ").str.strip_chars()
    return spaced.set(spaced == "", None).str.split(" ")


def _exploded(name: str, lists: pl.Series) -> Cells:
    column = lists.explode().alias(name)
    if column.dtype == pl.String:
        return next(iter(find_cells(column.to_frame(), Remarks()).values()))
    if column.dtype.is_nested() or column.dtype == pl.Object:
        raise DataError(f"column {name!r} holds {lists.dtype}; give lists of numbers or of text")
    return next(iter(find_cells(column.to_frame(), Remarks()).values()))


def _free(name: str, taken: Sequence[str]) -> str:
    return name if name not in taken else f"{name}_"

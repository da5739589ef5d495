"""A source → `Dataset`: the series of a table, each on its grid, with the columns beside them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.files import Source
from penstock.data.reading import read_source
from penstock.data.samples import sample
from penstock.data.series import Columns, Dataset, Options, Series, one_or_more
from penstock.data.splits import PARTS
from penstock.data.understanding.understand import understand
from penstock.data.understanding.understanding import Table, Understanding
from penstock.errors import DataError

_MOST_CATEGORIES = 50  # of a column of text beside the values; rarer ones are none of them


def read(
    source: Any,
    *,
    target: Sequence[str] = (),
    id_column: str | None = None,
    time_column: str | None = None,
    known: Sequence[str] = (),
    past: Sequence[str] = (),
    static: Sequence[str] = (),
) -> Dataset:
    """Return the series of a file, a dataframe of any library, or arrays; see `read_series`.

    Raises:
        DataError: the file or one of its cells cannot be used; the message says where and why.
        ArgumentError: a column told is not there.
    """
    options = Options(
        tuple(target), id_column, time_column, tuple(known), tuple(past), tuple(static)
    )
    return read_series(read_source(source), options)


def read_series(
    source: Source, options: Options, understood: Understanding | None = None
) -> Dataset:
    """Return the series of a source, as `penstock.describe` understands it.

    Missing values before a series' first one and after its last are cut off; the others, and those
    of rows that were put in, are filled with the value before them (which looks at the past alone)
    and marked as not observed. Columns beside the values are filled likewise, and NaN before their
    first value; those known ahead go on after the last value for as long as there are rows.
    """
    understood = understood or understand(source, replace(options, task="forecast"))
    assert understood.table is not None
    columns = _columns(understood, options)
    split = next(iter(understood.with_role("split")), None)
    with source.named():
        series = tuple(_all_series(understood.table, columns, split))
    kept = tuple(one for one in series if len(one))
    if not kept:
        raise DataError(
            f"{understood.name}: column {', '.join(columns.targets)} holds no value at all; choose "
            "another with --target"
        )
    missing = sum(int((~one.observed).sum()) for one in kept)
    empty = [one.id for one in series if not len(one)]
    return Dataset(
        understood.name,
        kept,
        columns,
        missing,
        (*_notes(missing, understood.inserted, empty), *understood.notes),
        understood.spacing,
        understood.table.zone,
        understood.record(),
        options.test_windows == "last",
    )


def _columns(understood: Understanding, options: Options) -> Columns:
    assert understood.table is not None
    known, past, static = (understood.with_role(role) for role in ("known", "past", "static"))
    categories = {
        name: options.categories.get(name) or _categories(understood.table.columns[name])
        for name in (*known, *past, *static)
        if understood.table.columns.schema[name] == pl.String
    }
    targets = () if understood.table.made else understood.with_role("target")
    return Columns(
        one_or_more(understood.with_role("id")),
        one_or_more(understood.with_role("time")),
        targets,
        known,
        past,
        static,
        categories,
        options.frequency,
        options.date_format,
        understood.table.elapsed,
    )


def _categories(column: pl.Series) -> tuple[str, ...]:
    """Return the most frequent values of a column of text, sorted."""
    counts = column.drop_nulls().alias("value").value_counts(name="n")
    most = counts.sort("n", "value", descending=[True, False]).head(_MOST_CATEGORIES)
    return tuple(sorted(most["value"]))


def _all_series(table: Table, columns: Columns, split: str | None) -> list[Series]:
    starts = table.starts()
    known = _beside(table.columns, columns.known, columns.categories)
    past = _beside(table.columns, columns.beside, columns.categories)
    targets, parts = columns.targets or table.made, _part_numbers(table, split)
    many, series = len(targets) > 1, []
    for target in targets:
        values = table.columns[target].to_numpy()
        for start, end in itertools.pairwise(starts.tolist()):
            name = target if table.form == "one" else table.ids[int(start)]
            name = f"{name}/{target}" if many and table.form != "one" else name
            rows = slice(int(start), int(end))
            times = _times(table, rows)
            one = _series(name, times, values[rows], known[rows], past[rows])
            if parts is not None and len(one):
                one = replace(one, ends=_ends(one, times, parts[rows]))
            series.append(one)
    return series


def _part_numbers(table: Table, split: str | None) -> NDArray[np.int64] | None:
    """Return the number of each row's part [N]; that of a row put in is of the one before it."""
    if split is None:
        return None
    parts = table.columns[split].fill_null(strategy="forward")
    return parts.replace_strict(list(PARTS), [0, 1, 2], return_dtype=pl.Int64).to_numpy()


def _ends(one: Series, times: pl.Series, parts: NDArray[np.int64]) -> tuple[int, int]:
    """Return the rows of a series in which training and validation end.

    Raises:
        DataError: the parts do not follow each other in time, or one is lacking.
    """
    first = int((times == one.times[0]).arg_max() or 0)
    parts = parts[first : first + len(one)]
    back = np.flatnonzero(np.diff(parts) < 0)
    if len(back):
        a, b = (PARTS[k] for k in parts[back[0] : back[0] + 2])
        raise DataError(
            f"series {one.id!r} goes back from {a} to {b} at {one.times[int(back[0]) + 1]}; a "
            "forecast learns from the past: training, then validation, then test"
        )
    for part in (0, 2):
        if not (parts == part).any():
            raise DataError(
                f"series {one.id!r} has no value in the part {PARTS[part]}; each series is split "
                "in time: give it rows there, or leave out --split, --test and --validation"
            )
    return int((parts == 0).sum()), int((parts < 2).sum())


def _times(table: Table, rows: slice) -> pl.Series:
    if table.times is not None:
        return table.times[rows].alias("time")
    return pl.int_range(1, rows.stop - rows.start + 1, eager=True).alias("time")


def _beside(
    frame: pl.DataFrame, names: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> NDArray[np.float64]:
    """Return columns beside the values [N, F]: numbers as they are, categories as ones and zeros.

    A category that is none of those known is zero in all of its columns.
    """
    parts: list[pl.Series] = []
    for name in names:
        column = frame[name]
        if name in categories:
            filled = column.fill_null(strategy="forward")
            parts += [(filled == c).fill_null(False).cast(pl.Float64) for c in categories[name]]
        else:
            parts.append(column)
    if not parts:
        return np.empty((frame.height, 0))
    return np.stack([part.to_numpy() for part in parts], axis=1).astype(np.float64)


def _series(
    name: str,
    times: pl.Series,
    values: NDArray[np.float64],
    known: NDArray[np.float64],
    past: NDArray[np.float64],
) -> Series:
    """Return one series, trimmed and filled; empty where it has no value."""
    seen = np.flatnonzero(~np.isnan(values))
    cut = slice(int(seen[0]), int(seen[-1]) + 1) if len(seen) else slice(0, 0)
    values = values[cut]
    return Series(
        str(name),
        times[cut],
        carried(values),
        ~np.isnan(values),
        carried(known)[cut.start :],
        carried(past)[cut],
        later=times[cut.stop :],
    )


def carried(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values [n] or [n, F], each gap filled with the one before; NaN before the first."""
    if not values.size:
        return values
    place = np.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, place), axis=0)
    return np.take_along_axis(values, last, axis=0)


def _notes(missing: int, inserted: int, empty: Sequence[str]) -> tuple[str, ...]:
    rows = f", {inserted} of them in rows that were put in" if inserted else ""
    notes = {
        f"{missing} missing values carried forward as inputs and never scored{rows}": missing,
        f"{len(empty)} series without any value left out: {', '.join(empty[:5])}": empty,
    }
    return tuple(note for note, applies in notes.items() if applies)


def sunspots() -> Dataset:
    """Return the yearly numbers of sunspots, 1700 to 2008 (309 values), one series.

    Source: National Geophysical Data Center (NOAA), as shipped by statsmodels 0.15
    (``statsmodels.datasets.sunspots``). Public domain.
    """
    return read(sample("sunspots"))

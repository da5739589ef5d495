"""Arrays by name → a table with a row a step, or frames of ones and zeros."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.understanding.remarks import Remarks
from penstock.errors import DataError

Arrays = Mapping[str, NDArray[Any]]

_LABELS = ("y", "label", "labels", "target", "targets", "class", "classes")
_LENGTHS = ("lengths", "length", "sizes")
_PARTS = {"train": "train", "valid": "validation", "validation": "validation", "val": "validation",
          "test": "test"}  # fmt: skip
_SPLIT = "split"


def are_frames(arrays: Arrays) -> bool:
    """Whether all arrays are [steps, columns] of ones and zeros, of the same columns."""
    widths = {one.shape[1] if one.ndim == 2 else -1 for one in arrays.values()}
    return len(widths) == 1 and -1 not in widths and all(_binary(one) for one in arrays.values())


def _binary(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "biuf" and bool(np.isin(array, (0, 1)).all())


def table_of(arrays: Arrays, remarks: Remarks) -> pl.DataFrame:
    """Return a table of arrays: a sequence each, or [N, T] or [N, T, F] with N sequences.

    One array of N values named y, label, … holds labels. Names that begin or end with train,
    valid or test say to which part their sequences belong.

    Raises:
        DataError: the arrays do not fit together.
    """
    if not arrays:
        raise DataError("holds no arrays; there is nothing to learn from")
    empty = [name for name, one in arrays.items() if not one.size]
    if empty:
        raise DataError(f"array {empty[0]!r} is empty; take it out")
    parts: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        part, rest = part_of_name(name)
        parts.setdefault(part, {})[rest] = array
    if [*parts] == [""]:
        return _one(parts[""])
    if "" in parts:
        raise DataError(
            f"array {next(iter(parts['']))!r} belongs to no part, but others are named train_…, "
            "valid_… or test_…"
        )
    remarks.converted(f"parts taken from the names of the arrays: {', '.join(sorted(parts))}")
    tables = [
        _one(members).with_columns(
            pl.lit(part).alias(_SPLIT), id=pl.format("{} {}", pl.lit(part), pl.col("id"))
        )
        for part, members in parts.items()
    ]
    if len({tuple(one.columns) for one in tables}) > 1:
        raise DataError("the arrays of the parts differ in their columns or labels")
    return pl.concat(tables, how="vertical_relaxed")


def part_of_name(name: str) -> tuple[str, str]:
    """Return the part that the name of an array tells, "" where it tells none, and what is left."""
    match = re.fullmatch(
        r"(?i)(train|valid|validation|val|test)_(.+)|(.+)_(train|valid|validation|val|test)", name
    )
    if not match:
        return "", name
    return _PARTS[(match[1] or match[4]).lower()], match[2] or match[3]


def _one(arrays: dict[str, NDArray[Any]]) -> pl.DataFrame:
    lower = {name.lower(): name for name in arrays}
    label = next((lower[n] for n in _LABELS if n in lower and arrays[lower[n]].ndim <= 2), None)
    sizes = next((lower[n] for n in _LENGTHS if n in lower), None)
    values = {n: a for n, a in arrays.items() if n not in (label, sizes)}
    if label is None or not values or np.squeeze(arrays[label]).ndim > 1:
        return _unlabelled(arrays)
    labels = np.atleast_1d(np.squeeze(arrays[label]))
    names, sequences = _sequences(values, arrays[sizes] if sizes else None, len(labels))
    if len(sequences) != len(labels):
        raise DataError(
            f"array {label!r} has {len(labels)} labels for {len(sequences)} sequences; "
            "give each sequence one"
        )
    return _stacked(names, sequences, labels)


def _sequences(
    values: dict[str, NDArray[Any]], sizes: NDArray[Any] | None, count: int
) -> tuple[list[str], list[NDArray[Any]]]:
    """Return names, and arrays [T, F], of the sequences."""
    if len(values) > 1 or count == 1:
        names = sorted(values, key=_natural)
        return names, [_steps(n, values[n]) for n in names]
    name, whole = next(iter(values.items()))
    if sizes is not None and int(sizes.sum()) == len(whole):
        rows = np.split(whole, np.cumsum(sizes.ravel().astype(np.int64))[:-1])
    elif whole.ndim >= 2:
        rows = list(whole)
        if sizes is not None and len(sizes.ravel()) == len(rows):
            rows = [row[: int(n)] for row, n in zip(rows, sizes.ravel(), strict=True)]
    else:
        raise DataError(f"array {name!r} is of shape {list(whole.shape)}; give [N, T] or [N, T, F]")
    return [str(k) for k in range(1, len(rows) + 1)], [_trimmed(_steps(name, r)) for r in rows]


def _natural(name: str) -> tuple[Any, ...]:
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", name))


def _steps(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim not in (1, 2):
        raise DataError(
            f"array {name!r} is of shape {list(array.shape)}; a sequence is [steps] or "
            "[steps, columns]"
        )
    return array if array.ndim == 2 else array[:, None]


def _trimmed(rows: NDArray[Any]) -> NDArray[Any]:
    """Return a sequence without the rows of NaN by which it was padded."""
    if rows.dtype.kind != "f":
        return rows
    seen = np.flatnonzero(~np.isnan(rows).all(axis=1))
    return rows[: seen[-1] + 1] if len(seen) else rows[:1]


def _unlabelled(arrays: dict[str, NDArray[Any]]) -> pl.DataFrame:
    """Return series: columns of one length side by side, else a series each."""
    lengths = {len(one) for one in arrays.values()}
    if len(lengths) == 1 and all(one.ndim == 1 for one in arrays.values()):
        return pl.DataFrame(dict(arrays))
    first = next(iter(arrays.values()))
    if len(arrays) == 1 and first.ndim == 2:
        return pl.DataFrame({f"x{k + 1}": first[:, k] for k in range(first.shape[1])})
    if len(arrays) == 1 and first.ndim == 3:
        names, rows = _sequences(arrays, None, len(first) if len(first) > 1 else 2)
        return _stacked(names, rows, None)
    names = sorted(arrays, key=_natural)
    return _stacked(names, [_steps(n, arrays[n]) for n in names], None)


def _stacked(
    names: list[str], sequences: list[NDArray[Any]], labels: NDArray[Any] | None
) -> pl.DataFrame:
    widths = {one.shape[1] for one in sequences}
    if len(widths) > 1:
        shapes = ", ".join(
            f"{n} {list(one.shape)}" for n, one in zip(names[:4], sequences, strict=False)
        )
        raise DataError(f"the sequences must have the same number of columns; these are {shapes}")
    lengths = [len(one) for one in sequences]
    whole = np.concatenate(sequences)
    width = widths.pop()
    columns = {"x" if width == 1 else f"x{k + 1}": whole[:, k] for k in range(width)}
    ids = pl.Series("unique_id", np.repeat(np.array(names), lengths), dtype=pl.String)
    frame = pl.DataFrame([ids.alias("id"), *(pl.Series(n, c) for n, c in columns.items())])
    return (
        frame
        if labels is None
        else frame.with_columns(pl.Series("label", np.repeat(labels, lengths)))
    )

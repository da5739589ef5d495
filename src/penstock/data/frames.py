"""Frames of ones and zeros, such as piano rolls: which notes sound at each step."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.columns import check_names, find_time, numbers
from penstock.data.files import Source
from penstock.data.readers import check_ids
from penstock.data.series import Options
from penstock.errors import DataError

_FEWEST_COLUMNS = 8  # for a table of ones and zeros to be taken for frames
_ID_NAMES = ("unique_id", "id", "piece")


@dataclass(frozen=True)
class Frames:
    """Sequences of frames, one after the other.

    Attributes:
        name: the file's name, or what kind of frame it was.
        ids: [S] names of the sequences.
        offsets: [S + 1] where each starts.
        values: [N, D] uint8, ones and zeros.
        columns: [D] names.
        id: the column of ids, or None.
    """

    name: str
    ids: tuple[str, ...]
    offsets: NDArray[np.int64]
    values: NDArray[np.uint8]
    columns: tuple[str, ...]
    id: str | None

    def fingerprint(self) -> str:
        """Return a hash of all that is learned from."""
        digest = hashlib.sha256("\0".join(self.ids).encode())
        digest.update(self.offsets.tobytes() + self.values.tobytes())
        return digest.hexdigest()

    def about(self) -> dict[str, Any]:
        """Return what the record of a comparison says of the data."""
        return {
            "name": self.name,
            "rows": len(self.values),
            "series": len(self.ids),
            "missing": 0,
            "columns": {"id": self.id, "targets": list(self.columns)},
            "sha256": self.fingerprint(),
        }


def are_frames(frame: pl.DataFrame, options: Options) -> bool:
    """Whether a table holds eight columns or more, and nothing but ones and zeros in them."""
    check_names(frame, options)
    columns = [frame[c] for c in _columns(frame, options, _find_id(frame, options))]
    return len(columns) >= _FEWEST_COLUMNS and all(
        c.dtype.is_numeric() and not c.null_count() and bool(((c == 0) | (c == 1)).all())
        for c in columns
    )


def read_frames(source: Source, options: Options) -> Frames:
    """Return the frames of a table (a row a frame, a column of ids if several), or of arrays.

    Arrays are [T, D], one a sequence, all of the same D.

    Raises:
        DataError: a cell is neither 0 nor 1, or the arrays do not fit together.
    """
    with source.named():
        if source.arrays is not None:
            return _from_arrays(source.name, source.arrays)
        return _from_table(source.name, source.rows(), options)


def _find_id(frame: pl.DataFrame, options: Options) -> str | None:
    return options.id or next((c for c in _ID_NAMES if c in frame.columns), None)


def _columns(frame: pl.DataFrame, options: Options, ids: str | None) -> list[str]:
    time = options.time or find_time(frame, ids)
    return list(options.target) or [c for c in frame.columns if c not in (ids, time)]


def _from_table(name: str, frame: pl.DataFrame, options: Options) -> Frames:
    check_names(frame, options)
    id_column = _find_id(frame, options)
    columns = _columns(frame, options, id_column)
    values = np.empty((frame.height, len(columns)), np.uint8)
    for k, column in enumerate(columns):
        cells = numbers(frame[column])
        good = ((cells == 0) | (cells == 1)).fill_null(False).to_numpy()
        _check(good, f"column {column!r}, row", cells)
        values[:, k] = cells.to_numpy()
    ids = check_ids(frame[id_column]) if id_column else pl.repeat("all", len(values), eager=True)
    changes = np.flatnonzero((ids != ids.shift()).fill_null(True).to_numpy())
    names = ids[changes]
    if names.is_duplicated().any():
        twice = names.filter(names.is_duplicated())[0]
        raise DataError(f"the rows of {twice!r} are not together; sort them by {id_column!r}")
    offsets = np.append(changes, len(values))
    return Frames(name, tuple(names), offsets, values, tuple(columns), id_column)


def _from_arrays(name: str, arrays: dict[str, NDArray[Any]]) -> Frames:
    if not arrays:
        raise DataError("the file holds no arrays")
    width = {array.shape[1] if array.ndim == 2 else -1 for array in arrays.values()}
    if len(width) > 1 or -1 in width:
        shapes = ", ".join(f"{key} {list(array.shape)}" for key, array in arrays.items())
        raise DataError(
            "every array must be of shape [steps, columns], with the same number of columns; "
            f"these are {shapes[:100]}"
        )
    for key, array in arrays.items():
        good = np.isin(array, (0, 1)).reshape(len(array), -1).all(axis=1)
        _check(np.asarray(good), f"array {key!r}, row", array)
    values = np.concatenate([array.astype(np.uint8) for array in arrays.values()])
    offsets = np.cumsum([0, *(len(array) for array in arrays.values())])
    columns = tuple(str(k) for k in range(width.pop()))
    return Frames(name, tuple(arrays), offsets, values, columns, None)


def _check(good: NDArray[np.bool_], where: str, cells: Any) -> None:
    wrong = np.flatnonzero(~good)
    if len(wrong):
        cell = cells[int(wrong[0])]
        shown = "an empty cell" if cell is None else str(cell).replace("\n", " ")[:40]
        raise DataError(f"{where} {wrong[0] + 1}: {shown} is not 0 or 1; frames hold nothing else")

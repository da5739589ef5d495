"""Frames of ones and zeros, such as piano rolls: which notes sound at each step."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.data.files import Source
from penstock.data.series import Names, Options, one_or_more
from penstock.data.splits import drawn
from penstock.data.understanding.layouts.arrays import part_of_name
from penstock.data.understanding.understand import understand
from penstock.data.understanding.understanding import Understanding
from penstock.errors import DataError


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
        parts: [S] train, validation or test, where the names of arrays tell; else empty.
        draw: which of the splits by chance is meant; 0 is the one that is searched and judged.
    """

    name: str
    ids: tuple[str, ...]
    offsets: NDArray[np.int64]
    values: NDArray[np.uint8]
    columns: tuple[str, ...]
    id: Names
    parts: tuple[str, ...] = ()
    draw: int = 0

    def fingerprint(self) -> str:
        """Return a hash of all that is learned from."""
        digest = hashlib.sha256("\0".join((*self.ids, *self.parts)).encode() + drawn(self.draw))
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


def read_frames(
    source: Source, options: Options, understood: Understanding | None = None
) -> Frames:
    """Return the frames of a table (a row a frame, a column of ids if several), or of arrays.

    Arrays are [T, D], one a sequence, all of the same D.

    Raises:
        DataError: a cell is neither 0 nor 1, or the arrays do not fit together.
    """
    if source.arrays is not None:
        with source.named():
            return _from_arrays(source.name, source.arrays)
    if source.text is not None:
        source.rows()
    understood = understood or understand(source, replace(options, task="frames"))
    assert understood.table is not None
    columns, starts = understood.with_role("target"), understood.table.starts()
    values = understood.table.columns.select(columns).to_numpy().astype(np.uint8)
    ids, names = tuple(understood.table.ids[starts[:-1]]), one_or_more(understood.with_role("id"))
    return Frames(source.name, ids, starts, values, columns, names)


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
        if not len(array):
            raise DataError(f"array {key!r} has no frames; leave it out")
        good = np.isin(array, (0, 1)).all(axis=1)
        _check(np.asarray(good), f"array {key!r}, row", array)
    values = np.concatenate([array.astype(np.uint8) for array in arrays.values()])
    offsets = np.cumsum([0, *(len(array) for array in arrays.values())])
    columns = tuple(str(k) for k in range(width.pop()))
    parts = tuple(part_of_name(key)[0] for key in arrays)
    if any(parts) and not all(parts):
        raise DataError(
            f"array {next(k for k in arrays if not part_of_name(k)[0])!r} belongs to no part, but "
            "others are named train_…, valid_… or test_…"
        )
    parts = parts if all(parts) else ()
    return Frames(name, tuple(arrays), offsets, values, columns, None, parts)


def _check(good: NDArray[np.bool_], where: str, cells: Any) -> None:
    wrong = np.flatnonzero(~good)
    if len(wrong):
        cell = cells[int(wrong[0])]
        shown = "an empty cell" if cell is None else str(cell).replace("\n", " ")[:40]
        raise DataError(f"{where} {wrong[0] + 1}: {shown} is not 0 or 1; frames hold nothing else")

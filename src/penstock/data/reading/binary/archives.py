"""Arrays in .npy and .mat files, by name. Neither may run a stranger's code."""

import io
import math
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from penstock.data.reading.binary.npz import DAMAGE, read_array
from penstock.errors import DataError
from penstock.opening import check_claim, most_bytes, open_plain, read_bytes

Arrays = dict[str, NDArray[Any]]
_BYTES = 8  # of a value, once it is read
_HEADER, _PACKED = 128, 15  # of a .mat file: its length, and the kind of a part that zlib packed
_CHUNK = 2**16


def read_npy(path: Path) -> Arrays:
    """Return the array of an .npy file, under the name x.

    Raises:
        DataError: it is none, or holds Python objects.
    """
    content = read_bytes(path)
    try:
        return {"x": read_array("x", io.BytesIO(content), len(content))}
    except DataError:
        raise
    except DAMAGE as error:
        raise DataError(f"cannot be read ({error}); check that it is complete") from None


def read_mat(path: Path) -> Arrays:
    """Return the arrays of numbers, texts and cells of a MATLAB file (format 4 to 7).

    A cell array becomes one array a cell, named after it with a number.

    Raises:
        DataError: it cannot be read, or is of format 7.3, which is HDF5.
    """
    from scipy.io import loadmat, whosmat  # noqa: PLC0415  (takes a while, few files need it)

    content = io.BytesIO(read_bytes(path))
    try:
        claimed = _BYTES * sum(math.prod(shape) for _, shape, _ in whosmat(content))
        with open_plain(path) as file:
            check_claim(path, file, max(claimed, _inflated(content.getvalue(), most_bytes(file))))
        arrays = loadmat(content, squeeze_me=False)
    except DataError:
        raise
    except NotImplementedError:
        raise DataError("is of MATLAB's format 7.3; save it with -v7") from None
    except Exception as error:  # scipy raises many kinds on garbled files
        raise DataError(f"cannot be read ({error}); check that it is complete") from None
    plain = {name: array for name, array in arrays.items() if not name.startswith("__")}
    return dict(pair for name, array in plain.items() for pair in _plain(name, array))


def _inflated(content: bytes, most: int) -> int:
    """Return to how many bytes the packed parts of a .mat file unpack; counting ends at `most`."""
    order: Literal["little", "big"] = "little" if content[126:128] == b"IM" else "big"
    at, size = _HEADER, 0
    while at + 8 <= len(content) and size <= most:
        kind, length = (int.from_bytes(content[k : k + 4], order) for k in (at, at + 4))
        if kind == _PACKED:
            size += _inflated_part(content, at + 8, at + 8 + length, most - size)
        at += 8 + length
    return size


def _inflated_part(content: bytes, start: int, end: int, most: int) -> int:
    stream, size = zlib.decompressobj(), 0
    for at in range(start, min(end, len(content)), _CHUNK):
        packed = content[at : min(at + _CHUNK, end)]
        while packed and not stream.eof and size <= most:
            size += len(stream.decompress(packed, 16 * _CHUNK))
            packed = stream.unconsumed_tail
    return size


def _plain(name: str, array: NDArray[Any]) -> list[tuple[str, NDArray[Any]]]:
    if array.dtype == object:
        cells = [np.asarray(cell) for cell in array.ravel()]
        if all(cell.dtype.kind in "US" and cell.size == 1 for cell in cells):
            return [(name, np.array([str(cell.item()) for cell in cells]))]
        return [(f"{name} {k}", _vector(cell)) for k, cell in enumerate(cells, 1)]
    return [(name, _vector(array))] if array.dtype.kind in "biufUS" else []


def _vector(array: NDArray[Any]) -> NDArray[Any]:
    """Return [n] where MATLAB, which has no vectors, says [n, 1] or [1, n]."""
    return array.ravel() if array.ndim == 2 and 1 in array.shape else array

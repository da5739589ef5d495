"""Arrays in .npy and .mat files, by name. Neither may run a stranger's code."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DataError
from penstock.opening import check_claim, open_plain, read_bytes

Arrays = dict[str, NDArray[Any]]
_BYTES = 8  # of a value, once it is read


def read_npy(path: Path) -> Arrays:
    """Return the array of an .npy file, under the name x.

    Raises:
        DataError: it is none, or holds Python objects.
    """
    content = read_bytes(path)
    if not content.startswith(b"\x93NUMPY"):
        raise DataError("cannot be read (it is no .npy file of NumPy); check that it is complete")
    try:
        array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        if "Object arrays" in str(error):
            raise DataError(
                "holds Python objects, which are not read from strangers; "
                "save a plain array of numbers with numpy.save"
            ) from None
        raise DataError(f"cannot be read ({error}); check that it is complete") from None
    return {"x": array}


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
            check_claim(path, file, claimed)
        arrays = loadmat(content, squeeze_me=False)
    except DataError:
        raise
    except NotImplementedError:
        raise DataError("is of MATLAB's format 7.3; save it with -v7") from None
    except Exception as error:  # scipy raises many kinds on garbled files
        raise DataError(f"cannot be read ({error}); check that it is complete") from None
    plain = {name: array for name, array in arrays.items() if not name.startswith("__")}
    return dict(pair for name, array in plain.items() for pair in _plain(name, array))


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

"""NumPy archives (.npz): plain arrays of numbers or text alone, and no more than they may hold."""

import lzma
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from penstock.errors import DataError
from penstock.opening import check_claim, open_plain

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_HOLLOW = 2**20  # as the length of one axis where another has none: a claim that costs nothing
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # a password, a method of packing that is not known, too deep a header
    MemoryError,
)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a .npz file by name, read-only.

    Raises:
        DataError: it is damaged, holds anything else, or too much.
    """
    with open_plain(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                check_claim(path, file, sum(member.file_size for member in archive.infolist()))
                return _arrays(archive)
        except DataError as error:
            raise DataError(f"{path} {str(error).removeprefix(f'{path} ')}") from None
        except DAMAGE as error:
            reason = str(error).partition("\n")[0][:200]
            raise DataError(
                f"{path} cannot be read ({reason}); check that it is complete, and a .npz archive "
                "of NumPy"
            ) from None


def _arrays(archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    if not archive.infolist():
        raise DataError("holds no arrays; write it with numpy.savez")
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name in found or name == member.filename:
            what = "a name twice" if name in found else "a member that is no array"
            raise DataError(f"holds {what}, {member.filename!r}; write it with numpy.savez")
        with archive.open(member) as stream:
            found[name] = read_array(name, stream, member.file_size)
    return found


def read_array(name: str, stream: IO[bytes], size: int) -> NDArray[Any]:
    """Return an array of a stream of `size` bytes, none of which is pickled; read-only.

    Raises:
        DataError: it holds anything else, or not what its header says.
        One of DAMAGE: it is no array.
    """
    version = npy.read_magic(stream)
    if version not in _HEADERS:
        raise DataError(f"holds the array {name!r} in a format of NumPy that is not read here")
    shape, by_columns, dtype = _HEADERS[version](stream)
    if dtype.hasobject:  # pickled: reading them could run a stranger's code
        raise DataError(
            "holds Python objects, which are not read from strangers; "
            "save plain arrays of numbers, one a sequence, with numpy.savez"
        )
    if dtype.kind not in "biufUS":
        raise DataError(f"holds the array {name!r} of {dtype}, not of numbers or text")
    claimed = math.prod(shape) * dtype.itemsize
    hollow = not claimed and max(shape, default=0) > _HOLLOW
    if hollow or min(shape, default=0) < 0 or claimed != size - stream.tell():
        raise DataError(f"holds the array {name!r}, which is not as long as its shape {shape} says")
    values = np.frombuffer(stream.read(), dtype)
    return values.reshape(shape, order="F" if by_columns else "C")

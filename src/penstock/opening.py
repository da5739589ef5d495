"""Files of others: opened if they are plain files, read to a limit. Imports errors alone.

A file of 3 MB can unpack to 6 GB, a sparse one claim a terabyte, a pipe never end. So a file may
hold `most` bytes once it is unpacked: 1 GiB, or 16 times what it takes on disk where that is more.
The environment's PENSTOCK_UNPACKED_GIB, a number, raises the first.
"""

import gzip
import json
import math
import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from penstock.errors import ArgumentError, DataError

LIMIT = "PENSTOCK_UNPACKED_GIB"
_GIB = 2**30
_RATIO = 16
_CHUNK = 2**20
_LARGEST_JSON = 64 * 2**20  # as values of Python it takes twenty times as much
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_plain(path: Path) -> BinaryIO:
    """Return a file opened to read its bytes; of a pipe or device nothing is read.

    Raises:
        DataError: it is missing or closed to the user, or a folder, pipe or device.
    """
    try:
        if path.is_dir():
            raise DataError(f"{path} is a folder, not a file; give the path of a file")
        file = open(os.open(path, _FLAGS), "rb")  # noqa: SIM115  (O_NONBLOCK: a pipe may wait)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; give the path of a file") from None
    except (OSError, ValueError) as error:  # a name too long, a zero byte in it, no permission
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be opened ({reason})") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise DataError(f"{path} is a pipe or device; save what it gives as a plain file first")
    return file


def check_plain(path: Path) -> None:
    """Raise unless a path is a plain file's, no larger than one may be: others open it by name.

    Raises:
        DataError: it is not; see `open_plain`.
    """
    with open_plain(path) as file:
        check_claim(path, file, os.fstat(file.fileno()).st_size)


def most_bytes(file: BinaryIO) -> int:
    """Return how many bytes an opened file may hold once it is unpacked; see `most_of`."""
    return most_of(on_disk(file))


def on_disk(file: BinaryIO) -> int:
    """Return how many bytes an opened file takes on the disk: a sparse one takes few."""
    status = os.fstat(file.fileno())
    blocks: int = getattr(status, "st_blocks", -(-status.st_size // 512))
    return blocks * 512


def most_of(packed: int) -> int:
    """Return how many bytes may be made of so many on the disk.

    Raises:
        ArgumentError: the environment's limit is no number above 0.
    """
    told = os.environ.get(LIMIT, "1")
    try:
        gibs = float(told)
    except ValueError:
        gibs = math.nan
    if not 0 < gibs < math.inf:
        raise ArgumentError(f"{LIMIT} is {told!r}; give a number of GiB above 0, such as 8")
    return max(int(gibs * _GIB), _RATIO * packed)


def check_claim(path: Path, file: BinaryIO, claimed: int) -> None:
    """Raise if a file claims to hold more bytes than it may.

    Raises:
        DataError: it does.
    """
    if claimed > most_bytes(file):
        refuse(path, claimed, most_bytes(file))


def refuse(path: Path, claimed: int | None, most: int) -> NoReturn:
    """Raise, as a file holds more than it may."""
    size = f"{claimed / _GIB:,.1f}" if claimed else f"more than {most / _GIB:,.2g}"
    raise DataError(
        f"{path} unpacks to {size} GiB, and the limit is {most / _GIB:,.2g}; if you trust the "
        f"file and have the memory, set the environment variable {LIMIT} to more"
    )


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        DataError: it cannot be read, or holds too much.
    """
    with open_plain(path) as file:
        check_claim(path, file, os.fstat(file.fileno()).st_size)
        return _guarded(path, file.read)


def read_gzip(path: Path) -> bytes:
    """Return what a .gz file holds.

    Raises:
        DataError: it cannot be read, is damaged or cut off, or holds too much.
    """
    with open_plain(path) as file, gzip.open(file) as stream:
        return _guarded(path, lambda: _unpack(path, stream, most_bytes(file)))


def _unpack(path: Path, stream: gzip.GzipFile, most: int) -> bytes:
    found = bytearray()
    while chunk := stream.read(_CHUNK):
        found += chunk
        if len(found) > most:
            refuse(path, None, most)
    return bytes(found)


def _guarded(path: Path, read: Callable[[], bytes]) -> bytes:
    try:
        return read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); check that it is complete") from None


def read_json(path: Path) -> Any:
    """Return the value in a JSON file, strictly: no NaN, no infinity, no key twice.

    Raises:
        DataError: the file cannot be read, or is no such JSON.
    """
    return parse_json(path, json_bytes(path))


def json_bytes(path: Path) -> bytes:
    """Return the bytes of a JSON file.

    Raises:
        DataError: it cannot be read, or is too large.
    """
    with open_plain(path) as file:
        if os.fstat(file.fileno()).st_size > _LARGEST_JSON:
            raise DataError(f"{path} is too large: a JSON file is read up to 64 MiB")
        return _guarded(path, file.read)


def parse_json(path: Path, text: bytes) -> Any:
    """Return the value that the bytes of a JSON file stand for; see `read_json`.

    Raises:
        DataError: they are no such JSON.
    """
    try:
        return json.loads(text.decode(), parse_constant=_no_number, object_pairs_hook=_object)
    except RecursionError:
        raise DataError(f"{path} is nested too deeply to be a file of Penstock") from None
    except ValueError as error:
        raise DataError(f"{path} is no JSON as Penstock writes it ({error})") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a key twice")
    return found

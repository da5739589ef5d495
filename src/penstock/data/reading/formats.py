"""What tables in files hold, and whether text is packed: looked at first."""

from pathlib import Path
from typing import IO

import polars as pl

from penstock.errors import DataError
from penstock.opening import open_plain

LONGEST_LINE = 16 * 2**20
_MOST_COLUMNS = 100_000  # each is looked at by itself, for milliseconds
_CHUNK = 2**20
_GZIP = b"\x1f\x8b"
_PACKED = (_GZIP, b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # also zstd, zlib


def size_in_full(frame: pl.DataFrame) -> int:
    """Return the bytes of a table's values, where each row has a copy of its text.

    As it is read, rows can share one text; once it is worked with, they do not.
    """
    shared = frame.select(pl.col(pl.Categorical, pl.Enum).cat.len_bytes().cast(pl.Int64).sum())
    return int(frame.estimated_size() + sum(shared.row(0) if shared.width else ()))


def is_gzip(path: Path) -> bool:
    """Whether a file is packed by gzip: by its name, or else by its first bytes."""
    with open_plain(path) as file:
        return path.suffix.lower() == ".gz" or file.read(len(_GZIP)) == _GZIP


def check_unpacked(content: bytes) -> None:
    """Raise where text is packed, which polars would unpack without a limit.

    Raises:
        DataError: it is.
    """
    if content.startswith(_PACKED):
        raise DataError("is packed as no text is; unpack it, or use gzip, once")


def check_columns(count: int) -> None:
    """Raise where a table has more columns than can be looked at in minutes.

    Raises:
        DataError: it has.
    """
    if count > _MOST_COLUMNS:
        raise DataError(
            f"has {count:,} columns, and up to {_MOST_COLUMNS:,} are read; leave some out, or give "
            "each series rows of its own"
        )


def count_rows(path: Path, header: bytes, stream: IO[bytes]) -> int:
    """Return the lines after the header.

    Raises:
        DataError: one is so long that this can be no table.
    """
    rows, length = 0, len(header)
    for chunk in iter(lambda: stream.read(_CHUNK), b""):
        rows += chunk.count(b"\n")
        length = len(chunk) - chunk.rindex(b"\n") if b"\n" in chunk else length + len(chunk)
        if length > LONGEST_LINE:
            raise DataError(
                f"{path} has a line longer than 16 MiB; a table has a line for each row"
            )
    return rows

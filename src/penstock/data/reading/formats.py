"""What tables in files claim to hold is looked at first: Parquet, and the rows of text."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl

from penstock.data.reading.binary.packed import parquet_size
from penstock.errors import DataError
from penstock.opening import check_claim, open_plain

LONGEST_LINE = 16 * 2**20
_CHUNK = 2**20
_GZIP = b"\x1f\x8b"
_PACKED = (_GZIP, b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # also zstd, zlib
_CELL = 8  # bytes


def read_parquet(path: Path) -> pl.DataFrame:
    """Return the table of a Parquet file.

    Raises:
        DataError: it is damaged, or claims to hold too much.
    """
    with _named(path), open_plain(path) as file:
        lazy = pl.scan_parquet(path, glob=False)
        rows = lazy.select(pl.len()).collect().item()
        check_claim(path, file, rows * len(lazy.collect_schema()) * _CELL)
        check_claim(path, file, parquet_size(file))
        frame = lazy.collect()
        check_claim(path, file, size_in_full(frame))
        return frame


def size_in_full(frame: pl.DataFrame) -> int:
    """Return the bytes of a table's values, where each row has a copy of its text.

    As it is read, rows can share one text; once it is worked with, they do not.
    """
    shared = frame.select(pl.col(pl.Categorical, pl.Enum).cat.len_bytes().cast(pl.Int64).sum())
    return int(frame.estimated_size() + sum(shared.row(0) if shared.width else ()))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what polars raises inside into errors that name the file."""
    try:
        yield
    except pl.exceptions.NoDataError:
        raise DataError(f"{path} is empty; it must have a header and rows") from None
    except DataError:
        raise
    except (
        pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError,
        ValueError, LookupError, TypeError, AttributeError, RecursionError,  # of parquet_size
    ) as error:  # fmt: skip
        reason = str(error).strip().partition("\n")[0][:200]
        raise DataError(
            f"{path} cannot be read ({reason}); check that it is complete, and in UTF-8 if text"
        ) from None


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

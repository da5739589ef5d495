"""CSV and Parquet files → tables of polars. What they claim to hold is looked at first."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

import polars as pl

from penstock.errors import DataError
from penstock.opening import check_claim, open_plain, read_gzip

_TYPED_ROWS = 10_000  # to look at all takes ten times as long as to read them
_LONGEST_LINE = 16 * 2**20
_CHUNK = 2**20
_GZIP = b"\x1f\x8b"
_PACKED = (_GZIP, b"\x28\xb5\x2f\xfd", b"\x78\x01", b"\x78\x9c", b"\x78\xda")  # also zstd, zlib
_CELL = 8  # bytes


def read_table(path: Path) -> pl.DataFrame:
    """Return the table of a CSV file, unpacked if its name ends in .gz.

    Raises:
        DataError: it is empty or damaged, has no header, or holds too much.
    """
    with _named(path), open_plain(path) as file:
        content = read_gzip(path) if _is_gzip(path, file) else None
        stream = file if content is None else io.BytesIO(content)
        header = stream.readline(_LONGEST_LINE)
        if header.startswith(_PACKED):  # polars would unpack it without a limit
            raise DataError(f"{path} is packed as no CSV file is; unpack it, or use gzip, once")
        separator = max(",;\t", key=lambda mark: header.count(mark.encode()))
        # Short rows are filled up: a file can have far more cells than it has bytes.
        columns, rows = header.count(separator.encode()) + 1, count_rows(path, header, stream)
        check_claim(path, file, rows * columns * _CELL)
        frame = _read_csv(path if content is None else content, separator)
    if frame.columns and all(map(_is_number, frame.columns)):
        raise DataError(
            f"{path}: its first line holds numbers ({', '.join(frame.columns[:3])}); "
            "it must be a header that names the columns"
        )
    return frame


def read_parquet(path: Path) -> pl.DataFrame:
    """Return the table of a Parquet file.

    Raises:
        DataError: it is damaged, or claims to hold too much.
    """
    with _named(path), open_plain(path) as file:
        lazy = pl.scan_parquet(path, glob=False)
        rows = lazy.select(pl.len()).collect().item()
        check_claim(path, file, rows * len(lazy.collect_schema()) * _CELL)
        return lazy.collect()


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what polars raises inside into errors that name the file."""
    try:
        yield
    except pl.exceptions.NoDataError:
        raise DataError(f"{path} is empty; it must have a header and rows") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise DataError(
            f"{path} cannot be read ({reason}); check that it is complete, and in UTF-8 if text"
        ) from None


def _is_gzip(path: Path, file: BinaryIO) -> bool:
    """Whether a file is packed by gzip: by its name, or else by its first bytes."""
    start = file.read(len(_GZIP))
    file.seek(0)
    return path.suffix.lower() == ".gz" or start == _GZIP


def count_rows(path: Path, header: bytes, stream: IO[bytes]) -> int:
    """Return the lines after the header.

    Raises:
        DataError: one is so long that this can be no table.
    """
    rows, length = 0, len(header)
    for chunk in iter(lambda: stream.read(_CHUNK), b""):
        rows += chunk.count(b"\n")
        length = len(chunk) - chunk.rindex(b"\n") if b"\n" in chunk else length + len(chunk)
        if length > _LONGEST_LINE:
            raise DataError(
                f"{path} has a line longer than 16 MiB; a table has a line for each row"
            )
    return rows


def _read_csv(source: Path | bytes, separator: str) -> pl.DataFrame:
    """Return a table, its types those of the first rows, or of all where others come later."""
    try:
        return _csv(source, separator, _TYPED_ROWS)
    except pl.exceptions.ComputeError:
        return _csv(source, separator, None)


def _csv(source: Path | bytes, separator: str, rows: int | None) -> pl.DataFrame:
    return pl.read_csv(
        source, separator=separator, infer_schema_length=rows, try_parse_dates=True, glob=False
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

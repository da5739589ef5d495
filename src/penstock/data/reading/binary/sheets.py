"""Typed tables in files: Parquet, Feather (Arrow), Excel and JSON; claims are looked at first."""

import importlib.util
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import polars as pl

from penstock.data.reading.binary.guarded import Kind, panics_hushed, read_apart
from penstock.data.reading.binary.packed import feather_size, parquet_size
from penstock.data.reading.formats import size_in_full
from penstock.errors import DataError
from penstock.opening import check_claim, most_bytes, open_plain, read_bytes

_CELL = 8  # bytes
Found = TypeVar("Found")


def read_parquet(path: Path) -> pl.DataFrame:
    """Return the table of a Parquet file.

    Raises:
        DataError: it is damaged, or claims to hold too much.
    """
    lazy = pl.scan_parquet(path, glob=False)
    with open_plain(path) as file:
        rows = _tried(lazy.select(pl.len()).collect).item()
        check_claim(path, file, rows * len(_tried(lazy.collect_schema)) * _CELL)
        size, repeated = _tried(lambda: parquet_size(file))
        check_claim(path, file, size)
        doubtful = size + repeated > most_bytes(file)
        frame = _apart(path, read_bytes(path), "parquet") if doubtful else _tried(lazy.collect)
        check_claim(path, file, size_in_full(frame))
    return frame


def read_feather(path: Path) -> pl.DataFrame:
    """Return the table of a Feather file (Arrow IPC)."""
    content = read_bytes(path)
    with open_plain(path) as file:
        check_claim(path, file, _tried(lambda: feather_size(content)))
        frame = _from_arrow(content)
        check_claim(path, file, size_in_full(frame))
    return frame


def read_json(path: Path) -> pl.DataFrame:
    """Return the table of a JSON file: objects with the names of columns, in a list or a line each.

    Raises:
        DataError: it is no such.
    """
    content = read_bytes(path).lstrip()
    read = pl.read_ndjson if content.startswith(b"{") else pl.read_json
    return _tried(lambda: read(io.BytesIO(content), infer_schema_length=None))


def read_excel(path: Path) -> pl.DataFrame:
    """Return the first sheet of an Excel file.

    Raises:
        DataError: it cannot be read, or fastexcel, which the extra `excel` brings, is not there.
    """
    if not importlib.util.find_spec("fastexcel"):
        raise DataError(
            "takes the library fastexcel: pip install 'penstock[excel]', or save it as CSV"
        )
    content = read_bytes(path)
    with open_plain(path) as file:
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                check_claim(path, file, sum(member.file_size for member in archive.infolist()))
        frame = _apart(path, content, "excel")
        check_claim(path, file, size_in_full(frame))
    return frame


def _apart(path: Path, content: bytes, kind: Kind) -> pl.DataFrame:
    with open_plain(path) as file:
        return _from_arrow(read_apart(path, content, most_bytes(file), kind))


def _from_arrow(content: bytes) -> pl.DataFrame:
    return _tried(lambda: pl.read_ipc(io.BytesIO(content)))


def _tried(read: Callable[[], Found]) -> Found:
    try:
        with panics_hushed():
            return read()
    except pl.exceptions.NoDataError:
        raise DataError("is empty; it must have a header and rows") from None
    except (Exception, pl.exceptions.PanicException) as error:  # each reader has its own
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"cannot be read ({reason[:200]}); check that it is complete") from None

"""Typed tables in files: Feather (Arrow), Excel and JSON."""

import io
import zipfile
from pathlib import Path
from typing import Any

import polars as pl

from penstock.errors import DataError
from penstock.opening import check_claim, open_plain, read_bytes

_CELL = 8  # bytes


def read_feather(path: Path) -> pl.DataFrame:
    """Return the table of a Feather file (Arrow IPC)."""
    content = read_bytes(path)
    lazy = _tried(pl.scan_ipc, content)
    rows = _tried(lambda _: lazy.select(pl.len()).collect().item(), content)
    columns = len(_tried(lambda _: lazy.collect_schema(), content))
    with open_plain(path) as file:
        check_claim(path, file, rows * columns * _CELL)
    frame: pl.DataFrame = _tried(pl.read_ipc, content)
    return frame


def read_json(path: Path) -> pl.DataFrame:
    """Return the table of a JSON file: objects with the names of columns, in a list or a line each.

    Raises:
        DataError: it is no such.
    """
    content = read_bytes(path).lstrip()
    read = pl.read_ndjson if content.startswith(b"{") else pl.read_json
    frame: pl.DataFrame = _tried(read, content, infer_schema_length=None)
    return frame


def read_excel(path: Path) -> pl.DataFrame:
    """Return the first sheet of an Excel file.

    Raises:
        DataError: it cannot be read, or fastexcel, which the extra `excel` brings, is not there.
    """
    try:
        import fastexcel  # noqa: F401, PLC0415  (an extra)
    except ImportError:
        raise DataError(
            "takes the library fastexcel: pip install 'penstock[excel]', or save it as CSV"
        ) from None
    content = read_bytes(path)
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive, open_plain(path) as file:
            check_claim(path, file, sum(member.file_size for member in archive.infolist()))
    frame: pl.DataFrame = _tried(pl.read_excel, content, drop_empty_rows=True)
    return frame


def _tried(read: Any, content: bytes, **options: Any) -> Any:
    try:
        return read(io.BytesIO(content), **options)
    except pl.exceptions.NoDataError:
        raise DataError("is empty; it must have a header and rows") from None
    except Exception as error:  # each reader has errors of its own
        reason = str(error).strip().partition("\n")[0][:200]
        raise DataError(f"cannot be read ({reason}); check that it is complete") from None

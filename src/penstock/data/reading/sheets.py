"""Typed tables in files: Parquet, Feather (Arrow) and Excel."""

import io
from typing import Any

import polars as pl

from penstock.errors import DataError


def read_parquet(content: bytes) -> pl.DataFrame:
    """Return the table of a Parquet file."""
    return _tried(pl.read_parquet, content)


def read_feather(content: bytes) -> pl.DataFrame:
    """Return the table of a Feather file (Arrow IPC)."""
    return _tried(pl.read_ipc, content, memory_map=False)


def read_excel(content: bytes) -> pl.DataFrame:
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
    return _tried(pl.read_excel, content, drop_empty_rows=True, drop_empty_cols=False)


def _tried(read: Any, content: bytes, **options: Any) -> pl.DataFrame:
    try:
        frame: pl.DataFrame = read(io.BytesIO(content), **options)
    except pl.exceptions.NoDataError:
        raise DataError("is empty; it must have a header and rows") from None
    except Exception as error:  # each reader has errors of its own
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"cannot be read ({reason}); check that it is complete") from None
    return frame

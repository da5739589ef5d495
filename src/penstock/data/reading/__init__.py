"""Any file, folder, dataframe or arrays → a `Source`. No cell is taken for anything but text yet.

A source of text with separators has a table of text; what its cells are (numbers, dates, ids) is
for `penstock.data.understanding` to tell, which sees the whole table.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from penstock.data.files import Source
from penstock.data.reading.binary.archives import read_mat, read_npy
from penstock.data.reading.binary.npz import read_arrays
from penstock.data.reading.binary.sheets import (
    read_excel,
    read_feather,
    read_json,
    read_parquet,
)
from penstock.data.reading.folders import read_folder
from penstock.data.reading.formats import (
    LONGEST_LINE,
    check_columns,
    check_unpacked,
    count_rows,
    is_gzip,
)
from penstock.data.reading.objects import read_object
from penstock.data.reading.text.conll import read_conll
from penstock.data.reading.text.corpora import read_arff, read_fasta, read_ts
from penstock.data.reading.text.delimited import find_separator, is_table, read_delimited
from penstock.data.reading.text.encodings import to_utf8
from penstock.data.reading.text.monash import read_tsf
from penstock.errors import DataError
from penstock.opening import check_claim, open_plain, read_bytes, read_gzip

__all__ = ["SUFFIXES", "read_source"]

_TEXTS: dict[str, Callable[[bytes], pl.DataFrame]] = {
    ".arff": read_arff, ".ts": read_ts, ".tsf": read_tsf,
    ".fasta": read_fasta, ".fa": read_fasta, ".fna": read_fasta, ".faa": read_fasta,
}  # fmt: skip
_TABLES: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": read_parquet, ".pq": read_parquet,
    ".feather": read_feather, ".arrow": read_feather, ".ipc": read_feather,
    ".xlsx": read_excel, ".xls": read_excel, ".xlsm": read_excel, ".xlsb": read_excel,
    ".ods": read_excel, ".json": read_json, ".jsonl": read_json, ".ndjson": read_json,
}  # fmt: skip
_ARRAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".npy": read_npy, ".npz": read_arrays, ".mat": read_mat,
}  # fmt: skip
_DELIMITED = (".csv", ".tsv", ".tab", ".dat", ".conll")
SUFFIXES = (*_DELIMITED, ".txt", *_TEXTS, *_TABLES, *_ARRAYS)
_CELL = 8  # bytes


def read_source(data: Any) -> Source:
    """Return what a path (a file or a folder), a dataframe, or arrays hold.

    Raises:
        DataError: it cannot be used; the message says where and why.
        ArgumentError: data is none of these.
    """
    if isinstance(data, Source):
        return data
    if not isinstance(data, str | Path):
        return _filled(read_object(data))
    path = Path(data)
    try:
        return _filled(read_folder(path, read_source) if os.path.isdir(path) else _file(path))
    except DataError as error:
        told = str(error)
        raise DataError(told if told.startswith(str(path)) else f"{path} {told}") from None


def _file(path: Path) -> Source:
    open_plain(path).close()
    packed = path.suffix.lower() == ".gz"
    suffix = Path(path.stem if packed else path.name).suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"is of no format that the suffix {path.suffix!r} tells; known: {', '.join(SUFFIXES)}"
        )
    if suffix in _ARRAYS:
        return Source(path.name, arrays=_ARRAYS[suffix](path))
    if suffix in _TABLES:
        return Source(path.name, _TABLES[suffix](path))
    content = read_gzip(path) if is_gzip(path) else read_bytes(path)
    check_unpacked(content)
    if not content:
        raise DataError("is empty; there is nothing to learn from")
    return _text(path, content, suffix)


def _text(path: Path, content: bytes, suffix: str) -> Source:
    if suffix in _TEXTS:
        return Source(path.name, _TEXTS[suffix](content))
    if suffix == ".txt":
        try:
            text = to_utf8(content)[0]
        except DataError:
            return Source(path.name, text=content)
        if not is_table(text):
            return Source(path.name, read_conll(text.decode()), text=content)
    if suffix in (".tsv", ".conll") and (tagged := _tagged(content)) is not None:
        return Source(path.name, tagged)
    _check_size(path, content)
    frame, words, headless = read_delimited(content)
    text_too = content if suffix == ".txt" else None
    return Source(path.name, frame, text_too, conversions=words, headless=headless)


def _tagged(content: bytes) -> pl.DataFrame | None:
    """Return sentences of tagged words; None where lines are rows of a table."""
    text = to_utf8(content)[0]
    return read_conll(text.decode()) if b"\n\n" in text.replace(b"\r", b"").strip() else None


def _check_size(path: Path, content: bytes) -> None:
    """Raise where short rows, which are filled up, would be far more cells than bytes."""
    stream = io.BytesIO(content)
    header = stream.readline(LONGEST_LINE)
    columns = header.count(find_separator(content[: 2**18]).encode()) + 1
    check_columns(columns)
    with open_plain(path) as file:
        check_claim(path, file, count_rows(path, header, stream) * columns * _CELL)


def _filled(source: Source) -> Source:
    if source.table is not None and not source.table.height:
        raise DataError("has no rows below its header; there is nothing to learn from")
    if source.table is not None and not source.table.width:
        raise DataError("has no columns; there is nothing to learn from")
    if source.table is not None:
        check_columns(source.table.width)
    return source

"""Any file, folder, dataframe or arrays → a `Source`. No cell is taken for anything but text yet.

A source of text with separators has a table of text; what its cells are (numbers, dates, ids) is
for `penstock.data.understanding` to tell, which sees the whole table.
"""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.data.files import Source
from penstock.data.reading.archives import read_mat, read_npy, read_npz
from penstock.data.reading.corpora import read_arff, read_fasta, read_ts
from penstock.data.reading.delimited import is_table, read_delimited
from penstock.data.reading.encodings import to_utf8
from penstock.data.reading.folders import read_folder
from penstock.data.reading.objects import read_object
from penstock.data.reading.sheets import read_excel, read_feather, read_parquet
from penstock.errors import DataError

__all__ = ["SUFFIXES", "read_source"]

_TABLES: dict[str, Callable[[bytes], Any]] = {
    ".parquet": read_parquet, ".pq": read_parquet,
    ".feather": read_feather, ".arrow": read_feather, ".ipc": read_feather,
    ".xlsx": read_excel, ".xls": read_excel, ".xlsm": read_excel, ".xlsb": read_excel,
    ".ods": read_excel,
    ".arff": read_arff, ".ts": read_ts,
    ".fasta": read_fasta, ".fa": read_fasta, ".fna": read_fasta, ".faa": read_fasta,
}  # fmt: skip
_ARRAYS = {".npy": read_npy, ".npz": read_npz, ".mat": read_mat}
_DELIMITED = (".csv", ".tsv", ".tab", ".dat")
SUFFIXES = (*_DELIMITED, ".txt", *_TABLES, *_ARRAYS)


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
        return _filled(read_folder(path, read_source) if path.is_dir() else _file(path))
    except DataError as error:
        told = str(error)
        raise DataError(told if told.startswith(str(path)) else f"{path} {told}") from None


def _file(path: Path) -> Source:
    if not path.is_file():
        raise DataError("does not exist; give the path of a data file")
    suffix = Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"is of no format that the suffix {path.suffix!r} tells; known: {', '.join(SUFFIXES)}"
        )
    content = _content(path)
    if not content:
        raise DataError("is empty; there is nothing to learn from")
    if suffix in _ARRAYS:
        return Source(path.name, arrays=_ARRAYS[suffix](content))
    if suffix in _TABLES:
        return Source(path.name, _TABLES[suffix](content))
    return _text(path.name, content, suffix)


def _text(name: str, content: bytes, suffix: str) -> Source:
    if suffix == ".txt":
        try:
            text = to_utf8(content)[0]
        except DataError:
            return Source(name, text=content)
        if not is_table(text):
            return Source(name, text=content)
    frame, words = read_delimited(content)
    return Source(name, frame, conversions=words)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix.lower() == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read ({error}); check that it is complete") from None


def _filled(source: Source) -> Source:
    if source.table is not None and not source.table.height:
        raise DataError("has no rows below its header; there is nothing to learn from")
    if source.table is not None and not source.table.width:
        raise DataError("has no columns; there is nothing to learn from")
    return source

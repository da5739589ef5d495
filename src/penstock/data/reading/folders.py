"""A folder of files: a sequence each, its label from the folder that it lies in or from a table."""

import itertools
from collections.abc import Callable
from pathlib import Path

import polars as pl

from penstock.data.files import Source
from penstock.data.reading.formats import size_in_full
from penstock.errors import DataError
from penstock.opening import most_of, on_disk, open_plain, refuse

_TABLES = ("labels", "label", "classes", "metadata", "meta", "index")
_FILE_NAMES = ("file", "filename", "file_name", "path", "name", "id")
_MOST_FILES = 100_000


def read_folder(folder: Path, read: Callable[[Path], Source]) -> Source:
    """Return one long table: the columns id (the file's name) and those of the files and, where
    the files lie in folders below or a table beside them (labels.csv) tells it, label.

    Raises:
        DataError: there is no file that can be read, or their columns differ.
    """
    plain = (p for p in folder.rglob("*") if p.is_file() and not _hidden(p, folder))
    files = sorted(itertools.islice(plain, _MOST_FILES + 1))
    if len(files) > _MOST_FILES:
        raise DataError(f"has more than {_MOST_FILES:,} files; so many are not read")
    table = next((p for p in files if p.stem.lower() in _TABLES and p.parent == folder), None)
    files = [p for p in files if p != table]
    if not files:
        raise DataError("is a folder without data files")
    kinds = {_kind(path) for path in files}
    if len(kinds) > 1:
        raise DataError(f"is a folder of several kinds of file ({', '.join(sorted(kinds))})")
    parts = _parts(files, folder, read)
    columns = {tuple(part.columns) for part in parts}
    if len(columns) > 1:
        odd = next(
            p for p, part in zip(files, parts, strict=True) if part.columns != parts[0].columns
        )
        raise DataError(f"has other columns in {odd.name} than in {files[0].name}")
    whole = pl.concat(parts, how="vertical_relaxed")
    if table:
        whole = _labelled(whole, read(table).rows(), table.name)
    words = f"a folder of {len(files)} files, a sequence each"
    return Source(folder.name, whole, conversions=(words,))


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)


def _kind(path: Path) -> str:
    return "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lower()


def _parts(files: list[Path], folder: Path, read: Callable[[Path], Source]) -> list[pl.DataFrame]:
    """Return the tables of all files, which together may hold no more than one file may."""
    parts, size, packed = [], 0, 0
    for path in files:
        parts.append(_part(path, folder, read))
        size += size_in_full(parts[-1])
        with open_plain(path) as file:
            packed += on_disk(file)
        if size > most_of(packed):
            refuse(folder, size, most_of(packed))
    return parts


def _part(path: Path, folder: Path, read: Callable[[Path], Source]) -> pl.DataFrame:
    source = read(path)
    inside = path.relative_to(folder)
    name = str(inside).removesuffix(_kind(path))
    if source.table is not None:
        frame = source.table
    elif source.text is not None:
        frame = pl.DataFrame({"sequence": [source.text.decode(errors="replace").strip()]})
    else:
        arrays = list((source.arrays or {}).values())
        if len(arrays) != 1 or arrays[0].ndim > 2:
            raise DataError(
                f"holds several arrays in {path.name}; in a folder each file is a sequence"
            )
        rows = arrays[0].reshape(len(arrays[0]), -1)
        frame = pl.DataFrame({f"x{k + 1}": rows[:, k] for k in range(rows.shape[1])})
    if "id" not in frame.columns:
        frame = frame.insert_column(0, pl.repeat(name, frame.height, eager=True).alias("id"))
    if len(inside.parts) > 1 and "label" not in frame.columns:
        label = pl.repeat(inside.parts[0], frame.height, eager=True)
        frame = frame.with_columns(label.alias("label"))
    return frame


def _labelled(whole: pl.DataFrame, table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the rows with the columns of a table that has a row a file."""
    key = next((c for c in _FILE_NAMES if c in table.columns), table.columns[0])
    stems = table[key].cast(pl.String).str.replace(r"\.[A-Za-z]+(\.gz)?$", "")
    beside = table.drop(key).with_columns(stems.alias("id"))
    missing = set(whole["id"]) - set(stems)
    if missing:
        raise DataError(f"has no row for the file {min(missing)!r} in column {key!r} of {name}")
    clash = [c for c in beside.columns if c != "id" and c in whole.columns]
    return whole.drop(clash).join(beside.unique("id"), on="id", how="left", maintain_order="left")

"""A path or any dataframe → a `Source`: a table, a text or arrays, not yet looked into."""

import gzip
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

_TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_TYPED_ROWS = 10_000  # to look at all takes ten times as long as to read them
_SUFFIXES = (*_TEXT, ".parquet", ".txt", ".npz")


@dataclass(frozen=True)
class Source:
    """What a file or a dataframe holds: one of the three.

    Attributes:
        name: the file's name, or what kind of frame it was.
        table: the rows of a CSV or Parquet file, or of a dataframe.
        text: the bytes of a .txt file.
        arrays: the arrays of a .npz file, by name.
    """

    name: str
    table: pl.DataFrame | None = None
    text: bytes | None = None
    arrays: dict[str, NDArray[Any]] | None = None

    def rows(self) -> pl.DataFrame:
        """Return the table.

        Raises:
            DataError: the source is none.
        """
        if self.table is None:
            raise DataError(f"{self.name} is no table; give a CSV or Parquet file")
        return self.table

    @contextmanager
    def named(self) -> Iterator[None]:
        """Put the file's name before the message of a DataError that is raised inside."""
        try:
            yield
        except DataError as error:
            raise DataError(f"{self.name}: {error}") from None


def load(source: "str | Path | IntoDataFrame | Source") -> Source:
    """Return what a file or a dataframe holds.

    Args:
        source: the path of a CSV (.csv, .tsv, also with .gz), Parquet, text (.txt) or NumPy
            (.npz) file, or a dataframe of any library that narwhals knows (polars, pandas,
            pyarrow, …).

    Raises:
        DataError: the file is missing, empty, garbled, or of no known suffix.
        ArgumentError: source is neither a path nor a dataframe.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, str | Path):
        return _read_file(Path(source))
    try:
        frame = nw.from_native(source, eager_only=True)
    except TypeError:
        raise ArgumentError(
            f"data must be a path or a dataframe, not {type(source).__name__}"
        ) from None
    name = f"{frame.implementation.name.lower()} dataframe"
    return Source(name, _filled(frame.to_polars(), f"the {name}"))


def _read_file(path: Path) -> Source:
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise DataError(f"{path} {what}; give the path of a data file")
    if not path.name.lower().endswith(_SUFFIXES):
        raise DataError(
            f"{path}: cannot tell its format by the suffix {path.suffix!r}; "
            f"known: {', '.join(_SUFFIXES)}"
        )
    try:
        if path.suffix.lower() == ".txt":
            return Source(path.name, text=_read_bytes(path))
        if path.suffix.lower() == ".npz":
            return Source(path.name, arrays=_read_arrays(path))
        is_text = path.name.lower().endswith(_TEXT)
        frame = _read_text(path) if is_text else pl.read_parquet(path)
        return Source(path.name, _filled(frame, str(path)))
    except pl.exceptions.NoDataError:
        raise DataError(f"{path} is empty; it must have a header and rows") from None
    except (pl.exceptions.PolarsError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(
            f"{path} cannot be read ({reason}); check that it is complete, and in UTF-8 if text"
        ) from None


def _read_bytes(path: Path) -> bytes:
    content = path.read_bytes()
    if not content:
        raise DataError(f"{path} is empty; there is nothing to learn from")
    return content


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not zipfile.is_zipfile(path):
        raise zipfile.BadZipFile("it is no .npz archive of NumPy")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except ValueError:  # pickled objects: reading them could run a stranger's code
        raise DataError(
            f"{path} holds Python objects, which are not read from strangers; "
            "save plain arrays of numbers, one a sequence, with numpy.savez"
        ) from None


def _read_text(path: Path) -> pl.DataFrame:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        header = file.readline()
    separator = max(",;\t", key=lambda mark: header.count(mark.encode()))
    frame = _read_csv(path, separator)
    if frame.columns and all(map(_is_number, frame.columns)):
        raise DataError(
            f"{path}: its first line holds numbers ({', '.join(frame.columns[:3])}); "
            "it must be a header that names the columns"
        )
    return frame


def _read_csv(path: Path, separator: str) -> pl.DataFrame:
    """Return a table, its types those of the first rows, or of all where others come later."""
    try:
        return pl.read_csv(
            path, separator=separator, infer_schema_length=_TYPED_ROWS, try_parse_dates=True
        )
    except pl.exceptions.ComputeError:
        return pl.read_csv(
            path, separator=separator, infer_schema_length=None, try_parse_dates=True
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _filled(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    if not frame.height:
        raise DataError(f"{where} has no rows below its header; there is nothing to learn from")
    return frame

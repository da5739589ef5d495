"""A path or any dataframe → a `Source`: a table, a text or arrays, not yet looked into."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl
from numpy.typing import NDArray

from penstock.data.arrays import read_arrays
from penstock.data.formats import read_parquet, read_table
from penstock.errors import ArgumentError, DataError
from penstock.opening import open_plain, read_bytes

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

_TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_SUFFIXES = (*_TEXT, ".parquet", ".txt", ".npz")


@dataclass(frozen=True)
class Source:
    """What a file or a dataframe holds: one of the three.

    Attributes:
        name: the file's name, or what kind of frame it was.
        table: the rows of a CSV or Parquet file, or of a dataframe.
        text: the bytes of a .txt file.
        arrays: the arrays of a .npz file, by name.
        conversions: what was done to read it, in words.
    """

    name: str
    table: pl.DataFrame | None = None
    text: bytes | None = None
    arrays: dict[str, NDArray[Any]] | None = None
    conversions: tuple[str, ...] = ()

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
    open_plain(path).close()
    name = path.name.lower()
    if not name.endswith(_SUFFIXES):
        raise DataError(
            f"{path}: cannot tell its format by the suffix {path.suffix!r}; "
            f"known: {', '.join(_SUFFIXES)}"
        )
    if name.endswith(".txt"):
        return Source(path.name, text=_read_plain_text(path))
    if name.endswith(".npz"):
        return Source(path.name, arrays=read_arrays(path))
    read = read_table if name.endswith(_TEXT) else read_parquet
    return Source(path.name, _filled(read(path), str(path)))


def _read_plain_text(path: Path) -> bytes:
    content = read_bytes(path)
    if not content:
        raise DataError(f"{path} is empty; there is nothing to learn from")
    return content


def _filled(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    if not frame.height:
        raise DataError(f"{where} has no rows below its header; there is nothing to learn from")
    return frame

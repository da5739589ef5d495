"""What a file, a dataframe or arrays hold, not yet looked into: see `penstock.data.reading`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl
from numpy.typing import NDArray

from penstock.errors import DataError


@dataclass(frozen=True)
class Source:
    """What a file or a dataframe holds: one of the three, or a .txt file with a table.

    Attributes:
        name: the file's name, or what kind of frame it was.
        table: the rows of a CSV or Parquet file, or of a dataframe.
        text: the bytes of a .txt file.
        arrays: the arrays of a .npz file, by name.
        conversions: what was done to read it, in words.
        headless: whether no line names the columns of the table: their names are places, from 1.
    """

    name: str
    table: pl.DataFrame | None = None
    text: bytes | None = None
    arrays: dict[str, NDArray[Any]] | None = None
    conversions: tuple[str, ...] = ()
    headless: bool = False

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

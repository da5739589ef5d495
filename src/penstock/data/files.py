"""A path or any dataframe → a polars frame."""

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from penstock.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame

_TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_SUFFIXES = (*_TEXT, ".parquet")


def load(source: "str | Path | IntoDataFrame") -> tuple[pl.DataFrame, str]:
    """Return a file's or a dataframe's rows as a polars frame, and a name for them.

    Args:
        source: the path of a CSV (.csv, .tsv, also with .gz) or Parquet file, or a dataframe of
            any library that narwhals knows (polars, pandas, pyarrow, …).

    Raises:
        DataError: the file is missing, empty, garbled, or of no known suffix.
        ArgumentError: source is neither a path nor a dataframe.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        return _filled(_read_file(path), str(path)), path.name
    try:
        frame = nw.from_native(source, eager_only=True)
    except TypeError:
        raise ArgumentError(
            f"data must be a path or a dataframe, not {type(source).__name__}"
        ) from None
    name = f"{frame.implementation.name.lower()} dataframe"
    return _filled(frame.to_polars(), f"the {name}"), name


def _read_file(path: Path) -> pl.DataFrame:
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise DataError(f"{path} {what}; give the path of a CSV or Parquet file")
    if not path.name.lower().endswith(_SUFFIXES):
        raise DataError(
            f"{path}: cannot tell its format by the suffix {path.suffix!r}; "
            f"known: {', '.join(_SUFFIXES)}"
        )
    try:
        return _read_text(path) if path.name.lower().endswith(_TEXT) else pl.read_parquet(path)
    except pl.exceptions.NoDataError:
        raise DataError(f"{path} is empty; it must have a header and rows") from None
    except (pl.exceptions.PolarsError, OSError, EOFError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(
            f"{path} cannot be read ({reason}); check that it is complete, and in UTF-8 if text"
        ) from None


def _read_text(path: Path) -> pl.DataFrame:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        header = file.readline()
    separator = max(",;\t", key=lambda mark: header.count(mark.encode()))
    frame = pl.read_csv(path, separator=separator, infer_schema_length=None, try_parse_dates=True)
    if frame.columns and all(map(_is_number, frame.columns)):
        raise DataError(
            f"{path}: its first line holds numbers ({', '.join(frame.columns[:3])}); "
            "it must be a header that names the columns"
        )
    return frame


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

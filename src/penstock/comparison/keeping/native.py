"""Dataframes of the caller's kind: what came as pandas, pyarrow or polars goes back as that."""

from collections.abc import Callable
from typing import Any

import narwhals as nw
import polars as pl

Native = Callable[[pl.DataFrame], Any]


def native_of(data: Any, otherwise: Native | None = None) -> Native:
    """Return what makes dataframes of the kind of some data, or else of another, or of polars."""
    try:
        kind = nw.from_native(data, allow_series=True).implementation
    except TypeError:  # a path, arrays
        return otherwise or in_polars
    if kind.is_polars():
        return in_polars

    def converted(frame: pl.DataFrame) -> Any:
        return nw.from_dict(frame.to_dict(as_series=False), backend=kind).to_native()

    return converted


def in_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame as it is: the kind where the data were of none."""
    return frame

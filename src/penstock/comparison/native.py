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
        return otherwise or _as_it_is
    if kind.is_polars():
        return _as_it_is

    def converted(frame: pl.DataFrame) -> Any:
        return nw.from_dict(frame.to_dict(as_series=False), backend=kind).to_native()

    return converted


def _as_it_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame

"""Dataframes, series, arrays, lists and dicts of Python → a table, or arrays by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.files import Source
from penstock.data.reading.text.delimited import named_once
from penstock.errors import ArgumentError, DataError

_PAIR = 2


def read_object(data: Any) -> Source:
    """Return a source of any dataframe that narwhals knows, or of arrays, lists or dicts of them.

    A pair (x, y) is arrays and their labels; a dict with y or label in it, too.

    Raises:
        ArgumentError: data is none of these.
        DataError: it is one, but cannot be used.
    """
    if isinstance(data, tuple) and len(data) == _PAIR and _are_labels(data[1]):
        return Source("arrays", arrays={**_arrays(data[0]), "y": np.asarray(data[1])})
    if isinstance(data, np.ndarray):
        return Source("array", arrays={"x": _plain("x", data)})
    if isinstance(data, Mapping):
        return _of_dict(data)
    if isinstance(data, list | tuple):
        return Source("list of arrays", arrays=_arrays(data))
    return Source(*_of_frame(data))


def _are_labels(values: Any) -> bool:
    return not isinstance(values, str | Mapping) and np.ndim(values) == 1


def _arrays(data: Any) -> dict[str, NDArray[Any]]:
    """Return one array, or each of a list by the name of its place."""
    if isinstance(data, np.ndarray):
        return {"x": _plain("x", data)}
    if isinstance(data, Mapping):
        return {str(name): _plain(str(name), value) for name, value in data.items()}
    if not isinstance(data, Sequence) or isinstance(data, str) or not len(data):
        raise ArgumentError(f"data must be arrays, or a list or dict of them, not {_kind(data)}")
    if all(np.ndim(one) == 0 for one in data):
        return {"x": _plain("x", data)}
    return {f"row {k}": _plain(f"row {k}", one) for k, one in enumerate(data, 1)}


def _of_dict(data: Mapping[Any, Any]) -> Source:
    """Return a table where all values are columns of one length, else arrays."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in data.items():
        if isinstance(value, list | tuple) and value and np.ndim(value[0]) > 0:
            arrays |= {f"{name} {k}": one for k, one in enumerate(_arrays(value).values(), 1)}
        else:
            arrays[str(name)] = _plain(str(name), value)
    if not arrays:
        raise DataError("the dict is empty; there is nothing to learn from")
    lengths = {len(one) if one.ndim == 1 else -1 for one in arrays.values()}
    if len(lengths) == 1 and -1 not in lengths:
        return Source("dict of columns", pl.DataFrame(arrays))
    return Source("dict of arrays", arrays=arrays)


def _plain(name: str, value: Any) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError:
        raise DataError(
            f"array {name!r} is ragged; give a list of arrays, one a sequence"
        ) from None
    if array.dtype == object:
        texts = [None if cell is None else str(cell) for cell in array.ravel()]
        array = np.array([text or "" for text in texts]).reshape(array.shape)
    if array.ndim == 0 or array.dtype.kind not in "biufUSM":
        raise ArgumentError(f"{name!r} must be an array, not {_kind(value)}")
    return array


def _of_frame(data: Any) -> tuple[str, pl.DataFrame]:
    if type(data).__module__.partition(".")[0] == "pandas":
        data = _with_index(data)
    elif isinstance(data, pl.LazyFrame):
        data = data.collect()
    elif isinstance(data, pl.Series):
        data = data.to_frame()
    try:
        frame = nw.from_native(data, eager_only=True)
        name = f"{frame.implementation.name.lower()} dataframe"
    except TypeError:
        raise ArgumentError(
            f"data must be a path, a dataframe or arrays, not {_kind(data)}"
        ) from None
    try:
        return name, named_once(frame.to_polars())
    except Exception as error:  # pandas, pyarrow and narwhals each have errors of their own
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"the {name} cannot be read ({reason}); give plain columns") from None


def _with_index(data: Any) -> Any:
    """Return a frame of pandas with its index as columns, unless it only counts the rows."""
    if hasattr(data, "to_frame") and not hasattr(data, "columns"):
        data = data.to_frame() if data.name is not None else data.to_frame("y")
    counts = type(data.index).__name__ == "RangeIndex" and data.index.name is None
    data = data if counts else data.reset_index()
    data.columns = [str(name) for name in data.columns] if _odd_names(data) else data.columns
    periods = {
        name: data[name].dt.to_timestamp() for name in data.columns if _is_period(data, name)
    }
    return data.assign(**periods) if periods else data


def _odd_names(data: Any) -> bool:
    return not all(isinstance(name, str) for name in data.columns)


def _is_period(data: Any, name: str) -> bool:
    return str(getattr(data[name], "dtype", "")).startswith("period[")


def _kind(value: Any) -> str:
    return type(value).__name__

"""How a table holds labelled sequences: long, one a row, or one alone; labelled how."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from penstock.data.columns import check_names, find_time
from penstock.data.series import Options
from penstock.errors import ArgumentError

_LABEL_NAMES = ("label", "labels", "class", "tag", "tags")
_ID_NAMES = ("unique_id", "id", "sequence_id", "sequence")
_FEWEST_STEPS = 3
_MOST_CLASSES = 20  # whole numbers with more values than that are no classes


@dataclass(frozen=True)
class Layout:
    """Which columns of a table hold what.

    Attributes:
        form: "long" has a column of ids and a row a step; "row" has a sequence a row and a column
            a step; "one" is a single sequence with a row a step.
        label: the column of labels; None where they are not wanted.
        id, time: columns, or None.
        numbers, symbols: the columns of inputs; of the form "row", those of the steps.
        per: whether a label belongs to a sequence or to a step.
        classes: whether the labels are classes, and not numbers.
    """

    form: Literal["long", "row", "one"]
    label: str | None
    id: str | None
    time: str | None
    numbers: tuple[str, ...]
    symbols: tuple[str, ...]
    per: Literal["sequence", "step"]
    classes: bool

    @staticmethod
    def of_record(record: dict[str, Any]) -> "Layout":
        """Return the layout that was written as JSON."""
        columns = {name: tuple(record[name]) for name in ("numbers", "symbols")}
        return Layout(**{**record, **columns})

    def words(self) -> str:
        """Return the layout as part of a sentence."""
        form = {"long": "each id", "row": "each row", "one": "the one sequence"}[self.form]
        kind = "one of its classes" if self.classes else "a number"
        step = " at every step" if self.per == "step" else ""
        return f"column {self.label!r} gives {form} {kind}{step}"


def find_layout(frame: pl.DataFrame, options: Options) -> Layout | None:
    """Return how a table holds labelled sequences, or None where no column looks like labels.

    Labels: the column told, or the first named label, class or tag. Ids: as told, or the first
    named unique_id, id, sequence_id or sequence whose cells repeat. Without ids, columns that are
    numbered (t0, t1, t2, …) and all there is beside the label make a sequence of each row.

    Raises:
        ArgumentError: a column told is not there.
    """
    check_names(frame, options)
    named = next((c for c in frame.columns if c.lower() in _LABEL_NAMES), None)
    label = options.target[0] if len(options.target) == 1 else named
    if label is None or len(options.target) > 1:
        return None
    ids = options.id or next((c for c in _ID_NAMES if c in frame.columns and c != label), None)
    steps = _numbered([c for c in frame.columns if c not in (label, ids)])
    if steps and (ids is None or frame[ids].n_unique() == frame.height):
        classes = _are_classes(frame[label])
        return Layout("row", label, ids, None, steps, (), "sequence", classes)
    time = options.time or find_time(frame, ids)
    numbers, symbols = _inputs(frame, (label, ids, time))
    constant = ids is not None and _is_constant(frame, label, ids)
    form: Literal["long", "one"] = "long" if ids else "one"
    per: Literal["sequence", "step"] = "sequence" if constant else "step"
    classes = _are_classes(frame[label])
    if per == "step" and label.lower() not in _LABEL_NAMES and frame.schema[label].is_numeric():
        classes = False  # a series, unless it is called labels
    return Layout(form, label, ids, time, numbers, symbols, per, classes)


def wanted_layout(frame: pl.DataFrame, options: Options) -> Layout:
    """Return the layout of a table that must have labels.

    Raises:
        ArgumentError: it has none, or no input beside them.
    """
    layout = find_layout(frame, options)
    if layout is None:
        raise ArgumentError(
            "the column of labels is not clear; name one with --target "
            f"(columns: {', '.join(frame.columns[:8])})"
        )
    if not (layout.numbers or layout.symbols):
        raise ArgumentError(f"no column of inputs is left beside the labels {layout.label!r}")
    return layout


def _numbered(columns: list[str]) -> tuple[str, ...]:
    """Return the columns in the order of their numbers if all are one name with 0, 1, 2, … or
    1, 2, 3, … after it; else none."""
    found = [re.fullmatch(r"(.*?)(\d+)", name) for name in columns]
    parts = [(match[1], int(match[2]), match[0]) for match in found if match]
    if len(parts) < max(len(columns), _FEWEST_STEPS) or len({prefix for prefix, *_ in parts}) > 1:
        return ()
    parts.sort()
    first = parts[0][1]
    whole = [number for _, number, _ in parts] == [*range(first, first + len(parts))]
    return tuple(name for *_, name in parts) if whole and first in (0, 1) else ()


def _inputs(
    frame: pl.DataFrame, taken: tuple[str | None, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns of numbers, and those of symbols."""
    schema = frame.schema  # made anew at each access
    rest = [c for c in schema if c not in taken and not schema[c].is_temporal()]
    numbers = tuple(c for c in rest if _are_numbers(frame[c]))
    return numbers, tuple(c for c in rest if c not in numbers)


def _are_numbers(column: pl.Series) -> bool:
    """Whether a column is one of numbers, or would be but for a few cells of text."""
    if column.dtype != pl.String:
        return column.dtype.is_numeric() or column.dtype == pl.Null
    cells = column.drop_nulls().head(10_000)
    return 2 * cells.cast(pl.Float64, strict=False).null_count() < len(cells)


def _are_classes(column: pl.Series) -> bool:
    if not column.dtype.is_numeric():
        return True
    values = column.drop_nulls()
    whole = column.dtype.is_integer() or bool((values == values.round()).all())
    return whole and values.n_unique() <= _MOST_CLASSES


def _is_constant(frame: pl.DataFrame, label: str, ids: str) -> bool:
    """Whether the label is the same all through each id, of which there are several."""
    pairs = frame.select(ids, label).drop_nulls().unique()
    return 1 < pairs[ids].n_unique() == pairs.height < frame.height

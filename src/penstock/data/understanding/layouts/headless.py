"""Tables whose columns nothing names: a row a sequence with its label, or a row a step."""

import polars as pl

from penstock.data.series import Options
from penstock.data.understanding.cells.dates import looks_dated
from penstock.data.understanding.remarks import Remarks
from penstock.errors import DataError

_FEWEST_STEPS = 8  # columns beside the labels; shorter rows are as likely a step of series
_MOST_CLASSES = 100
_LABELLED = ("classify", "regress")


def name_columns(frame: pl.DataFrame, options: Options, remarks: Remarks) -> pl.DataFrame:
    """Return the table with names: label, and t0, t1, … for the steps of a sequence, or as it is.

    Columns are named by their place, from 1. Those of labels are told by --target; else they are
    the first or the last, as in the archives of UCR and UEA, where it alone holds few classes.

    Raises:
        DataError: a row may be a sequence as well as a step.
    """
    places = [name for name in frame.columns if name.isdigit()]
    label = _label(frame.select(places), options)
    if label is None and _are_steps(frame.select(places), options):
        remarks.converted("no line names the columns: they are named by their place, from 1")
        return frame
    steps = [name for name in places if name != label]
    if label is None and not (options.learned and options.target):
        raise _unclear(places)
    name = "label" if label is None or not options.target else options.target[0]
    remarks.converted(
        f"no line names the columns: column {label} holds the labels, the {len(steps)} others are "
        "the steps of a row; --task forecast takes a row for a step"
        if label else f"no line names the columns: the {len(steps)} are the steps of a row"
    )  # fmt: skip
    named = {old: f"t{k}" for k, old in enumerate(steps)}
    return frame.rename({**named, label: name} if label else named)


def _label(frame: pl.DataFrame, options: Options) -> str | None:
    """Return the column of labels if each row is a sequence; None where it is not, or not clear."""
    if options.task not in (None, *_LABELLED) or options.known or options.past or options.time:
        return None
    told = options.target[0] if len(options.target) == 1 else None
    if told in frame.columns:
        return told if options.task or frame.width > _FEWEST_STEPS else None
    ends = dict.fromkeys((frame.columns[0], frame.columns[-1]))
    few = [name for name in ends if _has_classes(frame[name])]
    if len(few) != 1 or frame.width <= _FEWEST_STEPS or _is_binary(frame):
        return None
    return few[0]


def _has_classes(column: pl.Series) -> bool:
    """Whether a column holds words or whole numbers, each in several rows."""
    cells = column.drop_nulls()
    numbers = cells.str.strip_chars().cast(pl.Float64, strict=False)
    whole = numbers.null_count() or bool((numbers == numbers.round()).all())
    kinds = cells.n_unique()
    return bool(whole) and 2 <= kinds <= min(_MOST_CLASSES, len(cells) // 2)


def _is_binary(frame: pl.DataFrame) -> bool:
    values = frame.select(
        pl.all().str.strip_chars().cast(pl.Float64, strict=False).is_in([0.0, 1.0])
    )
    return bool(values.fill_null(False).to_numpy().all())


def _are_steps(frame: pl.DataFrame, options: Options) -> bool:
    """Whether each row is a step: as the user says, or of one column, of dates, of 0 and 1."""
    named = (options.target, options.id, options.time, options.known, options.past, options.static)
    asked = options.task in ("forecast", "frames", "tag") or (any(named) and not options.learned)
    dated = frame.width > 1 and looks_dated(frame.to_series(0))
    return asked or dated or frame.width == 1 or _is_binary(frame)


def _unclear(places: list[str]) -> DataError:
    last = places[-1]
    return DataError(
        f"its first line holds numbers, so nothing names its {last} columns; write a line of names "
        "above it, or say what a row is: --task forecast (a row a step, columns named by their "
        f"place: --target {last}), or --task classify --target 1 (a row a sequence, its label in "
        "column 1)"
    )

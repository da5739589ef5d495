"""The user's own parts: a column that says train, validation or test."""

import polars as pl

from penstock.data.series import Options
from penstock.data.understanding.cells.cells import Cells, shown
from penstock.data.understanding.remarks import Remarks
from penstock.data.understanding.suits import LABELLED
from penstock.errors import ArgumentError, DataError

_WORDS = {"train": "train", "training": "train", "tr": "train", "fit": "train",
          "validation": "validation", "valid": "validation", "val": "validation",
          "dev": "validation", "test": "test", "testing": "test", "te": "test",
          "holdout": "test"}  # fmt: skip


def check_usable(options: Options, task: str) -> None:
    """Raise where a task cannot use what the user says of the parts.

    Raises:
        ArgumentError: it cannot.
    """
    where = f"--task {task}, which these data are taken for, cannot use"
    if options.group is not None and task not in LABELLED:
        raise ArgumentError(
            f"{where} --group {options.group}; it is for sequences with labels: "
            f"--task {', '.join(LABELLED)}"
        )
    if options.split is not None and task not in (*LABELLED, "forecast"):
        raise ArgumentError(
            f"{where} --split, --test or --validation; they are for tables of series, or of "
            "sequences with labels"
        )
    series = {
        "--test-windows": options.test_windows, "--horizon": options.horizon,
        "--frequency": options.frequency,
    }  # fmt: skip
    unused = next((option for option, value in series.items() if value), None)
    if unused and task != "forecast":
        raise ArgumentError(f"{where} {unused}; it is for series: --task forecast")
    if options.elapsed and task not in (*LABELLED, "forecast"):
        raise ArgumentError(f"{where} --elapsed; it is for rows with times")
    if options.test_windows not in (None, "last", "rolling"):
        raise ArgumentError(f"--test-windows is {options.test_windows!r}; give rolling or last")


def names_parts(cells: Cells) -> bool:
    """Whether a column holds nothing but names of parts: two of them, one of which trains."""
    if cells.sort != "text":
        return False
    words = cells.raw.drop_nulls().unique().str.strip_chars().str.to_lowercase()
    parts = {_WORDS.get(word) for word in words}
    return "train" in parts and None not in parts and len(parts) > 1


def note_parts(name: str, remarks: Remarks) -> None:
    """Say that a column names parts, which nobody said are to be used."""
    remarks.note(
        f"column {name!r} says train, validation or test and is left out; "
        f"--split {name} takes these parts"
    )


def part_of(cells: Cells, keys: pl.Series, per_sequence: bool) -> pl.Series:
    """Return the part of each row: train, validation or test.

    Raises:
        DataError: a cell names none of them, or a sequence is in two parts.
    """
    words = cells.text().str.strip_chars().str.to_lowercase()
    parts = words.replace_strict(_WORDS, default=None, return_dtype=pl.String)
    wrong = parts.is_null().arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"column {cells.name!r}, row {row + 1}: {shown(cells.raw, row)} is no part; write "
            "train, validation or test, or choose another column with --split"
        )
    if per_sequence:
        check_within(cells.name, keys, parts, "is in the parts", "--split")
    return parts.alias(cells.name)


def check_within(name: str, keys: pl.Series, values: pl.Series, what: str, option: str) -> None:
    """Raise where a sequence has two values.

    Raises:
        DataError: one has; the message names both.
    """
    pairs = pl.DataFrame([keys.alias("key"), values.alias("value")]).drop_nulls().unique()
    twice = pairs.filter(pl.col("key").is_duplicated()).sort("key", "value")
    if twice.height:
        one, other = twice["value"][:2]
        raise DataError(
            f"column {name!r}: sequence {twice['key'][0]!r} {what} {one!r} and {other!r}; give it "
            f"one, or choose another column with {option}"
        )


def count_parts(parts: pl.Series, keys: pl.Series, per_sequence: bool) -> dict[str, int]:
    """Return how many sequences, or rows, each part has."""
    if per_sequence:
        kept = pl.DataFrame([keys.alias("key"), parts.alias("part")]).unique()["part"]
    else:
        kept = parts
    return {part: int((kept == part).sum()) for part in ("train", "validation", "test")}

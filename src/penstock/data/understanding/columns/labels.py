"""What labels ask for: a class or a number, of each sequence or of each step."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.columns.oddities import constant_within
from penstock.data.understanding.names import LABELS
from penstock.data.understanding.suits import LABELLED, Facts, Labels, decide
from penstock.errors import ArgumentError

_MOST_CLASSES = 20  # whole numbers with more values than that are no classes


@dataclass(frozen=True)
class Question:
    """What is to be told of labelled sequences.

    Attributes:
        task: classify, regress or tag.
        labels: what is known of the column of labels.
    """

    task: str
    labels: Labels

    @property
    def label(self) -> str:
        """The column of labels."""
        return self.labels.name

    @property
    def classes(self) -> bool:
        """Whether labels are classes, and not numbers."""
        return self.labels.classes


def labelled_question(
    cells: Cells, keys: pl.Series, form: Literal["long", "row", "one"], task: str | None
) -> Question | None:
    """Return the question that a column of labels asks; None where it is a series in time.

    Labels that are the same all through each sequence belong to it, others to the steps. Text is
    a class, and so are whole numbers of at most 20 values.

    Raises:
        ArgumentError: the task that the user wants cannot have such labels.
    """
    whole = form == "row" or (keys.n_unique() > 1 and _one_each(cells, keys))
    classes = _are_classes(cells)
    if task in LABELLED:
        _check(cells, task, form)
        whole, classes = task != "tag", task != "regress"
    elif task is not None:
        return None
    sure = cells.sort != "number" or cells.name.strip().lower() in LABELS
    owner = {"long": "each id", "row": "each row", "one": "the one sequence"}[form]
    labels = Labels(cells.name, owner, whole, classes, sure)
    suit = decide(Facts("table", labels=labels))
    return Question(suit.task, labels) if suit.task in LABELLED else None


def _check(cells: Cells, task: str, form: str) -> None:
    if task == "tag" and form == "row":
        raise ArgumentError(
            f"column {cells.name!r} has one label a row, and each row is a sequence; "
            "to label every step give a row a step, with a column of ids"
        )
    if task != "tag" and form == "one":
        raise ArgumentError("there is one sequence alone; name the column of ids with --id")
    if task == "regress":
        cells.numbers()


def _one_each(cells: Cells, keys: pl.Series) -> bool:
    return keys.n_unique() < len(keys) and constant_within(cells, keys)


def _are_classes(cells: Cells) -> bool:
    if cells.sort != "number":
        return True
    values = cells.values.drop_nulls()
    return bool((values == values.round()).all()) and values.n_unique() <= _MOST_CLASSES

"""What tasks with one label a sequence are made of: bars to draw, classes, settings, notes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from penstock.data.labelled.encoding import code
from penstock.data.labelled.sequences import Sequences
from penstock.data.splits import Members
from penstock.errors import DataError
from penstock.tasks.problem import Examples, ExampleWindow
from penstock.tasks.sequences.binding import divided
from penstock.tasks.sequences.classes import ClassesProblem
from penstock.tasks.sequences.problem import SequenceProblem

_FEWEST = 3  # of a class: one to train on, one to validate, one to test


@dataclass(frozen=True)
class Bars(Examples):
    """Four test sequences, each with bars.

    Attributes:
        problem: whose sequences they are.
        names: of the bars.
        unit: of their heights.
        actual: [S, bars] of each sequence.
        heights: from predictions to heights [W, bars].
    """

    problem: SequenceProblem
    names: list[str]
    unit: str
    actual: Tensor
    heights: Callable[[Tensor], Tensor]

    def shown(self) -> list[ExampleWindow]:
        """Return the sequences, with the heights that are true."""
        ids, names, unit = self.problem.data.ids, self.names, self.unit
        return [
            ExampleWindow(ids[owner], names, self.actual[owner].tolist(), kind="bars", unit=unit)
            for owner in self.problem.parts["test"].owners[self.problem.example_index()].tolist()
        ]

    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the heights that are predicted."""
        rows: list[list[float]] = self.heights(predictions[self.problem.example_index()]).tolist()
        return rows


def sequence_settings(problem: SequenceProblem) -> dict[str, Any]:
    """Return how many sequences there are and how long, and the inputs."""
    lengths = problem.data.lengths
    return {
        "sequences": {part: len(pieces) for part, pieces in problem.parts.items()},
        "steps": [int(lengths.min()), int(np.median(lengths)), int(lengths.max())],
        "inputs": [*problem.data.layout.numbers, *problem.data.layout.symbols],
    }


def left_out(count: int, problem: SequenceProblem, why: str) -> tuple[str, ...]:
    """Return a note that sequences are left out, if any are."""
    return (f"{count} of {len(problem.data)} sequences left out, {why}",) if count else ()


def whole_classes(data: Sequences) -> tuple[tuple[str, ...], Members]:
    """Return the classes that training sees, and the sequences of each part.

    Where the parts are drawn, a class has a sequence for each of them; parts that the user gives
    may lack one.
    """
    fewest = _FEWEST if data.parts is None else 1
    counts = data.labels.drop_nulls().alias("class").value_counts(name="n")
    enough = tuple(sorted(counts.filter(pl.col("n") >= fewest)["class"]))
    strata = code(data.labels.fill_null(""), enough).numpy()
    members = divided(data, np.flatnonzero(strata), strata[strata > 0])
    seen = np.unique(strata[members["train"]]) - 1
    if len(seen) < 2:
        where = f"has {_FEWEST} sequences or more" if data.parts is None else "is in training"
        raise DataError(
            f"{data.name}: {len(seen)} class of {data.layout.label!r} {where}; it takes two such "
            "classes to tell apart"
        )
    return tuple(enough[k] for k in seen), members


def class_notes(problem: ClassesProblem) -> tuple[str, ...]:
    """Return what was left out."""
    data = problem.data
    drawn = f"in a class of fewer than {_FEWEST}"
    given = "in a class that is not in training"
    why = f"without a label or {drawn if data.parts is None and data.groups is None else given}"
    return left_out(int((problem.targets < 0).sum()), problem, why)


def class_table(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> pl.DataFrame:
    """Return id, predicted class, and the probability of each class."""
    shares = torch.softmax(outputs, dim=1)
    names = pl.Series(spec["classes"])
    columns = {f"p_{name}": shares[:, k].numpy() for k, name in enumerate(names)}
    predicted = names[shares.argmax(dim=1).numpy()]
    return pl.DataFrame({"id": data.ids, "predicted": predicted, **columns})

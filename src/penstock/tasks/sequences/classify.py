"""Classification of sequences: one class for each, from its first step to its last."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.labelled.encoding import Encoding, code
from penstock.data.labelled.pieces import whole
from penstock.data.labelled.sequences import Sequences
from penstock.data.splits import Members
from penstock.errors import DataError
from penstock.tasks.evidence import Evidence
from penstock.tasks.methods import Method
from penstock.tasks.sequences.classes import ClassesProblem, score
from penstock.tasks.sequences.evidence import of_sequences
from penstock.tasks.sequences.labelled import (
    LabelledReader,
    SequenceCodec,
    divided,
    make_spec,
    sequence_settings,
)
from penstock.tasks.sequences.linear import logistic
from penstock.tasks.sequences.methods import Constant, OnSummaries
from penstock.tasks.sequences.summaries import all_summaries
from penstock.tasks.shared import check_parts, no_horizon
from penstock.tasks.task import Examples, ExampleWindow, Parts, TaskKind

_FEWEST = 3  # of a class: one to train on, one to validate, one to test


@dataclass(frozen=True)
class ClassifyProblem(ClassesProblem):
    """Classification of sequences.

    Sequences are split by chance with a fixed seed, each class by its shares; one is never in two
    parts.
    """

    profile_of = "class"
    chance = ("most frequent class",)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean of −ln p of the true class."""
        *inputs, target = batch
        return cross_entropy(network(*inputs), target)

    def evidence(self) -> Evidence:
        """Return the classes, and the columns beside them."""
        return of_sequences(self, labels=True)


@dataclass(frozen=True)
class ClassBaselines:
    """The shares of the classes, and logistic regression on summaries of sequences."""

    problem: ClassifyProblem
    sizes: dict[str, Any]

    def __call__(self) -> dict[str, Method]:
        """Return both, fitted."""
        features = all_summaries(self.problem.all_inputs("train"), self.sizes["codes"])
        linear = logistic(features, self.problem.labels("train"), len(self.problem.classes))
        return {
            "most frequent class": Constant.of(self.sizes, output=self.problem.prior()),
            "logistic on summaries": OnSummaries.fitted(self.sizes, linear),
        }


@dataclass(frozen=True)
class ClassExamples(Examples):
    """Four test sequences, each with the probability of each class as bars."""

    problem: ClassifyProblem

    def shown(self) -> list[ExampleWindow]:
        """Return the sequences; of the true class the bar is 1."""
        problem, names = self.problem, list(self.problem.classes)
        return [
            ExampleWindow(
                problem.data.ids[owner],
                names,
                [float(k == problem.targets[owner]) for k in range(len(names))],
                kind="bars",
                unit="probability",
            )
            for owner in problem.parts["test"].owners[problem.example_index()].tolist()
        ]

    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the probability of each class."""
        rows: list[list[float]] = predictions[self.problem.example_index()].exp().tolist()
        return rows


def _bind(data: Sequences, horizon: int | None) -> Parts:
    """Return the parts on classes of at least three sequences, split and encoded."""
    no_horizon(horizon, CODEC.task)
    classes, members = _classes(data)
    targets = code(data.labels.fill_null(""), classes) - 1
    parts = {
        part: whole(data.offsets, chosen[targets.numpy()[chosen] >= 0])
        for part, chosen in members.items()
    }
    check_parts(parts, data.name)
    encoding = Encoding.fit(data, parts["train"].all_rows())
    problem = ClassifyProblem(data, encoding, *encoding.encode(data), parts, targets, classes)
    spec = make_spec(problem, problem.prior(), classes=list(classes))
    settings = {"classes": list(classes), **sequence_settings(problem)}
    fit = ClassBaselines(problem, CODEC.sizes(spec))
    return Parts(problem, fit, ClassExamples(problem), settings, _notes(problem), spec)


def _classes(data: Sequences) -> tuple[tuple[str, ...], Members]:
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


def _notes(problem: ClassifyProblem) -> tuple[str, ...]:
    """Return the reader's notes, and what was left out."""
    left, data = int((problem.targets < 0).sum()), problem.data
    drawn = f"in a class of fewer than {_FEWEST}"
    given = "in a class that is not in training"
    why = f"without a label or {drawn if data.parts is None and data.groups is None else given}"
    return (*data.notes, *([f"{left} of {len(data)} sequences left out, {why}"] if left else []))


def _table(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> pl.DataFrame:
    """Return id, predicted class, and the probability of each class."""
    shares = torch.softmax(outputs, dim=1)
    names = pl.Series(spec["classes"])
    columns = {f"p_{name}": shares[:, k].numpy() for k, name in enumerate(names)}
    predicted = names[shares.argmax(dim=1).numpy()]
    return pl.DataFrame({"id": data.ids, "predicted": predicted, **columns})


CODEC = SequenceCodec(
    "classify",
    "sequence",
    True,
    {"most frequent class": Constant, "logistic on summaries": OnSummaries},
    _table,
    score,
)
CLASSIFY = TaskKind("classify", "classify", CODEC, LabelledReader("classify"), _bind)

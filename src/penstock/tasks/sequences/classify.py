"""Classification of sequences: one class for each, from its first step to its last."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.labelled.encoding import code
from penstock.data.labelled.pieces import whole
from penstock.data.labelled.sequences import Sequences, read_sequences
from penstock.data.splits import Members
from penstock.errors import DataError
from penstock.tasks.methods import Method
from penstock.tasks.sequences.baselines.linear import logistic
from penstock.tasks.sequences.baselines.methods import Constant, OnSummaries
from penstock.tasks.sequences.baselines.positions import ByPosition, fits
from penstock.tasks.sequences.binding import divided, encoded, make_spec
from penstock.tasks.sequences.classes import ClassesProblem, score
from penstock.tasks.sequences.codec import SequenceCodec
from penstock.tasks.sequences.whole import Bars, SummaryBaselines, left_out, sequence_settings
from penstock.tasks.task import Parts, TaskKind

_FEWEST = 3  # of a class: one to train on, one to validate, one to test


@dataclass(frozen=True)
class ClassifyProblem(ClassesProblem):
    """Classification of sequences.

    Sequences are split by chance with a fixed seed, each class by its shares; one is never in two
    parts.
    """

    profile_of = "class"

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean of −ln p of the true class."""
        *inputs, target = batch
        return cross_entropy(network(*inputs), target)


@dataclass(frozen=True)
class ClassBaselines:
    """Those on summaries; and where all training sequences are as long, one on each position."""

    problem: ClassifyProblem
    sizes: dict[str, Any]
    summaries: SummaryBaselines

    def __call__(self) -> dict[str, Method]:
        """Return all that there can be, fitted."""
        fitted, problem = self.summaries(), self.problem
        lengths = problem.parts["train"].lengths
        if (lengths == lengths[0]).all() and fits(int(lengths[0]), self.sizes):
            every = problem.inputs("train", torch.arange(problem.size("train")))
            targets = problem.labels("train")
            fitted["naive Bayes by position"] = ByPosition.fit(
                self.sizes, every.numbers, every.symbols, targets
            )
        return fitted


def _bind(data: Sequences) -> Parts:
    """Return the parts on classes of at least three sequences, split and encoded."""
    classes, members = _classes(data)
    targets = code(data.labels.fill_null(""), classes) - 1
    parts = {
        part: whole(data.offsets, chosen[targets.numpy()[chosen] >= 0])
        for part, chosen in members.items()
    }
    problem = ClassifyProblem(*encoded(data, parts), targets, classes)
    spec = make_spec(problem, problem.prior(), classes=list(classes))
    sizes = CODEC.sizes(spec)
    summaries = SummaryBaselines(
        problem,
        sizes,
        {"most frequent class": problem.prior()},
        "logistic on summaries",
        partial(logistic, count=len(classes)),
    )
    one_hot = (targets[:, None] == torch.arange(len(classes))).double()
    examples = Bars(problem, list(classes), "probability", one_hot, torch.exp)
    settings = {"classes": list(classes), **sequence_settings(problem)}
    baselines = ClassBaselines(problem, sizes, summaries)
    return Parts(problem, baselines, examples, settings, (*data.notes, *_notes(problem)), spec)


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
    """Return what was left out."""
    data = problem.data
    drawn = f"in a class of fewer than {_FEWEST}"
    given = "in a class that is not in training"
    why = f"without a label or {drawn if data.parts is None and data.groups is None else given}"
    return left_out(int((problem.targets < 0).sum()), problem, why)


def _table(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> pl.DataFrame:
    """Return id, predicted class, and the probability of each class."""
    shares = torch.softmax(outputs, dim=1)
    names = pl.Series(spec["classes"])
    columns = {f"p_{name}": shares[:, k].numpy() for k, name in enumerate(names)}
    predicted = names[shares.argmax(dim=1).numpy()]
    return pl.DataFrame({"id": data.ids, "predicted": predicted, **columns})


CODEC = SequenceCodec(
    "classify",
    ClassifyProblem,
    {
        "most frequent class": Constant,
        "logistic on summaries": OnSummaries,
        "naive Bayes by position": ByPosition,
    },
    _table,
    score,
)
CLASSIFY = TaskKind("classify", "classify", CODEC, read_sequences, _bind)

"""Classification of sequences: one class for each, from its first step to its last."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.encoding import Encoding, code
from penstock.data.files import Source
from penstock.data.pieces import whole
from penstock.data.sequences import Sequences
from penstock.data.splits import split_set
from penstock.errors import DataError
from penstock.tasks import classes as scores
from penstock.tasks.base import Measured
from penstock.tasks.evidence import Evidence
from penstock.tasks.labelled import (
    LabelledTask,
    encoded,
    no_horizon,
    run,
    unlabelled,
)
from penstock.tasks.labelled_evidence import of_sequences
from penstock.tasks.linear import logistic, summaries

_FEWEST = 3  # of a class: one to train on, one to validate, one to test


@dataclass(frozen=True)
class Classify(LabelledTask):
    """Classification of sequences.

    Sequences are split by chance with a fixed seed, each class by its shares; one is never in two
    parts. Metrics: see `penstock.tasks.classes.measure`; trained on the log loss.

    Attributes:
        classes: sorted.
        targets: [S] the number of each sequence's class; −1 where it is left out.
    """

    classes: tuple[str, ...]
    targets: Tensor

    name = "classify"
    per = "sequence"
    has_classes = True
    metrics = scores.METRICS
    profile_of = "class"
    chance = ("most frequent class",)

    @classmethod
    def prepare(cls, data: Sequences, horizon: int | None = None) -> Self:
        """Return the task: classes of at least three sequences, split and encoded."""
        no_horizon(horizon, cls.name)
        counts = data.labels.drop_nulls().alias("class").value_counts(name="n")
        classes = tuple(sorted(counts.filter(pl.col("n") >= _FEWEST)["class"]))
        if len(classes) < 2:
            raise DataError(
                f"{data.name}: {len(classes)} class of {data.layout.label!r} has {_FEWEST} "
                "sequences or more; it takes two such classes to tell apart"
            )
        targets = code(data.labels.fill_null(""), classes) - 1
        kept = np.flatnonzero(targets.numpy() >= 0)
        members = split_set(targets.numpy()[kept])
        parts = {part: whole(data.offsets, kept[found]) for part, found in members.items()}
        encoding = Encoding.fit(data, parts["train"].all_rows())
        return cls(data, encoding, *encoding.encode(data), parts, classes, targets)

    def settings(self) -> dict[str, Any]:
        """Return the classes, and how many sequences there are and how long."""
        lengths = self.data.lengths
        return {
            "classes": list(self.classes),
            "sequences": {part: len(found) for part, found in self.parts.items()},
            "steps": [int(lengths.min()), int(np.median(lengths)), int(lengths.max())],
            "inputs": [*self.data.layout.numbers, *self.data.layout.symbols],
        }

    def notes(self) -> tuple[str, ...]:
        """Return the reader's notes, and what was left out."""
        left = int((self.targets < 0).sum())
        why = f"without a label or in a class of fewer than {_FEWEST}"
        out = (f"{left} of {len(self.data)} sequences left out, {why}",) if left else ()
        return (*self.data.notes, *out)

    def spec(self) -> dict[str, Any]:
        """Return columns, encoding, classes, and the logarithms of their shares."""
        return {
            "layout": asdict(self.data.layout),
            "encoding": self.encoding.record(),
            "classes": list(self.classes),
            "start": self._prior().tolist(),
        }

    @classmethod
    def apply(
        cls, network: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return id, predicted class, and the probability of each class."""
        data = unlabelled(spec, source)
        shares = torch.cat(run(network, encoded(spec, data))).softmax(dim=1)
        names = pl.Series(spec["classes"])
        columns = {f"p_{name}": shares[:, k].numpy() for k, name in enumerate(names)}
        predicted = names[shares.argmax(dim=1).numpy()]
        return pl.DataFrame({"id": data.ids, "predicted": predicted, **columns}), data.notes

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return numbers, symbols, lengths, and the classes [B]."""
        return *self.inputs(part, index), self._targets(part)[index]

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean of −ln p of the true class."""
        *inputs, target = batch
        return cross_entropy(network(*inputs), target)

    def predict(self, network: nn.Module) -> Tensor:
        """Return ln p of each class [W, C] for the test sequences."""
        return torch.cat(run(network, self.test_inputs())).log_softmax(dim=1)

    def baselines(self) -> dict[str, Tensor]:
        """Return the shares of the classes, and logistic regression on summaries of sequences."""
        train, test = (
            summaries(self.numbers, self.symbols, self.encoding.sizes, self.parts[part])
            for part in ("train", "test")
        )
        return {
            "most frequent class": self._prior().expand(self.size("test"), -1),
            "logistic on summaries": logistic(
                train, self._targets("train"), len(self.classes), test
            ),
        }

    def measure(self, predictions: Tensor) -> Measured:
        """Return the metrics; see `penstock.tasks.classes.measure`."""
        return scores.measure(predictions, self._targets("test"))

    def profile_names(self) -> list[str]:
        """Return the classes."""
        return [self.classes[k] for k in scores.present(self._targets("test")).tolist()]

    def examples(self) -> list[dict[str, Any]]:
        """Return four test sequences, each with its class as bars."""
        owners = self.parts["test"].owners[self.example_index()].tolist()
        return [
            {
                "series": self.data.ids[owner],
                "times": list(self.classes),
                "actual": [float(k == self.targets[owner]) for k in range(len(self.classes))],
                "context": 0,
                "kind": "bars",
                "unit": "probability",
                "levels": [],
            }
            for owner in owners
        ]

    def example_predictions(self, predictions: Tensor) -> list[list[float]]:
        """Return the probability of each class for the sequences of `examples`."""
        rows: list[list[float]] = predictions[self.example_index()].exp().tolist()
        return rows

    def evidence(self) -> Evidence:
        """Return the classes, and the columns beside them."""
        return of_sequences(self, self.targets, labels=True)

    def _targets(self, part: str) -> Tensor:
        return self.targets[self.parts[part].owners]

    def _prior(self) -> Tensor:
        return scores.log_prior(self._targets("train"), len(self.classes))

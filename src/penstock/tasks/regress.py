"""Regression on sequences: one number for each, from its first step to its last."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from penstock.data.encoding import Encoding
from penstock.data.files import Source
from penstock.data.pieces import whole
from penstock.data.scaling import Scale, fit_scale
from penstock.data.sequences import Sequences
from penstock.data.splits import split_set
from penstock.errors import DataError
from penstock.tasks.base import Measured
from penstock.tasks.evidence import Evidence
from penstock.tasks.labelled import (
    LabelledTask,
    check_parts,
    encoded,
    group_means,
    no_horizon,
    run,
    unlabelled,
)
from penstock.tasks.labelled_evidence import of_sequences
from penstock.tasks.linear import ridge, summaries

_QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")


@dataclass(frozen=True)
class Regress(LabelledTask):
    """Regression on sequences.

    Sequences are split by chance with a fixed seed; one is never in two parts. Metrics: MAE and
    RMSE in the unit of the label; trained on the absolute error, as the score is one.

    Attributes:
        targets: [S] the label of each sequence, float64; NaN where it has none.
        scale: of the labels, from the training part.
    """

    targets: Tensor
    scale: Scale

    name = "regress"
    per = "sequence"
    has_classes = False
    metrics = ("MAE", "RMSE")
    profile_of = "quarter of the test labels"
    chance = ("median",)

    @classmethod
    def prepare(cls, data: Sequences, horizon: int | None = None) -> Self:
        """Return the task: sequences with a label, split and encoded."""
        no_horizon(horizon, cls.name)
        labels = data.labels.to_numpy()
        kept = np.flatnonzero(~np.isnan(labels))
        members = split_set(np.zeros(len(kept), np.int64))
        parts = {part: whole(data.offsets, kept[found]) for part, found in members.items()}
        check_parts(parts, data.name)
        seen = labels[parts["train"].owners]
        if not np.ptp(seen):
            raise DataError(
                f"{data.name}: label column {data.layout.label!r} is constant ({seen[0]:g}) in the "
                "training part; there is nothing to learn: choose another with --target"
            )
        encoding = Encoding.fit(data, parts["train"].all_rows())
        scale = fit_scale(seen, np.ones(len(seen), bool))
        targets = torch.from_numpy(labels.astype(np.float64))
        return cls(data, encoding, *encoding.encode(data), parts, targets, scale)

    def settings(self) -> dict[str, Any]:
        """Return how many sequences there are and how long."""
        lengths = self.data.lengths
        return {
            "sequences": {part: len(found) for part, found in self.parts.items()},
            "steps": [int(lengths.min()), int(np.median(lengths)), int(lengths.max())],
            "inputs": [*self.data.layout.numbers, *self.data.layout.symbols],
        }

    def notes(self) -> tuple[str, ...]:
        """Return the reader's notes, and what was left out."""
        left = int(self.targets.isnan().sum())
        out = (f"{left} of {len(self.data)} sequences left out, without a label",) if left else ()
        return (*self.data.notes, *out)

    def spec(self) -> dict[str, Any]:
        """Return columns, encoding, and the scale of the labels."""
        return {
            "layout": asdict(self.data.layout),
            "encoding": self.encoding.record(),
            "scale": asdict(self.scale),
            "start": [float(self._targets("train").quantile(0.5))],
        }

    @classmethod
    def apply(
        cls, network: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return id and predicted number."""
        data = unlabelled(spec, source)
        found = torch.cat(run(network, encoded(spec, data)))[:, 0].double().numpy()
        values = Scale(**spec["scale"]).undo(found)
        return pl.DataFrame({"id": data.ids, "predicted": values}), data.notes

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return numbers, symbols, lengths, and the scaled labels [B]."""
        return *self.inputs(part, index), self._targets(part)[index].float()

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean absolute error, in scaled units."""
        *inputs, target = batch
        error: Tensor = network(*inputs)[:, 0] - target
        return error.abs().mean()

    def predict(self, network: nn.Module) -> Tensor:
        """Return the predictions [W] for the test sequences, in scaled units."""
        return torch.cat(run(network, self.test_inputs()))[:, 0].double()

    def baselines(self) -> dict[str, Tensor]:
        """Return mean and median of the training labels, and ridge regression on summaries."""
        known, count = self._targets("train"), self.size("test")
        train, test = (
            summaries(self.numbers, self.symbols, self.encoding.sizes, self.parts[part])
            for part in ("train", "test")
        )
        return {
            "mean": known.mean().expand(count),
            "median": known.quantile(0.5).expand(count),
            "ridge on summaries": ridge(train, known, test),
        }

    def measure(self, predictions: Tensor) -> Measured:
        """Return MAE and RMSE, and the MAE of each quarter of the test labels."""
        target = self._targets("test")
        error = (predictions - target).abs() * self.scale.std
        quarters = torch.tensor_split(target.argsort(), len(self.profile_names()))
        return Measured(
            {"MAE": float(error.mean()), "RMSE": float(error.square().mean().sqrt())},
            group_means(error),
            tuple(float(error[quarter].mean()) for quarter in quarters),
        )

    def profile_names(self) -> list[str]:
        """Return the names of the quarters."""
        return list(_QUARTERS[: self.size("test")])

    def examples(self) -> list[dict[str, Any]]:
        """Return four test sequences, each with its label as a bar."""
        owners = self.parts["test"].owners[self.example_index()].tolist()
        label = str(self.data.layout.label)
        return [
            {
                "series": self.data.ids[owner],
                "times": [label],
                "actual": [float(self.targets[owner])],
                "context": 0,
                "kind": "bars",
                "unit": label,
                "levels": [],
            }
            for owner in owners
        ]

    def example_predictions(self, predictions: Tensor) -> list[list[float]]:
        """Return the predictions for the sequences of `examples`."""
        return [[value] for value in self.scale.undo(predictions[self.example_index()].numpy())]

    def evidence(self) -> Evidence:
        """Return the labels, and the columns beside them."""
        return of_sequences(self, self.targets, labels=False)

    def _targets(self, part: str) -> Tensor:
        """Return the labels of a part [W], scaled."""
        labels = self.targets[self.parts[part].owners].numpy()
        return torch.from_numpy(self.scale.apply(labels))

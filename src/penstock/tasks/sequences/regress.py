"""Regression on sequences: one number for each, from its first step to its last."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from penstock.data.labelled.encoding import Encoding
from penstock.data.labelled.pieces import whole
from penstock.data.labelled.sequences import Sequences
from penstock.data.scaling import Scale, fit_scale
from penstock.errors import DataError
from penstock.tasks.codec import Evaluated
from penstock.tasks.evidence import Evidence
from penstock.tasks.methods import Method
from penstock.tasks.sequences.evidence import of_sequences
from penstock.tasks.sequences.labelled import (
    LabelledReader,
    SequenceCodec,
    SequenceProblem,
    divided,
    make_spec,
    sequence_settings,
)
from penstock.tasks.sequences.linear import ridge
from penstock.tasks.sequences.methods import Constant, OnSummaries
from penstock.tasks.sequences.summaries import all_summaries
from penstock.tasks.shared import check_parts, group_means, no_horizon
from penstock.tasks.task import Examples, ExampleWindow, Measured, Parts, TaskKind

_QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")


@dataclass(frozen=True)
class RegressProblem(SequenceProblem):
    """Regression on sequences.

    Sequences are split by chance with a fixed seed; one is never in two parts. Metrics: MAE and
    RMSE in the unit of the label; trained on the absolute error, as the score is one.

    Attributes:
        scale: of the labels, from the training part; targets are float64, NaN where there is none.
    """

    scale: Scale

    metrics = ("MAE", "RMSE")
    profile_of = "quarter of the test labels"
    chance = ("median",)

    def labels(self, part: str) -> Tensor:
        """Return the labels of a part [W], scaled."""
        return torch.from_numpy(self.scale.apply(super().labels(part).numpy()))

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return numbers, symbols, lengths, and the scaled labels [B]."""
        *inputs, target = super().batch(part, index)
        return *inputs, target.float()

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean absolute error, in scaled units."""
        *inputs, target = batch
        error: Tensor = network(*inputs)[:, 0] - target
        return error.abs().mean()

    def predict(self, model: nn.Module) -> Tensor:
        """Return the predictions [W] for the test sequences, in scaled units."""
        return self.test_outputs(model)[:, 0].double()

    def measure(self, predictions: Tensor) -> Measured:
        """Return MAE and RMSE, and the MAE of each quarter of the test labels."""
        target = self.labels("test")
        error = (predictions - target).abs() * self.scale.std
        quarters = torch.tensor_split(target.argsort(), len(self.profile_names()))
        return Measured(
            _metrics(error),
            group_means(error),
            tuple(float(error[quarter].mean()) for quarter in quarters),
        )

    def profile_names(self) -> list[str]:
        """Return the names of the quarters."""
        return list(_QUARTERS[: self.size("test")])

    def evidence(self) -> Evidence:
        """Return the labels, and the columns beside them."""
        return of_sequences(self, labels=False)


@dataclass(frozen=True)
class NumberBaselines:
    """Mean and median of the training labels, and ridge regression on summaries of sequences."""

    problem: RegressProblem
    sizes: dict[str, Any]

    def __call__(self) -> dict[str, Method]:
        """Return each, fitted."""
        known = self.problem.labels("train")
        features = all_summaries(self.problem.all_inputs("train"), self.sizes["codes"])
        return {
            "mean": Constant.of(self.sizes, output=known.mean()[None]),
            "median": Constant.of(self.sizes, output=known.quantile(0.5)[None]),
            "ridge on summaries": OnSummaries.fitted(self.sizes, ridge(features, known)),
        }


@dataclass(frozen=True)
class NumberExamples(Examples):
    """Four test sequences, each with its label as a bar."""

    problem: RegressProblem

    def shown(self) -> list[ExampleWindow]:
        """Return the sequences."""
        problem, label = self.problem, str(self.problem.data.layout.label)
        return [
            ExampleWindow(
                problem.data.ids[owner],
                [label],
                [float(problem.targets[owner])],
                kind="bars",
                unit=label,
            )
            for owner in problem.parts["test"].owners[problem.example_index()].tolist()
        ]

    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the predicted numbers."""
        shown = predictions[self.problem.example_index()].numpy()
        return [[value] for value in self.problem.scale.undo(shown)]


def _bind(data: Sequences, horizon: int | None) -> Parts:
    """Return the parts on sequences with a label, split and encoded."""
    no_horizon(horizon, CODEC.task)
    labels = data.labels.to_numpy()
    kept = np.flatnonzero(~np.isnan(labels))
    members = divided(data, kept, np.zeros(len(kept), np.int64))
    parts = {part: whole(data.offsets, chosen) for part, chosen in members.items()}
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
    problem = RegressProblem(data, encoding, *encoding.encode(data), parts, targets, scale)
    start = problem.labels("train").quantile(0.5)[None]
    spec, settings = make_spec(problem, start, scale=asdict(scale)), sequence_settings(problem)
    fit = NumberBaselines(problem, CODEC.sizes(spec))
    return Parts(problem, fit, NumberExamples(problem), settings, _notes(problem), spec)


def _notes(problem: RegressProblem) -> tuple[str, ...]:
    """Return the reader's notes, and what was left out."""
    left, data = int(problem.targets.isnan().sum()), problem.data
    out = [f"{left} of {len(data)} sequences left out, without a label"] if left else []
    return (*data.notes, *out)


def _table(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> pl.DataFrame:
    """Return id and predicted number."""
    values = Scale(**spec["scale"]).undo(outputs[:, 0].double().numpy())
    return pl.DataFrame({"id": data.ids, "predicted": values})


def _score(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> Evaluated:
    """Return the metrics over the sequences with a label."""
    labels = data.labels.to_numpy().astype(np.float64)
    predicted = Scale(**spec["scale"]).undo(outputs[:, 0].double().numpy())
    known = ~np.isnan(labels)
    left = int((~known).sum())
    note = f"{left} of {len(data)} sequences left out, without a label"
    error = torch.from_numpy(np.abs(predicted - labels)[known])
    return _metrics(error), (note,) if left else ()


def _metrics(error: Tensor) -> dict[str, float]:
    """Return MAE and RMSE of absolute errors."""
    return {"MAE": float(error.mean()), "RMSE": float(error.square().mean().sqrt())}


CODEC = SequenceCodec(
    "regress",
    "sequence",
    False,
    {"mean": Constant, "median": Constant, "ridge on summaries": OnSummaries},
    _table,
    _score,
)
REGRESS = TaskKind("regress", "regress", CODEC, LabelledReader("regress"), _bind)

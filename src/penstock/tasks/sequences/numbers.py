"""Labels that are numbers: the problem, its errors and its scale."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penstock.data.labelled.sequences import Sequences
from penstock.data.scaling import Scale, fit_scale
from penstock.errors import DataError
from penstock.tasks.codec import Evaluated
from penstock.tasks.measuring import measured
from penstock.tasks.problem import Measured
from penstock.tasks.sequences.problem import SequenceProblem

MEANINGS = {
    "MAE": "mean of |y − ŷ|, in the unit of the label",
    "RMSE": "root of the mean of (y − ŷ)²",
    "R²": "1 − Σ (y − ŷ)² / Σ (y − ȳ)²: 0 for the mean of the test labels, 1 at best",
}
_QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")


@dataclass(frozen=True)
class NumberProblem(SequenceProblem):
    """A problem whose labels are numbers, one a sequence.

    Metrics: see `errors`; trained on the absolute error, as the score is one.

    Attributes:
        scale: of the labels, from the training part; targets are float64, NaN where there is none.
    """

    scale: Scale

    has_classes = False
    metrics = tuple(MEANINGS)
    meanings = MEANINGS
    profile_of = "quarter of the test labels"

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
        """Return the metrics, and the MAE of each quarter of the test labels."""
        target = self.labels("test")
        error = (predictions - target).abs() * self.scale.std
        quarters = torch.tensor_split(target.argsort(), len(self.profile_names()))
        said, true = (
            torch.from_numpy(self.scale.undo(one.numpy())) for one in (predictions, target)
        )
        profile = tuple(float(error[quarter].mean()) for quarter in quarters)
        return measured(lambda kept: errors(said[kept], true[kept]), self.test_blocks(), profile)

    def in_unit(self, predictions: Tensor) -> Tensor:
        """Return predictions [W] in the unit of the label, [W, 1]."""
        return torch.from_numpy(self.scale.undo(predictions.numpy()))[:, None]

    def profile_names(self) -> list[str]:
        """Return the names of the quarters."""
        return list(_QUARTERS[: self.size("test")])


def label_scale(data: Sequences, seen: NDArray[np.float64]) -> Scale:
    """Return the scale of the training labels.

    Raises:
        DataError: they are all the same.
    """
    if not np.ptp(seen):
        raise DataError(
            f"{data.name}: label column {data.layout.label!r} is constant ({seen[0]:g}) in the "
            "training part; there is nothing to learn: choose another with --target"
        )
    return fit_scale(seen, np.ones(len(seen), bool))


def table(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> pl.DataFrame:
    """Return id and predicted number."""
    return pl.DataFrame({"id": data.ids, "predicted": _unscaled(spec, outputs)})


def score(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> Evaluated:
    """Return the metrics over the sequences with a label."""
    labels = torch.from_numpy(data.labels.to_numpy().astype(np.float64))
    known = ~labels.isnan()
    left = int((~known).sum())
    note = f"{left} of {len(data)} sequences left out, without a label"
    predicted = torch.from_numpy(_unscaled(spec, outputs))
    return errors(predicted[known], labels[known]), (note,) if left else ()


def errors(predicted: Tensor, labels: Tensor) -> dict[str, float]:
    """Return MAE and RMSE in the unit of the label, and R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)².

    R² is 0 for the mean of these labels, and where all of them are the same.
    """
    error, spread = predicted - labels, (labels - labels.mean()).square().sum()
    explained = 1 - error.square().sum() / spread if spread else torch.zeros(())
    rmse = error.square().mean().sqrt()
    return {"MAE": float(error.abs().mean()), "RMSE": float(rmse), "R²": float(explained)}


def _unscaled(spec: dict[str, Any], outputs: Tensor) -> NDArray[np.float64]:
    return Scale(**spec["scale"]).undo(outputs[:, 0].double().numpy())

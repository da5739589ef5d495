"""Regression on sequences: one number for each, from its first step to its last."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penstock.data.labelled.pieces import whole
from penstock.data.labelled.sequences import Sequences, read_sequences
from penstock.data.scaling import Scale, fit_scale
from penstock.errors import DataError
from penstock.tasks.codec import Evaluated
from penstock.tasks.problem import Measured
from penstock.tasks.sequences.baselines.linear import ridge
from penstock.tasks.sequences.baselines.methods import Constant, OnSummaries
from penstock.tasks.sequences.binding import divided, encoded, make_spec
from penstock.tasks.sequences.codec import SequenceCodec
from penstock.tasks.sequences.problem import SequenceProblem
from penstock.tasks.sequences.whole import Bars, SummaryBaselines, left_out, sequence_settings
from penstock.tasks.shared import groups
from penstock.tasks.task import Parts, TaskKind

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

    has_classes = False
    metrics = ("MAE", "RMSE")
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
        """Return MAE and RMSE, and the MAE of each quarter of the test labels."""
        target = self.labels("test")
        error = (predictions - target).abs() * self.scale.std
        quarters = torch.tensor_split(target.argsort(), len(self.profile_names()))
        return Measured(
            _metrics(error),
            *groups(error),
            tuple(float(error[quarter].mean()) for quarter in quarters),
        )

    def in_unit(self, predictions: Tensor) -> Tensor:
        """Return predictions [W] in the unit of the label, [W, 1]."""
        return torch.from_numpy(self.scale.undo(predictions.numpy()))[:, None]

    def profile_names(self) -> list[str]:
        """Return the names of the quarters."""
        return list(_QUARTERS[: self.size("test")])


def _bind(data: Sequences) -> Parts:
    """Return the parts on sequences with a label, split and encoded."""
    labels = data.labels.to_numpy().astype(np.float64)
    kept = np.flatnonzero(~np.isnan(labels))
    members = divided(data, kept, np.zeros(len(kept), np.int64))
    parts = {part: whole(data.offsets, chosen) for part, chosen in members.items()}
    begun, targets = encoded(data, parts), torch.from_numpy(labels)
    problem = RegressProblem(*begun, targets, _scale(data, labels[parts["train"].owners]))
    known, label = problem.labels("train"), str(data.layout.label)
    spec = make_spec(problem, known.quantile(0.5)[None], scale=asdict(problem.scale))
    baselines = SummaryBaselines(
        problem,
        CODEC.sizes(spec),
        {"mean": known.mean()[None], "median": known.quantile(0.5)[None]},
        "ridge on summaries",
        ridge,
    )
    examples = Bars(problem, [label], label, targets[:, None], problem.in_unit)
    notes = left_out(int(targets.isnan().sum()), problem, "without a label")
    settings = sequence_settings(problem)
    return Parts(problem, baselines, examples, settings, (*data.notes, *notes), spec)


def _scale(data: Sequences, seen: NDArray[np.float64]) -> Scale:
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
    RegressProblem,
    {"mean": Constant, "median": Constant, "ridge on summaries": OnSummaries},
    _table,
    _score,
)
REGRESS = TaskKind("regress", "regress", CODEC, read_sequences, _bind)

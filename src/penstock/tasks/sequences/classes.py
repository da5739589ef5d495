"""Scores of predicted classes, and what problems with classes share.

Predictions are logarithms of probabilities [W, C]; targets [W] number the classes, −1 where the
class is not known: it is then never scored.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import nll_loss

from penstock.data.labelled.encoding import code
from penstock.data.labelled.sequences import Sequences
from penstock.errors import DataError
from penstock.tasks.codec import Evaluated
from penstock.tasks.measuring import measured
from penstock.tasks.problem import Measured
from penstock.tasks.sequences.problem import SequenceProblem

MEANINGS = {
    "error rate": "share of wrong ones, 1 − accuracy",
    "accuracy": "share of right ones",
    "balanced accuracy": "mean over classes of the share of its members that are right",
    "macro F1": "mean over classes of 2 TP / (2 TP + FP + FN)",
    "log loss": "mean of −ln p of the true class",
}


def scores(predictions: Tensor, targets: Tensor) -> dict[str, float]:
    """Return the shares of wrong and of right classes, and what does not rest on the largest class.

    Balanced accuracy is the mean over classes of recall, macro F1 that of F1 = 2 TP / (2 TP + FP +
    FN), both over the classes that there are among the targets; the log loss is the mean of −ln p
    of the true class.
    """
    scored = targets >= 0
    predictions, targets = predictions[scored].double(), targets[scored]
    wrong = predictions.argmax(dim=1) != targets
    counts = _counts(predictions, targets).double()
    f1 = 2 * counts.diagonal() / (counts.sum(dim=0) + counts.sum(dim=1))
    return {
        "error rate": float(wrong.double().mean()),
        "accuracy": float(1 - wrong.double().mean()),
        "balanced accuracy": float(_recall(predictions, targets).mean()),
        "macro F1": float(f1[present(targets)].mean()),
        "log loss": float(nll_loss(predictions, targets)),
    }


def _recall(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return the share of right ones in each class that there is among targets, none below 0."""
    counts = _counts(predictions, targets).double()
    return (counts.diagonal() / counts.sum(dim=1))[present(targets)]


def _counts(predictions: Tensor, targets: Tensor) -> Tensor:
    """Return how often each class [C, taken for each C] was predicted; all targets are known."""
    count = predictions.shape[1]
    pairs = targets * count + predictions.argmax(dim=1)
    return torch.bincount(pairs, minlength=count**2).view(count, count)


def score(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> Evaluated:
    """Return the metrics of outputs [W, C] for the labels of sequences, or of their steps.

    Raises:
        DataError: no label is one of the model's classes.
    """
    labels, classes = data.labels, tuple(spec["classes"])
    targets = code(labels.fill_null(""), classes) - 1
    strange = sorted({*labels.drop_nulls()} - {*classes})
    if not (targets >= 0).any():
        raise DataError(
            f"{data.name}: column {data.layout.label!r} holds {', '.join(map(repr, strange[:4]))}; "
            f"the model knows {', '.join(map(repr, classes[:4]))}, and no label is one of its own"
        )
    unlabelled, left = labels.null_count(), int((targets < 0).sum())
    of = f"of {len(labels)} {data.layout.per}s left out"
    notes = {
        f"{unlabelled} {of}, without a label": unlabelled,
        f"{left - unlabelled} {of}, of classes that the model does not know: "
        f"{', '.join(map(repr, strange[:4]))}": left - unlabelled,
    }
    return scores(outputs.log_softmax(dim=1), targets), tuple(
        note for note, count in notes.items() if count
    )


def present(targets: Tensor) -> Tensor:
    """Return the classes that there are among targets, in order."""
    classes: Tensor = torch.unique(targets[targets >= 0])
    return classes


def log_prior(targets: Tensor, count: int) -> Tensor:
    """Return the logarithm of each class's share [C], every class counted once more."""
    counts = torch.bincount(targets[targets >= 0], minlength=count).double() + 1
    return (counts / counts.sum()).log()


@dataclass(frozen=True)
class ClassesProblem(SequenceProblem):
    """A problem whose labels are classes, of sequences or of steps.

    Metrics: see `measure`; trained on the log loss.

    Attributes:
        classes: sorted; targets are their numbers, −1 where the class is not known.
    """

    classes: tuple[str, ...]

    metrics = tuple(MEANINGS)
    meanings = MEANINGS

    def predict(self, model: nn.Module) -> Tensor:
        """Return ln p of each class [W, C] for the test sequences or steps."""
        return self.test_outputs(model).log_softmax(dim=1)

    def measure(self, predictions: Tensor) -> Measured:
        """Return the metrics; the profile is the share of wrong ones in each class."""
        targets = self.labels("test")
        scored = targets >= 0
        predictions, targets = predictions[scored], targets[scored]
        profile = tuple((1 - _recall(predictions, targets)).tolist())
        return measured(
            lambda kept: scores(predictions[kept], targets[kept]), self.test_blocks(scored), profile
        )

    def profile_names(self) -> list[str]:
        """Return the classes that there are in the test part."""
        return [self.classes[k] for k in present(self.labels("test")).tolist()]

    def class_names(self) -> list[str]:
        """Return all classes."""
        return list(self.classes)

    def confusion(self, predictions: Tensor) -> list[list[int]]:
        """Return how often each class was taken for each [C][C]."""
        targets = self.labels("test")
        scored = targets >= 0
        counts: list[list[int]] = _counts(predictions[scored], targets[scored]).tolist()
        return counts

    def prior(self) -> Tensor:
        """Return the logarithms of the classes' shares in training."""
        return log_prior(self.labels("train"), len(self.classes))

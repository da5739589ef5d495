"""Scores of predicted classes.

Predictions are logarithms of probabilities [W, C]; targets [W] number the classes, −1 where the
class is not known: it is then never scored.
"""

import torch
from torch import Tensor
from torch.nn.functional import nll_loss
from torchmetrics.functional.classification import multiclass_recall

from penstock.tasks.shared import group_means
from penstock.tasks.task import Measured

METRICS = ("error rate", "balanced error", "log loss")


def measure(predictions: Tensor, targets: Tensor) -> Measured:
    """Return the share of wrong classes, one minus the mean recall of a class, and the log loss.

    The log loss is the mean of −ln p of the true class. The profile is the share of wrong ones in
    each class that there is among the targets.
    """
    scored = targets >= 0
    predictions, targets = predictions[scored].double(), targets[scored]
    wrong = predictions.argmax(dim=1) != targets
    count = predictions.shape[1]
    recall = multiclass_recall(predictions, targets, num_classes=count, average="none")
    recall = recall[present(targets)]
    return Measured(
        {
            "error rate": float(wrong.double().mean()),
            "balanced error": float(1 - recall.mean()),
            "log loss": float(nll_loss(predictions, targets)),
        },
        group_means(wrong),
        tuple((1 - recall).tolist()),
    )


def present(targets: Tensor) -> Tensor:
    """Return the classes that there are among targets, in order."""
    classes: Tensor = torch.unique(targets[targets >= 0])
    return classes


def log_prior(targets: Tensor, count: int) -> Tensor:
    """Return the logarithm of each class's share [C], every class counted once more."""
    counts = torch.bincount(targets[targets >= 0], minlength=count).double() + 1
    return (counts / counts.sum()).log()

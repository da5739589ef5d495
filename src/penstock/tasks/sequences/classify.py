"""Classification of sequences: one class for each, from its first step to its last.

Sequences are split by chance with a fixed seed, each class by its shares; one is never in two
parts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.labelled.encoding import code
from penstock.data.labelled.pieces import whole
from penstock.data.labelled.sequences import Sequences, read_sequences
from penstock.tasks.sequences.baselines.fitting import WholeBaselines, of_whole
from penstock.tasks.sequences.binding import encoded, make_spec
from penstock.tasks.sequences.classes import ClassesProblem, score
from penstock.tasks.sequences.codec import SequenceCodec
from penstock.tasks.sequences.whole import (
    Bars,
    class_notes,
    class_table,
    sequence_settings,
    whole_classes,
)
from penstock.tasks.task import Parts, TaskKind, redrawn


@dataclass(frozen=True)
class ClassifyProblem(ClassesProblem):
    """Classification of sequences."""

    profile_of = "class"

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean of −ln p of the true class."""
        *inputs, target = batch
        return cross_entropy(network(*inputs), target)


def _bind(data: Sequences) -> Parts:
    """Return the parts on classes of at least three sequences, split and encoded."""
    classes, members = whole_classes(data)
    targets = code(data.labels.fill_null(""), classes) - 1
    parts = {
        part: whole(data.offsets, chosen[targets.numpy()[chosen] >= 0])
        for part, chosen in members.items()
    }
    problem = ClassifyProblem(*encoded(data, parts), targets, classes)
    spec = make_spec(problem, problem.prior(), classes=list(classes))
    one_hot = (targets[:, None] == torch.arange(len(classes))).double()
    return Parts(
        problem,
        WholeBaselines(problem, CODEC.sizes(spec), {"most frequent class": problem.prior()}),
        Bars(problem, list(classes), "probability", one_hot, torch.exp),
        {"classes": list(classes), **sequence_settings(problem)},
        (*data.notes, *class_notes(problem)),
        spec,
    )


CODEC = SequenceCodec(
    "classify", ClassifyProblem, of_whole("logistic", "most frequent class"), class_table, score
)
CLASSIFY = TaskKind("classify", "classify", CODEC, read_sequences, _bind, redraw=redrawn)

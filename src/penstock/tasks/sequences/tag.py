"""Labelling every step of sequences: a step's label from that step and those before it.

Ten sequences or more are split by sequence; each of fewer in time. Scores are over steps.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.labelled.encoding import code
from penstock.data.labelled.sequences import Sequences, read_sequences
from penstock.errors import DataError
from penstock.tasks.sequences.baselines.fitting import STEPS, StepBaselines
from penstock.tasks.sequences.binding import encoded, make_spec
from penstock.tasks.sequences.classes import ClassesProblem, score
from penstock.tasks.sequences.codec import SequenceCodec
from penstock.tasks.sequences.steps import (
    StepExamples,
    step_notes,
    step_pieces,
    step_settings,
    step_table,
    with_labels,
)
from penstock.tasks.shared import check_parts
from penstock.tasks.task import Parts, TaskKind, redrawn


@dataclass(frozen=True)
class TagProblem(ClassesProblem):
    """Labelling every step."""

    every_step = True
    profile_of = "label"

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return numbers, symbols, lengths, and labels [B, T], −1 past the end of a row."""
        inputs, rows = self.inputs(part, index), self.parts[part].rows(index)[0]
        assert inputs.lengths is not None
        labels = torch.where(inputs.inside(), self.targets[rows], -1)
        return inputs.numbers, inputs.symbols, inputs.lengths, labels

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean of −ln p of the true label, over steps that have one."""
        *inputs, target = batch
        outputs = network(*inputs)
        count = (target >= 0).sum().clamp(min=1)
        return cross_entropy(outputs.mT, target, ignore_index=-1, reduction="sum") / count


def _bind(data: Sequences) -> Parts:
    """Return the parts on pieces with at least one label, split and encoded."""
    pieces, split = step_pieces(data)
    known = data.labels.is_not_null().to_numpy()
    parts = {part: with_labels(whole, known) for part, whole in pieces.items()}
    check_parts(parts, data.name)
    rows = parts["train"].all_rows()
    classes = tuple(sorted(data.labels.gather(rows.numpy()).drop_nulls().unique()))
    if len(classes) < 2:
        raise DataError(
            f"{data.name}: {data.layout.label!r} is always {classes[0]!r} in the training "
            "part; there is nothing to learn: choose another column with --target"
        )
    targets = code(data.labels.fill_null(""), classes) - 1
    problem = TagProblem(*encoded(data, parts), targets, classes)
    prior = problem.prior()
    spec = make_spec(problem, prior, classes=list(classes))
    return Parts(
        problem,
        StepBaselines(problem, CODEC.sizes(spec), prior),
        StepExamples(problem),
        step_settings(problem, split),
        step_notes(problem),
        spec,
    )


CODEC = SequenceCodec("tag", TagProblem, STEPS, step_table, score)
TAG = TaskKind("tag", "tag", CODEC, read_sequences, _bind, redraw=redrawn)

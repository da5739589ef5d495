"""Regression on sequences: one number for each, from its first step to its last.

Sequences are split by chance with a fixed seed; one is never in two parts.
"""

from dataclasses import asdict

import numpy as np
import torch

from penstock.data.labelled.pieces import whole
from penstock.data.labelled.sequences import Sequences, read_sequences
from penstock.tasks.sequences.baselines.fitting import WholeBaselines, of_whole
from penstock.tasks.sequences.binding import divided, encoded, make_spec
from penstock.tasks.sequences.codec import SequenceCodec
from penstock.tasks.sequences.numbers import NumberProblem, label_scale, score, table
from penstock.tasks.sequences.whole import Bars, left_out, sequence_settings
from penstock.tasks.task import Parts, TaskKind, redrawn


def _bind(data: Sequences) -> Parts:
    """Return the parts on sequences with a label, split and encoded."""
    labels = data.labels.to_numpy().astype(np.float64)
    kept = np.flatnonzero(~np.isnan(labels))
    members = divided(data, kept, np.zeros(len(kept), np.int64))
    parts = {part: whole(data.offsets, chosen) for part, chosen in members.items()}
    begun, targets = encoded(data, parts), torch.from_numpy(labels)
    problem = NumberProblem(*begun, targets, label_scale(data, labels[parts["train"].owners]))
    known, label = problem.labels("train"), str(data.layout.label)
    spec = make_spec(problem, known.quantile(0.5)[None], scale=asdict(problem.scale))
    blind = {"mean": known.mean()[None], "median": known.quantile(0.5)[None]}
    notes = left_out(int(targets.isnan().sum()), problem, "without a label")
    return Parts(
        problem,
        WholeBaselines(problem, CODEC.sizes(spec), blind),
        Bars(problem, [label], label, targets[:, None], problem.in_unit),
        sequence_settings(problem),
        (*data.notes, *notes),
        spec,
    )


CODEC = SequenceCodec("regress", NumberProblem, of_whole("ridge", "mean", "median"), table, score)
REGRESS = TaskKind("regress", "regress", CODEC, read_sequences, _bind, redraw=redrawn)

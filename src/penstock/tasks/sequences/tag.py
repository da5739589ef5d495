"""Labelling every step of sequences: a step's label from that step and those before it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.labelled.encoding import code
from penstock.data.labelled.pieces import Pieces, cut, cut_members, cut_runs
from penstock.data.labelled.sequences import Sequences, read_sequences
from penstock.errors import DataError
from penstock.tasks.methods import Method
from penstock.tasks.problem import Examples, ExampleWindow
from penstock.tasks.sequences.baselines.linear import logistic
from penstock.tasks.sequences.baselines.methods import AtStep, GivenSymbol, OnStep, StepConstant
from penstock.tasks.sequences.binding import divided, encoded, make_spec
from penstock.tasks.sequences.classes import ClassesProblem, score
from penstock.tasks.sequences.codec import SequenceCodec
from penstock.tasks.shared import check_parts, pieces_note, spread
from penstock.tasks.task import Parts, TaskKind

_LONGEST = 200  # steps of a piece; each is read from a state of zero
_LONGEST_EXAMPLE = 60
_MOST_STEPS = 20_000  # training steps that the logistic baseline learns from


@dataclass(frozen=True)
class TagProblem(ClassesProblem):
    """Labelling every step.

    Ten sequences or more are split by sequence; each of fewer in time. Scores are over steps.
    """

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

    def places(self, part: str) -> Tensor:
        """Return which step of its sequence each row of a part is, from 0, [N, 1]."""
        pieces = self.parts[part]
        owners = pieces.owners.repeat_interleave(pieces.lengths)
        return (pieces.all_rows() - torch.from_numpy(self.data.offsets)[owners])[:, None]


@dataclass(frozen=True)
class StepBaselines:
    """The shares of the labels; by the step, by the symbols, by the numbers alone."""

    problem: TagProblem
    sizes: dict[str, Any]

    def __call__(self) -> dict[str, Method]:
        """Return those that there can be, fitted."""
        problem, sizes = self.problem, self.sizes
        fitted: dict[str, Method] = {
            "most frequent label": StepConstant.of(sizes, output=problem.prior())
        }
        rows, steps = problem.parts["train"].all_rows(), problem.places("train")
        if torch.isin(problem.places("test"), steps).any():
            at_step = AtStep.fit(sizes, steps, problem.targets[rows])
            fitted["most frequent at the step"] = at_step
        known = rows[problem.targets[rows] >= 0]
        if sizes["symbols"]:
            given = GivenSymbol.fit(sizes, problem.symbols[known], problem.targets[known])
            fitted["most frequent given the symbol"] = given
        if sizes["numbers"]:
            some = known[spread(len(known), _MOST_STEPS)]
            numbers = problem.numbers[some].double()
            linear = logistic(numbers, problem.targets[some], sizes["outputs"])
            fitted["logistic on the step"] = OnStep.fitted(sizes, linear)
        return fitted


@dataclass(frozen=True)
class StepExamples(Examples):
    """The beginnings of four test pieces, with the labels of their steps."""

    problem: TagProblem

    def shown(self) -> list[ExampleWindow]:
        """Return the pieces."""
        return [self._piece(window) for window in self.problem.example_index().tolist()]

    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the numbers of the most likely labels."""
        lengths = self.problem.parts["test"].lengths.tolist()
        pieces = torch.split(predictions.argmax(dim=1), lengths)
        shown = [pieces[window] for window in self.problem.example_index().tolist()]
        return [piece[:_LONGEST_EXAMPLE].double().tolist() for piece in shown]

    def _piece(self, window: int) -> ExampleWindow:
        problem, test = self.problem, self.problem.parts["test"]
        start, length = int(test.starts[window]), int(test.lengths[window])
        owner = int(test.owners[window])
        shown = range(start, start + min(length, _LONGEST_EXAMPLE))
        labels = problem.targets[shown.start : shown.stop].tolist()
        return ExampleWindow(
            problem.data.ids[owner],
            [str(row - int(problem.data.offsets[owner]) + 1) for row in shown],
            [None if label < 0 else float(label) for label in labels],
            unit=str(problem.data.layout.label),
            levels=problem.classes,
        )


def _bind(data: Sequences) -> Parts:
    """Return the parts on pieces with at least one label, split and encoded."""
    pieces, split = _pieces(data)
    known = data.labels.is_not_null().to_numpy()
    parts = {part: _labelled(whole, known) for part, whole in pieces.items()}
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
    spec = make_spec(problem, problem.prior(), classes=list(classes))
    fit, settings = StepBaselines(problem, CODEC.sizes(spec)), _settings(problem, split)
    return Parts(problem, fit, StepExamples(problem), settings, _notes(problem), spec)


def _pieces(data: Sequences) -> tuple[dict[str, Pieces], str]:
    """Return the pieces of each part, and how the sequences were split."""
    if data.parts is None and data.groups is None:
        return cut(data.offsets, _LONGEST)
    rows = None if data.parts is None else data.parts.to_numpy().astype(np.str_)
    if rows is None or (rows == np.repeat(rows[data.offsets[:-1]], data.lengths)).all():
        every = np.arange(len(data))
        members = divided(data, every, np.zeros_like(every))
        words = "split by sequence" if rows is None else "as the user says, by sequence"
        return cut_members(data.offsets, members, _LONGEST), words
    if data.groups is not None:
        raise DataError(
            f"{data.name}: a sequence is in several parts, and so is its group; leave out --group, "
            "or give each sequence one part"
        )
    return cut_runs(data.offsets, rows, _LONGEST), "as the user says, by step"


def _settings(problem: TagProblem, split: str) -> dict[str, Any]:
    """Return the labels, how the sequences were split, and how many pieces there are."""
    return {
        "labels": list(problem.classes),
        "split": split,
        "pieces": {part: len(pieces) for part, pieces in problem.parts.items()},
        "longest_piece": _LONGEST,
        "inputs": [*problem.data.layout.numbers, *problem.data.layout.symbols],
    }


def _notes(problem: TagProblem) -> tuple[str, ...]:
    """Return the reader's notes, whether sequences are cut, and how many steps count not."""
    left, data = int((problem.targets < 0).sum()), problem.data
    why = "without a label, or with one that training never sees"
    out = (f"{left} of {len(problem.targets)} steps are not scored, {why}",) if left else ()
    return (*data.notes, *pieces_note(data.offsets, _LONGEST), *out)


def _labelled(pieces: Pieces, known: np.ndarray) -> Pieces:
    """Return the pieces with at least one label."""
    before = torch.from_numpy(np.concatenate([[0], np.cumsum(known)]))
    kept = before[pieces.starts + pieces.lengths] > before[pieces.starts]
    return Pieces(pieces.starts[kept], pieces.lengths[kept], pieces.owners[kept])


def _table(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> pl.DataFrame:
    """Return id, step, predicted label, and its probability."""
    best = outputs.softmax(dim=1).max(dim=1)
    lengths = data.lengths
    return pl.DataFrame(
        {
            "id": np.repeat(data.ids, lengths),
            "step": np.concatenate([np.arange(1, n + 1) for n in lengths]),
            "predicted": pl.Series(spec["classes"])[best.indices.numpy()],
            "probability": best.values.numpy(),
        }
    )


CODEC = SequenceCodec(
    "tag",
    TagProblem,
    {
        "most frequent label": StepConstant,
        "most frequent at the step": AtStep,
        "most frequent given the symbol": GivenSymbol,
        "logistic on the step": OnStep,
    },
    _table,
    score,
)
TAG = TaskKind("tag", "tag", CODEC, read_sequences, _bind)

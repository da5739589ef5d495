"""What a task with a label for every step is made of: pieces, examples, settings, predictions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from penstock.data.labelled.pieces import Pieces, cut, cut_members, cut_runs
from penstock.data.labelled.sequences import Sequences
from penstock.errors import ArgumentError, DataError
from penstock.tasks.problem import Examples, ExampleWindow
from penstock.tasks.sequences.binding import divided
from penstock.tasks.sequences.classes import ClassesProblem
from penstock.tasks.shared import pieces_note

LONGEST = 200  # steps of a piece; each is read from a state of zero
_LONGEST_EXAMPLE = 60


@dataclass(frozen=True)
class StepExamples(Examples):
    """The beginnings of four test pieces, with the labels of their steps."""

    problem: ClassesProblem

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


def step_pieces(data: Sequences) -> tuple[dict[str, Pieces], str]:
    """Return the pieces of each part, and how the sequences were split."""
    if data.parts is None and data.groups is None:
        return cut(data.offsets, LONGEST, number=data.draw)
    rows = None if data.parts is None else data.parts.to_numpy().astype(np.str_)
    if rows is None or (rows == np.repeat(rows[data.offsets[:-1]], data.lengths)).all():
        every = np.arange(len(data))
        members = divided(data, every, np.zeros_like(every))
        words = "split by sequence" if rows is None else "as the user says, by sequence"
        return cut_members(data.offsets, members, LONGEST), words
    if data.draw:
        raise ArgumentError(
            f"in {data.name} the parts that were told cut through sequences, and cannot be drawn "
            "anew; give each sequence one part"
        )
    if data.groups is not None:
        raise DataError(
            f"{data.name}: a sequence is in several parts, and so is its group; leave out --group, "
            "or give each sequence one part"
        )
    return cut_runs(data.offsets, rows, LONGEST), "as the user says, by step"


def step_settings(problem: ClassesProblem, split: str) -> dict[str, Any]:
    """Return the labels, how the sequences were split, and how many pieces there are."""
    return {
        "labels": list(problem.classes),
        "split": split,
        "pieces": {part: len(pieces) for part, pieces in problem.parts.items()},
        "longest_piece": LONGEST,
        "inputs": [*problem.data.layout.numbers, *problem.data.layout.symbols],
    }


def step_notes(problem: ClassesProblem) -> tuple[str, ...]:
    """Return the reader's notes, whether sequences are cut, and how many steps count not."""
    left, data = int((problem.targets < 0).sum()), problem.data
    why = "without a label, or with one that training never sees"
    out = (f"{left} of {len(problem.targets)} steps are not scored, {why}",) if left else ()
    return (*data.notes, *pieces_note(data.offsets, LONGEST), *out)


def with_labels(pieces: Pieces, known: np.ndarray) -> Pieces:
    """Return the pieces with at least one label."""
    before = torch.from_numpy(np.concatenate([[0], np.cumsum(known)]))
    kept = before[pieces.starts + pieces.lengths] > before[pieces.starts]
    return Pieces(pieces.starts[kept], pieces.lengths[kept], pieces.owners[kept])


def step_table(spec: dict[str, Any], data: Sequences, outputs: Tensor) -> pl.DataFrame:
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

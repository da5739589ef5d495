"""Multi-hot frames, such as piano rolls: each frame from those before it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from penstock.data.following.frames import Frames, read_frames
from penstock.data.labelled.pieces import Pieces, cut, cut_members
from penstock.data.splits import divide
from penstock.errors import DataError
from penstock.tasks.following.frames_codec import FramesCodec
from penstock.tasks.following.frames_methods import (
    ColumnFrequencies,
    KeyMarkov,
    LastFrame,
    OnLastFrame,
)
from penstock.tasks.following.frames_problem import STEPS, FramesProblem
from penstock.tasks.linear import logistic_of_ones
from penstock.tasks.methods import Method
from penstock.tasks.problem import Examples, ExampleWindow
from penstock.tasks.shared import check_parts, spread
from penstock.tasks.task import Parts, TaskKind, redrawn
from penstock.tasks.trees import Samples

_LONGEST_EXAMPLE = 60


@dataclass(frozen=True)
class FrameBaselines:
    """The frequencies of the columns, and what follows the last frame.

    "Last frame": a one follows a one, or a zero, as often as in training, over all columns, each
    case counted once more. The Markov chain has these for each column, drawn to those over all by
    one case of each more. Logistic regression sees the whole frame.
    """

    problem: FramesProblem
    sizes: dict[str, int]

    def __call__(self) -> dict[str, Method]:
        """Return all, fitted."""
        train, validation = (_samples(self.problem, part) for part in ("train", "validation"))
        linear = logistic_of_ones(train, validation)
        on, off = (_after(train.x == value, train.y) for value in (1, 0))
        frequencies = self.problem.frequencies().logit()
        of_key = {"off": off[1].logit(), "on": on[1].logit()}
        of_frame = {"weight": linear.weight, "bias": linear.bias}
        return {
            "column frequencies": ColumnFrequencies.of(self.sizes, logits=frequencies),
            "last frame": LastFrame.of(self.sizes, off=off[0].logit(), on=on[0].logit()),
            "Markov chain of each column": KeyMarkov.of(self.sizes, **of_key),
            "logistic on the last frame": OnLastFrame.of(self.sizes, **of_frame),
        }


def _samples(problem: FramesProblem, part: str) -> Samples:
    """Return each frame of a part that is predicted beside the one before it."""
    return Samples(problem.before(part), problem.following(part))


def _after(there: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
    """Return the share of ones that follow cells [M, D], over all columns and in each [D]."""
    ones = (there * following).sum(dim=0, dtype=torch.float64)
    cases = there.sum(dim=0, dtype=torch.float64)
    share = (ones.sum() + 1) / (cases.sum() + 2)
    return share, (ones + share) / (cases + 1)


@dataclass(frozen=True)
class FrameExamples(Examples):
    """The beginnings of four test sequences; what is drawn is the number of ones in each frame."""

    problem: FramesProblem

    def shown(self) -> list[ExampleWindow]:
        """Return these beginnings."""
        test, data = self.problem.runs["test"], self.problem.data
        ones, shown = self.problem.following("test").sum(dim=1), []
        for window, begin, end in self._places():
            owner = int(test.owners[window])
            first = int(test.starts[window] - data.offsets[owner]) + 2
            times = [str(first + k) for k in range(end - begin)]
            actual = ones[begin:end].tolist()
            shown.append(ExampleWindow(data.ids[owner], times, actual, unit="ones in the frame"))
        return shown

    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the number of ones expected in each frame."""
        return [predictions[begin:end].sum(dim=1).tolist() for _, begin, end in self._places()]

    def _places(self) -> list[tuple[int, int, int]]:
        """Return which sequences are drawn, and where each begins and ends in the predictions."""
        lengths = self.problem.runs["test"].lengths - 1
        ends = lengths.cumsum(0)
        begins = (ends - lengths).tolist()
        shown = lengths.clamp(max=_LONGEST_EXAMPLE).tolist()
        return [(k, begins[k], begins[k] + shown[k]) for k in spread(len(lengths)).tolist()]


def _bind(data: Frames, context: int | None = None) -> Parts:
    runs, words = _runs(data)
    check_parts(runs, data.name)
    values, steps = torch.from_numpy(data.values).float(), context or STEPS
    if not 0 < float(values[runs["train"].all_rows()].mean()) < 1:
        raise DataError(f"{data.name}: all cells are the same; there is nothing to learn")
    problem = FramesProblem(data, values, runs, steps)
    spec = {
        "columns": list(data.columns),
        "id": data.id,
        "start": problem.frequencies().logit().tolist(),
    }
    settings = {
        "columns": len(data.columns),
        "split": words,
        "sequences": {part: len(some) for part, some in runs.items()},
        "context": steps,
    }
    fit = FrameBaselines(problem, CODEC.sizes(spec))
    return Parts(problem, fit, FrameExamples(problem), settings, _notes(problem), spec)


def _notes(problem: FramesProblem) -> tuple[str, ...]:
    """Say where sequences are longer than a training window."""
    if int(problem.runs["train"].lengths.max()) - 1 <= problem.steps:
        return ()
    return (
        f"sequences longer than {problem.steps} frames are learned from in windows of "
        f"{problem.steps}: the state is carried from one to the next, the gradient is not; "
        "--context sets their length",
    )


def _runs(data: Frames) -> tuple[dict[str, Pieces], str]:
    """Return the sequences of each part, or what of them is in it, and how they were split."""
    longest = len(data.values)
    if not data.parts:
        return cut(data.offsets, longest, shortest=2, number=data.draw)
    alike = np.zeros(len(data.ids), np.int64)
    members = divide(alike, np.array(data.parts), number=data.draw)
    return cut_members(data.offsets, members, longest, shortest=2), "as the names of arrays say"


CODEC = FramesCodec()
FRAMES = TaskKind("frames", "frames", CODEC, read_frames, _bind, has_context=True, redraw=redrawn)

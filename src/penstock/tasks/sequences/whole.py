"""What tasks with one label a sequence share: baselines on summaries, bars to draw, settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from penstock.tasks.methods import Method
from penstock.tasks.problem import Examples, ExampleWindow
from penstock.tasks.sequences.baselines.linear import LinearMap
from penstock.tasks.sequences.baselines.methods import Constant, OnSummaries
from penstock.tasks.sequences.baselines.summaries import all_summaries
from penstock.tasks.sequences.problem import SequenceProblem


@dataclass(frozen=True)
class SummaryBaselines:
    """Constants, and a linear model on summaries of sequences.

    Attributes:
        problem: whose training part they are fitted on.
        sizes: of the specification.
        constants: the outputs of each constant method, by name.
        linear: the name of the linear one.
        fit: from summaries [W, K] and labels [W] to it.
    """

    problem: SequenceProblem
    sizes: dict[str, Any]
    constants: Mapping[str, Tensor]
    linear: str
    fit: Callable[[Tensor, Tensor], LinearMap]

    def __call__(self) -> dict[str, Method]:
        """Return all, fitted."""
        features = all_summaries(self.problem.all_inputs("train"), self.sizes["codes"])
        constants = self.constants.items()
        fitted = {name: Constant.of(self.sizes, output=output) for name, output in constants}
        linear = self.fit(features, self.problem.labels("train"))
        return {**fitted, self.linear: OnSummaries.fitted(self.sizes, linear)}


@dataclass(frozen=True)
class Bars(Examples):
    """Four test sequences, each with bars.

    Attributes:
        problem: whose sequences they are.
        names: of the bars.
        unit: of their heights.
        actual: [S, bars] of each sequence.
        heights: from predictions to heights [W, bars].
    """

    problem: SequenceProblem
    names: list[str]
    unit: str
    actual: Tensor
    heights: Callable[[Tensor], Tensor]

    def shown(self) -> list[ExampleWindow]:
        """Return the sequences, with the heights that are true."""
        ids, names, unit = self.problem.data.ids, self.names, self.unit
        return [
            ExampleWindow(ids[owner], names, self.actual[owner].tolist(), kind="bars", unit=unit)
            for owner in self.problem.parts["test"].owners[self.problem.example_index()].tolist()
        ]

    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the heights that are predicted."""
        rows: list[list[float]] = self.heights(predictions[self.problem.example_index()]).tolist()
        return rows


def sequence_settings(problem: SequenceProblem) -> dict[str, Any]:
    """Return how many sequences there are and how long, and the inputs."""
    lengths = problem.data.lengths
    return {
        "sequences": {part: len(pieces) for part, pieces in problem.parts.items()},
        "steps": [int(lengths.min()), int(np.median(lengths)), int(lengths.max())],
        "inputs": [*problem.data.layout.numbers, *problem.data.layout.symbols],
    }


def left_out(count: int, problem: SequenceProblem, why: str) -> tuple[str, ...]:
    """Return a note that sequences are left out, if any are."""
    return (f"{count} of {len(problem.data)} sequences left out, {why}",) if count else ()

"""The baselines on sequences, fitted: learned on training data, settings chosen on validation data.

Those that look at single values are left out where a step has too many columns, as words have.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from penstock.models.reader import Inputs
from penstock.tasks.linear import (
    LinearMap,
    logistic,
    ridge,
    ridge_of_classes,
)
from penstock.tasks.methods import Method
from penstock.tasks.sequences.baselines.columns import positions, windows
from penstock.tasks.sequences.baselines.methods import (
    MOST_COLUMNS,
    AtStep,
    Boosted,
    BoostedWindow,
    Constant,
    GivenSymbol,
    OnPositions,
    OnSummaries,
    OnWindow,
    StepConstant,
)
from penstock.tasks.sequences.baselines.positions import ByPosition, fits
from penstock.tasks.sequences.baselines.rocket import MiniRocket
from penstock.tasks.sequences.baselines.summaries import summaries
from penstock.tasks.sequences.problem import BATCH, SequenceProblem
from penstock.tasks.shared import spread
from penstock.tasks.trees import Goal, Samples, boosted

STEPS: Mapping[str, type[Method]] = {
    "most frequent label": StepConstant,
    "most frequent at the step": AtStep,
    "most frequent given the symbol": GivenSymbol,
    "logistic on the window": OnWindow,
    "gradient boosting on the window": BoostedWindow,
}
_MOST_SEQUENCES = 20_000  # of a part that are looked at
_MOST_CONVOLVED = 2000  # of the training part that MiniRocket learns from
_MOST_CODES = 200  # columns of a step, where single values are looked at
_MOST_STEPS = 20_000  # of a part that windows are taken of
_WIDTHS = (1, 2, 4, 8, 16)  # of a window

Fitted = Iterator[tuple[str, Method]]


def of_whole(linear: str, *blind: str) -> dict[str, type[Method]]:
    """Return the types of those with one output a sequence, by name."""
    return {
        **dict.fromkeys(blind, Constant),
        f"{linear} on summaries": OnSummaries,
        "naive Bayes by position": ByPosition,
        f"{linear} by position": OnPositions,
        "gradient boosting": Boosted,
        "MiniRocket": MiniRocket,
    }


@dataclass(frozen=True)
class WholeBaselines:
    """Those with one output a sequence.

    Attributes:
        problem: whose training and validation parts they are fitted on.
        sizes: of the specification.
        constants: the outputs of each blind guess, by name.
    """

    problem: SequenceProblem
    sizes: dict[str, Any]
    constants: Mapping[str, Tensor]

    def __call__(self) -> dict[str, Method]:
        """Return all that there can be, fitted."""
        blind = {n: Constant.of(self.sizes, output=one) for n, one in self.constants.items()}
        return {**blind, **dict(self._fitted())}

    def _fitted(self) -> Fitted:
        sizes, codes = self.sizes, self.sizes["codes"]
        linear = "logistic" if self.problem.has_classes else "ridge"
        fit = self._linear()
        on_summaries = self._samples(partial(summaries, codes=codes))
        yield f"{linear} on summaries", OnSummaries.fitted(sizes, fit(*on_summaries))
        steps = self._same_length()
        if steps and self.problem.has_classes and fits(steps, sizes):
            yield "naive Bayes by position", self._naive_bayes()
        step = sizes["numbers"] + sizes["all_codes"]
        known = steps if steps * step <= MOST_COLUMNS else 0
        if known:
            by_position = self._samples(partial(positions, codes=codes, steps=known))
            yield f"{linear} by position", OnPositions.fitted(sizes, fit(*by_position))
            on_summaries = _beside(on_summaries, by_position)
        goal: Goal = "class" if self.problem.has_classes else "number"
        weights = boosted(*on_summaries, goal, sizes)
        yield "gradient boosting", Boosted(sizes, {**weights, "steps": torch.tensor(known)})
        if step <= _MOST_CODES:
            yield "MiniRocket", self._rocket()

    def _linear(self) -> Callable[[Samples, Samples], LinearMap]:
        if self.problem.has_classes:
            return partial(logistic, count=self.sizes["outputs"])
        return ridge

    def _same_length(self) -> int:
        """Return how many steps all training sequences have; 0 where they differ."""
        lengths = self.problem.parts["train"].lengths
        return int(lengths[0]) if (lengths == lengths[0]).all() else 0

    def _naive_bayes(self) -> Method:
        problem = self.problem
        every = problem.inputs("train", torch.arange(problem.size("train")))
        return ByPosition.fit(self.sizes, every.numbers, every.symbols, problem.labels("train"))

    def _rocket(self) -> Method:
        problem, sizes = self.problem, self.sizes
        index = spread(problem.size("train"), _MOST_CONVOLVED)
        method = MiniRocket.drawn(sizes, problem.inputs("train", index))
        samples = self._samples(method.look, _MOST_CONVOLVED)
        if problem.has_classes:
            linear = ridge_of_classes(*samples, sizes["outputs"])
        else:
            linear = ridge(*samples)
        return MiniRocket(sizes, {**method.state_dict(), **linear._asdict()})

    def _samples(
        self, look: Callable[[Inputs], Tensor], most: int = _MOST_SEQUENCES
    ) -> tuple[Samples, Samples]:
        """Return what is seen of training and validation sequences, beside their labels."""
        train, validation = (_seen(self.problem, part, look, most) for part in _PARTS)
        return train, validation


@dataclass(frozen=True)
class StepBaselines:
    """Those with an output for each step."""

    problem: SequenceProblem
    sizes: dict[str, Any]
    prior: Tensor

    def __call__(self) -> dict[str, Method]:
        """Return all that there can be, fitted."""
        blind = StepConstant.of(self.sizes, output=self.prior)
        return {"most frequent label": blind, **dict(self._fitted())}

    def _fitted(self) -> Fitted:
        problem, sizes = self.problem, self.sizes
        rows, steps = problem.parts["train"].all_rows(), problem.places("train")
        if torch.isin(problem.places("test"), steps).any():
            yield "most frequent at the step", AtStep.fit(sizes, steps, problem.targets[rows])
        known = rows[problem.targets[rows] >= 0]
        if sizes["symbols"]:
            given = GivenSymbol.fit(sizes, problem.symbols[known], problem.targets[known])
            yield "most frequent given the symbol", given
        if sizes["numbers"] + sizes["all_codes"] <= _MOST_CODES:
            yield from self._on_windows()

    def _on_windows(self) -> Fitted:
        """Yield those on a window, of the width with the lowest log loss of the linear one."""
        sizes = self.sizes
        tried = []
        for width in _WIDTHS:
            samples = self._samples(width)
            linear = logistic(*samples, sizes["outputs"])
            loss = float(cross_entropy(linear(samples[1].x), samples[1].y))
            tried.append((loss, width, linear, samples))
        _, width, linear, samples = min(tried, key=lambda one: one[:2])
        yield "logistic on the window", OnWindow.fitted(sizes, linear)
        weights = {**boosted(*samples, "class", sizes), "steps": torch.tensor(width)}
        yield "gradient boosting on the window", BoostedWindow(sizes, weights)

    def _samples(self, width: int) -> tuple[Samples, Samples]:
        look = partial(windows, codes=self.sizes["codes"], width=width)
        train, validation = (_seen_at_steps(self.problem, part, look) for part in _PARTS)
        return train, validation


_PARTS = ("train", "validation")


def _seen(
    problem: SequenceProblem, part: str, look: Callable[[Inputs], Tensor], most: int
) -> Samples:
    index = spread(problem.size(part), most)
    batches = torch.split(index, BATCH)
    x = torch.cat([look(problem.inputs(part, one)) for one in batches])
    return Samples(x, problem.labels(part)[index])


def _seen_at_steps(
    problem: SequenceProblem, part: str, look: Callable[[Inputs], Tensor]
) -> Samples:
    """Return steps with a label, of pieces evenly spread."""
    pieces = problem.parts[part]
    most = max(_MOST_STEPS * len(pieces) // int(pieces.lengths.sum()), 1)
    x, y = [], []
    for index in torch.split(spread(len(pieces), most), BATCH):
        *_, labels = problem.batch(part, index)
        known = labels >= 0
        x.append(look(problem.inputs(part, index))[known])
        y.append(labels[known])
    return Samples(torch.cat(x), torch.cat(y))


def _beside(
    one: tuple[Samples, Samples], other: tuple[Samples, Samples]
) -> tuple[Samples, Samples]:
    train, validation = (
        Samples(torch.cat([a.x, b.x], dim=1), a.y) for a, b in zip(one, other, strict=True)
    )
    return train, validation

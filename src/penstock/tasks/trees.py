"""Gradient boosting (Friedman 2001) as plain arrays: fitted by scikit-learn, kept without pickle.

scikit-learn's trees over histograms are fitted on the training part, and how many of them, and how
large, is chosen on the validation part. What it learned is then read out of its trees.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.errors import DataError
from penstock.tasks.methods import Method, Sizes

Goal = Literal["class", "number"]

_LEAVES = (7, 31)  # of a tree
_RATE = 0.1
_MOST_TREES = 2000
_MOST_ROUNDS = 200
_MOST_ROWS = 20_000  # that are learned from, and as many that are chosen by
_AT_ONCE = 4096  # rows


class Samples(NamedTuple):
    """Rows of columns, and what is to be predicted of each. Shapes: x [N, K], y [N]."""

    x: Tensor
    y: Tensor

    def some(self, most: int) -> "Samples":
        """Return at most so many rows, drawn by chance, always the same ones."""
        if len(self.y) <= most:
            return self
        draw = torch.Generator().manual_seed(0)
        index = torch.randperm(len(self.y), generator=draw)[:most].sort().values
        return Samples(self.x[index], self.y[index])

    def double(self) -> "Samples":
        """Return the same in float64."""
        return Samples(self.x.double(), self.y.double())


class Forest(Method):
    """The sum of what trees say: outputs_o = start_o + Σ over trees of o, value of the leaf.

    From a node a row goes left where its feature is at most the threshold, else right; a leaf leads
    to itself. Weights of P trees with up to M nodes: feature, left, right, threshold and value
    [P, M], output [P], to which of the O outputs a tree adds, and start [O].
    """

    shapes: ClassVar = {
        "feature": ("trees", "nodes"),
        "threshold": ("trees", "nodes"),
        "left": ("trees", "nodes"),
        "right": ("trees", "nodes"),
        "value": ("trees", "nodes"),
        "output": ("trees",),
        "start": ("outputs",),
    }
    whole = frozenset({"feature", "left", "right", "output"})
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    output: Tensor
    start: Tensor

    def columns(self) -> int:
        """Return K, how many columns there are to look at."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise unless every way from a root ends in a leaf, and all that is named is there.

        Raises:
            DataError: it does not.
        """
        nodes = torch.arange(self.feature.shape[1])
        leaf = (self.left == nodes) & (self.right == nodes)
        onward = (self.left > nodes) & (self.right > nodes)
        inside = (self.left < len(nodes)) & (self.right < len(nodes))
        known = (self.feature >= 0) & (self.feature < self.columns())
        added = (self.output >= 0) & (self.output < len(self.start))
        if not (((leaf | onward) & inside & known).all() and added.all() and len(nodes)):
            raise DataError("the trees lead where there is nothing")

    def summed(self, x: Tensor) -> Tensor:
        """Return the outputs [N, O] for columns x [N, K]."""
        return torch.cat([self._summed(rows) for rows in torch.split(x.double(), _AT_ONCE)])

    def _summed(self, x: Tensor) -> Tensor:
        tree = torch.arange(len(self.feature)).expand(len(x), -1)
        node = torch.zeros_like(tree)
        for _ in range(self.feature.shape[1]):
            below = x.gather(1, self.feature[tree, node]) <= self.threshold[tree, node]
            onward = torch.where(below, self.left[tree, node], self.right[tree, node])
            if torch.equal(onward, node):
                break
            node = onward
        return self.start.repeat(len(x), 1).index_add(1, self.output, self.value[tree, node])


def boosted(train: Samples, validation: Samples, goal: Goal, sizes: Sizes) -> dict[str, Tensor]:
    """Return the weights of a `Forest` with the lowest error on the validation part.

    Args:
        train: what it learns from.
        validation: what chooses the size of trees and their number.
        goal: "class" for the logarithm of each class's probability, but for a constant, and the
            log loss; "number" for the median, and the absolute error.
        sizes: "outputs" is read.
    """
    train, validation = train.some(_MOST_ROWS), validation.some(_MOST_ROWS)
    tried = [_tried(train, validation, goal, leaves) for leaves in _LEAVES]
    best = min(tried, key=lambda one: one.error)
    return best.weights(sizes["outputs"])


@dataclass(frozen=True)
class _Grown:
    """A model of scikit-learn's, cut after the round with the lowest error on validation data."""

    model: Any
    rounds: int
    error: float

    def weights(self, outputs: int) -> dict[str, Tensor]:
        # scikit-learn has no public way to its trees; test_trees holds these to its predictions.
        grown = self.model._predictors[: self.rounds]
        first = np.ravel(self.model._baseline_prediction)
        seen = getattr(self.model, "classes_", np.arange(len(first))).astype(int)
        added = seen[1:] if len(first) < len(seen) else seen  # of two classes the second alone
        trees = [(one.nodes, added[k]) for several in grown for k, one in enumerate(several)]
        start = np.full(outputs, _NEVER if len(seen) < outputs else 0.0)
        start[seen] = 0.0
        start[added] = first
        return {**_arrays(trees), "start": torch.from_numpy(start)}


_NEVER = -30.0  # the output of a class that training rows have not


def _tried(train: Samples, validation: Samples, goal: Goal, leaves: int) -> _Grown:
    from sklearn.ensemble import (  # noqa: PLC0415  (a second to import)
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )

    count = len(np.unique(train.y.numpy())) if goal == "class" else 1
    options: dict[str, Any] = {
        "max_iter": max(20, min(_MOST_ROUNDS, _MOST_TREES // count)),
        "learning_rate": _RATE,
        "max_leaf_nodes": leaves,
        "early_stopping": False,
        "random_state": 0,
    }
    if goal == "class":
        model = HistGradientBoostingClassifier(**options)
        seen = model.fit(train.x.numpy(), train.y.numpy()).classes_
        stages = model.staged_predict_proba(validation.x.numpy())
        errors = _log_losses(stages, seen, validation.y.numpy())
    else:
        model = HistGradientBoostingRegressor(loss="absolute_error", **options)
        model.fit(train.x.numpy(), train.y.numpy())
        stages, truth = model.staged_predict(validation.x.numpy()), validation.y.numpy()
        errors = (float(np.abs(one - truth).mean()) for one in stages)
    found = list(errors)
    best = int(np.argmin(found))
    return _Grown(model, best + 1, found[best])


def _log_losses(
    stages: Iterator[NDArray[np.float64]], seen: NDArray[np.int64], truth: NDArray[np.int64]
) -> Iterator[float]:
    """Yield the mean of −ln p of the true class; one that training has not is left out."""
    place = np.searchsorted(seen, truth).clip(max=len(seen) - 1)
    known = seen[place] == truth
    for shares in stages:
        p = shares[known, place[known]]
        yield float(-np.log(p.clip(min=1e-15)).mean()) if known.any() else 0.0


def _arrays(trees: list[tuple[NDArray[Any], int]]) -> dict[str, Tensor]:
    """Return the weights of trees, filled up with leaves that nothing leads to."""
    most = max(len(nodes) for nodes, _ in trees)
    shape = len(trees), most
    whole = {name: np.zeros(shape, np.int64) for name in ("feature", "left", "right")}
    real = {name: np.zeros(shape) for name in ("threshold", "value")}
    whole["left"][:] = whole["right"][:] = np.arange(most)
    for row, (nodes, _) in enumerate(trees):
        count, inner = len(nodes), np.flatnonzero(nodes["is_leaf"] == 0)
        real["value"][row, :count] = nodes["value"]
        real["threshold"][row, inner] = nodes["num_threshold"][inner]
        whole["feature"][row, inner] = nodes["feature_idx"][inner]
        whole["left"][row, inner] = nodes["left"][inner]
        whole["right"][row, inner] = nodes["right"][inner]
    output = np.array([one for _, one in trees], np.int64)
    return {name: torch.from_numpy(a) for name, a in {**whole, **real, "output": output}.items()}

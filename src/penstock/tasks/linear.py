"""Linear models without recurrence: what a network must beat to be of use."""

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from penstock.tasks.trees import Samples

_PENALTIES = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4)
_SCALES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_STEPS = 100  # of L-BFGS for a penalty
_MOST_ROWS = 5000  # that a logistic regression is fitted on, and as many that it is chosen by
_MOST_FRAMES = 20_000  # that logistic regressions of ones are fitted on
_NEVER = -30.0  # the output of a class that training rows have not


class LinearMap(NamedTuple):
    """W (x − mean) / spread + b. Shapes: mean and spread [K], weight [O, K], bias [O]."""

    mean: Tensor
    spread: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return the map of x [W, K], [W, O]."""
        return ((x - self.mean) / self.spread) @ self.weight.T + self.bias


def ridge(train: Samples, validation: Samples) -> LinearMap:
    """Return ridge regression on columns of spread 1.

    λ is the one of seven with the lowest absolute error on the validation part.
    """
    fits = ridges(train.x, train.y[:, None])
    return min(fits, key=lambda one: float((one(validation.x)[:, 0] - validation.y).abs().mean()))


def ridge_of_classes(train: Samples, validation: Samples, count: int) -> LinearMap:
    """Return ridge regression on each class, 1 where it is the true one and 0 elsewhere, times s.

    λ is one of seven, and s, which makes logarithms of probabilities of the outputs, one of seven:
    those with the lowest log loss on the validation part.
    """
    one_hot = (train.y[:, None] == torch.arange(count)).double()
    scaled = (
        one._replace(weight=s * one.weight, bias=s * one.bias)
        for one in ridges(train.x, one_hot)
        for s in _SCALES
    )
    return min(scaled, key=lambda one: float(cross_entropy(one(validation.x), validation.y)))


def ridges(x: Tensor, y: Tensor) -> Iterator[LinearMap]:
    """Yield ridge regression (Hoerl & Kennard 1970) for each of seven penalties λ.

    W minimises Σ |y − ȳ − W x|² + λ |W|², x of spread 1. One eigendecomposition, of the smaller of
    xᵀx = V E Vᵀ and xxᵀ = U E Uᵀ, serves all: W = V (E + λ)⁻¹ Vᵀ xᵀy = xᵀ U (E + λ)⁻¹ Uᵀ y.
    Shapes: x [N, K], y [N, O].
    """
    mean, spread = _standard(x)
    x, bias = (x - mean) / spread, y.mean(dim=0)
    wide = len(x) < x.shape[1]
    values, vectors = torch.linalg.eigh(x @ x.T if wide else x.T @ x)
    seen = vectors.T @ (y - bias if wide else x.T @ (y - bias))
    for penalty in _PENALTIES:
        solved = vectors @ (seen / (values.clamp(min=0) + penalty)[:, None])
        weight = (x.T @ solved if wide else solved).T
        yield LinearMap(mean, spread, weight.contiguous(), bias)


def logistic(train: Samples, validation: Samples, count: int) -> LinearMap:
    """Return logistic regression on columns of spread 1; softmax of its values is p(class).

    W and b minimise Σ −ln softmax(W x + b)_class + λ |W|²/2 (of two classes that of the first is
    0). λ goes down from 10,000 in steps of ten for as long as the log loss on the validation part
    does. A class that training has not is never predicted.
    """
    train, validation = train.some(_MOST_ROWS), validation.some(_MOST_ROWS)
    best, lowest = None, torch.inf
    for one in _paths(train, count):
        loss = float(cross_entropy(one(validation.x), validation.y))
        if loss >= lowest:
            break
        best, lowest = one, loss
    assert best is not None
    return best


def _paths(train: Samples, count: int) -> Iterator[LinearMap]:
    """Yield logistic regression for each penalty, the largest first."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  (a second to import)
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    mean, spread = _standard(train.x)
    x, y = ((train.x - mean) / spread).numpy(), train.y.numpy()
    model = LogisticRegression(max_iter=_STEPS, warm_start=True)
    for penalty in reversed(_PENALTIES):
        with warnings.catch_warnings():  # nearly at the minimum will do
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(C=1 / penalty).fit(x, y)
        weight, bias = np.zeros((count, x.shape[1])), np.full(count, _NEVER)
        seen = model.classes_
        bias[seen] = 0.0
        added = seen[1:] if len(seen) == 2 else seen
        weight[added], bias[added] = model.coef_, model.intercept_
        yield LinearMap(mean, spread, *_tensors(weight, bias))


def logistic_of_ones(train: Samples, validation: Samples) -> LinearMap:
    """Return for each of D columns of ones and zeros y [N, D] logistic regression on x [N, K].

    W and b minimise Σ −ln p(y_d) + λ |W|²/2, p = σ(W x + b), by L-BFGS. λ goes down as in
    `logistic`.
    """
    train, validation = (one.some(_MOST_FRAMES).double() for one in (train, validation))
    weight = torch.zeros(train.y.shape[1], train.x.shape[1], dtype=torch.float64)
    bias = train.y.mean(dim=0).clamp(1e-6, 1 - 1e-6).logit()
    nothing, lowest, best = torch.zeros(train.x.shape[1], dtype=torch.float64), torch.inf, None
    for penalty in reversed(_PENALTIES):
        weight, bias = _at_minimum(train, weight, bias, penalty)
        one = LinearMap(nothing, nothing + 1, weight, bias)
        loss = float(binary_cross_entropy_with_logits(one(validation.x), validation.y))
        if loss >= lowest:
            break
        best, lowest = one, loss
    assert best is not None
    return best


def _at_minimum(
    train: Samples, weight: Tensor, bias: Tensor, penalty: float
) -> tuple[Tensor, Tensor]:
    """Return the weights of logistic regressions for a penalty, from those for another."""
    weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    search = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        logits = train.x @ weight.T + bias
        loss = binary_cross_entropy_with_logits(logits, train.y, reduction="sum")
        loss = (loss + penalty * weight.square().sum() / 2) / len(train.y)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    search.step(closure)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()


def _tensors(weight: NDArray[np.float64], bias: ArrayLike) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(weight.copy()), torch.tensor(bias, dtype=torch.float64)


def _standard(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and spread of columns; 1 for one that is constant."""
    mean, spread = x.mean(dim=0), x.std(dim=0, correction=0)
    return mean, torch.where(spread > 1e-9, spread, 1.0)

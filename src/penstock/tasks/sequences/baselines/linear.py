"""Linear models without recurrence: what a network must beat to be of use on sequences."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


class LinearMap(NamedTuple):
    """W (x − mean) / spread + b. Shapes: mean and spread [K], weight [O, K], bias [O]."""

    mean: Tensor
    spread: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Return the map of x [W, K], [W, O]."""
        return ((x - self.mean) / self.spread) @ self.weight.T + self.bias


def ridge(x: Tensor, y: Tensor) -> LinearMap:
    """Return ridge regression (Hoerl & Kennard 1970) on columns of spread 1.

    w minimises Σ (y − ȳ − w·x)² + |w|². Shapes: x [N, K], y [N].
    """
    mean, spread = _standard(x)
    x = (x - mean) / spread
    penalty = torch.eye(x.shape[1], dtype=x.dtype)
    w = torch.linalg.solve(x.T @ x + penalty, x.T @ (y - y.mean()))
    return LinearMap(mean, spread, w[None], y.mean()[None])


def logistic(x: Tensor, classes: Tensor, count: int) -> LinearMap:
    """Return logistic regression on columns of spread 1; softmax of its values is p(class).

    W and b minimise Σ −ln softmax(W x + b)_class + |W|²/2, by L-BFGS. Shapes: x [N, K],
    classes [N].
    """
    mean, spread = _standard(x)
    x = (x - mean) / spread
    weight = torch.zeros(count, x.shape[1], dtype=x.dtype, requires_grad=True)
    bias = torch.zeros(count, dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(x @ weight.T + bias, classes) + weight.square().sum() / (2 * len(x))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return LinearMap(mean, spread, weight.detach(), bias.detach())


def _standard(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and spread of columns; 1 for one that is constant."""
    mean, spread = x.mean(dim=0), x.std(dim=0, correction=0)
    return mean, torch.where(spread > 1e-9, spread, 1.0)

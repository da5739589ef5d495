"""Linear models without recurrence: what a network must beat to be of use on sequences."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from penstock.data.pieces import Pieces

_MOST_SHARES = 200  # codes of a column of symbols whose shares are taken


def summaries(numbers: Tensor, symbols: Tensor, sizes: tuple[int, ...], pieces: Pieces) -> Tensor:
    """Return what a sequence is without its order [W, K], float64.

    That is, of each number its mean, standard deviation and last value, the share of each symbol,
    and the logarithm of the length.
    """
    rows, lengths = pieces.all_rows(), pieces.lengths[:, None]
    owner = torch.repeat_interleave(torch.arange(len(pieces)), pieces.lengths)

    def mean(values: Tensor) -> Tensor:
        zeros = torch.zeros(len(pieces), values.shape[1], dtype=torch.float64)
        return zeros.index_add_(0, owner, values) / lengths

    values = numbers[rows].double()
    means = mean(values)
    spread = (mean(values.square()) - means.square()).clamp(min=0).sqrt()
    shares = [
        torch.bincount(owner * size + symbols[rows, c], minlength=len(pieces) * size)
        .reshape(-1, size)
        .double()
        / lengths
        for c, size in enumerate(sizes)
        if size <= _MOST_SHARES
    ]
    last = numbers[pieces.starts + pieces.lengths - 1].double()
    return torch.cat([means, spread, last, *shares, lengths.double().log()], dim=1)


def ridge(x: Tensor, y: Tensor, wanted: Tensor) -> Tensor:
    """Return the predictions [W] of ridge regression (Hoerl & Kennard 1970) on columns of spread 1.

    w minimises Σ (y − ȳ − w·x)² + |w|². Shapes: x [N, K], y [N], wanted [W, K].
    """
    x, wanted = _standardised(x, wanted)
    penalty = torch.eye(x.shape[1], dtype=x.dtype)
    w = torch.linalg.solve(x.T @ x + penalty, x.T @ (y - y.mean()))
    found: Tensor = y.mean() + wanted @ w
    return found


def logistic(x: Tensor, classes: Tensor, count: int, wanted: Tensor) -> Tensor:
    """Return ln p(class) [W, C] by logistic regression on columns of spread 1.

    W and b minimise Σ −ln softmax(W x + b)_class + |W|²/2, by L-BFGS. Shapes: x [N, K],
    classes [N], wanted [W, K].
    """
    x, wanted = _standardised(x, wanted)
    weight = torch.zeros(count, x.shape[1], dtype=x.dtype, requires_grad=True)
    bias = torch.zeros(count, dtype=x.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy(x @ weight.T + bias, classes) + weight.square().sum() / (2 * len(x))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    found: Tensor = (wanted @ weight.T + bias).detach().log_softmax(dim=1)
    return found


def _standardised(x: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    mean, spread = x.mean(dim=0), x.std(dim=0, correction=0)
    spread = torch.where(spread > 1e-9, spread, 1.0)
    return (x - mean) / spread, (wanted - mean) / spread

"""Naive Bayes on the values at each position, for sequences that are all as long."""

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

from penstock.errors import DataError
from penstock.models.reader import Inputs
from penstock.tasks.methods import Method, Sizes
from penstock.tasks.sequences.classes import log_prior

_MOST_VALUES = 5_000_000  # that the method keeps


def fits(steps: int, sizes: Sizes) -> bool:
    """Whether sequences of so many steps are not too long to keep the method of."""
    values: int = steps * sizes["outputs"] * (2 * sizes["numbers"] + sizes["all_codes"])
    return values <= _MOST_VALUES


class ByPosition(Method):
    """ln p(class) + Σ_t [Σ_f ln N(x_tf; μ, v) + Σ_c ln p(symbol_tc)], each given class and step t.

    The values of a sequence are taken as independent given its class. Each variance is that of
    the class and of one more value, whose square is the variance over all classes; each symbol is
    counted once more. Where a sequence is longer than those that it was fitted on, the rest is not
    looked at. Weights: prior [C], mean and variance [C, T, F], shares [C, T, all codes], ln p.
    """

    shapes: ClassVar = {
        "prior": ("outputs",),
        "mean": ("outputs", "steps", "numbers"),
        "variance": ("outputs", "steps", "numbers"),
        "shares": ("outputs", "steps", "all_codes"),
    }
    prior: Tensor
    mean: Tensor
    variance: Tensor
    shares: Tensor

    @classmethod
    def fit(cls, sizes: Sizes, numbers: Tensor, symbols: Tensor, targets: Tensor) -> Self:
        """Return the method on numbers [N, T, F], symbols [N, T, C] and classes [N]."""
        numbers, count = numbers.double(), sizes["outputs"]
        one_hot = _one_hot(symbols, sizes["codes"])
        overall = numbers.var(dim=0, correction=0).clamp(min=1e-9)
        rows = [targets == number for number in range(count)]
        mean = torch.stack([numbers[row].sum(dim=0) / row.sum().clamp(min=1) for row in rows])
        squares = [
            (numbers[row] - m).square().sum(dim=0) for row, m in zip(rows, mean, strict=True)
        ]
        return cls.of(
            sizes,
            prior=log_prior(targets, count),
            mean=mean,
            variance=torch.stack(
                [(s + overall) / (row.sum() + 1) for s, row in zip(squares, rows, strict=True)]
            ),
            shares=torch.stack([_log_shares(one_hot[row], sizes["codes"]) for row in rows]),
        )

    def check(self) -> None:
        """Raise where a variance is not above 0.

        Raises:
            DataError: one is not.
        """
        if not (self.variance > 0).all():
            raise DataError("the weight 'variance' holds what is not above 0")

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [B, C], ln p(class, sequence)."""
        steps = min(inputs.numbers.shape[1], self.mean.shape[1])
        inside = inputs.inside()[:, :steps].double()
        x = (inputs.numbers[:, :steps].double() * inside[..., None]).flatten(1)
        mean, variance = self.mean[:, :steps], self.variance[:, :steps]
        constant = (mean.square() / variance + (2 * torch.pi * variance).log()).sum(dim=2)
        squared = x.square() @ (1 / variance).flatten(1).T
        crossed = x @ (mean / variance).flatten(1).T
        symbols = _one_hot(inputs.symbols[:, :steps], self.sizes["codes"]) * inside[..., None]
        seen = symbols.flatten(1) @ self.shares[:, :steps].flatten(1).T
        return self.prior + seen + crossed - (squared + inside @ constant.T) / 2


def _one_hot(symbols: Tensor, codes: Sequence[int]) -> Tensor:
    """Return [B, T, all codes] of symbols [B, T, C]."""
    columns = [
        torch.nn.functional.one_hot(symbols[..., c].long(), size) for c, size in enumerate(codes)
    ]
    empty = torch.zeros(*symbols.shape[:2], 0, dtype=torch.float64)
    return torch.cat([empty, *(column.double() for column in columns)], dim=2)


def _log_shares(one_hot: Tensor, codes: Sequence[int]) -> Tensor:
    """Return ln p of each code of each column [T, all codes]."""
    counts = one_hot.sum(dim=0) + 1
    columns = torch.split(counts, list(codes), dim=1) if codes else ()
    empty = counts[:, :0]
    return torch.cat([empty, *((c / c.sum(dim=1, keepdim=True)).log() for c in columns)], dim=1)

"""Baselines on sequences, which predict as a `SequenceNetwork` does."""

from typing import ClassVar, Self

import torch
from torch import Tensor

from penstock.models.reader import Inputs
from penstock.tasks.methods import Method, Sizes
from penstock.tasks.sequences import classes as scores
from penstock.tasks.sequences.baselines.linear import LinearMap
from penstock.tasks.sequences.baselines.summaries import summaries


class Constant(Method):
    """The same outputs for every sequence."""

    kind = "blind"
    shapes: ClassVar = {"output": ("outputs",)}
    output: Tensor

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [B, O]."""
        return self.output.expand(len(inputs.numbers), -1)


class StepConstant(Constant):
    """The same outputs at every step."""

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [B, T, O]."""
        return self.output.expand(*inputs.numbers.shape[:2], -1)


def _shapes_over(columns: str) -> dict[str, tuple[str, ...]]:
    return {
        "mean": (columns,),
        "spread": (columns,),
        "weight": ("outputs", columns),
        "bias": ("outputs",),
    }


class _Linear(Method):
    """A linear map of columns of spread 1."""

    mean: Tensor
    spread: Tensor
    weight: Tensor
    bias: Tensor

    @classmethod
    def fitted(cls, sizes: Sizes, linear: LinearMap) -> Self:
        """Return the method with a map that was fitted."""
        return cls.of(sizes, **linear._asdict())

    def mapped(self, x: Tensor) -> Tensor:
        """Return the map of x [..., K], [..., O]."""
        return LinearMap(self.mean, self.spread, self.weight, self.bias)(x)


class OnSummaries(_Linear):
    """A linear map of what a sequence is without its order; see `summaries`."""

    shapes: ClassVar = _shapes_over("summaries")

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [B, O]."""
        return self.mapped(summaries(inputs, self.sizes["codes"]))


class OnStep(_Linear):
    """A linear map of the numbers of a step."""

    shapes: ClassVar = _shapes_over("numbers")

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [B, T, O]."""
        return self.mapped(inputs.numbers.double())


class Counted(Method):
    """ln p(class | key), counted, of each step: p = (n(class, key) + p(class)) / (n + 1).

    A key never seen gives the shares of the classes. Weights: keys [U, S], what was seen; shares
    [U, C], ln p; prior [C].
    """

    whole = frozenset({"keys"})
    keys: Tensor
    shares: Tensor
    prior: Tensor

    @classmethod
    def fit(cls, sizes: Sizes, keys: Tensor, targets: Tensor) -> Self:
        """Return the method, counted over keys [N, S] and targets [N], −1 where unknown."""
        known = targets >= 0
        prior = scores.log_prior(targets, sizes["outputs"])
        seen, number = torch.unique(keys[known], dim=0, return_inverse=True)
        counts = torch.zeros(len(seen), len(prior), dtype=torch.float64)
        one = torch.ones((), dtype=torch.float64)
        counts.index_put_((number, targets[known]), one, accumulate=True)
        shares = (counts + prior.exp()) / (counts.sum(dim=1, keepdim=True) + 1)
        return cls.of(sizes, keys=seen, shares=shares.log(), prior=prior)

    def asked(self, inputs: Inputs) -> Tensor:
        """Return the key of each step [B, T, S]."""
        raise NotImplementedError

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [B, T, C]."""
        asked = self.asked(inputs)
        both = torch.cat([self.keys, asked.flatten(0, 1)])
        kinds, number = torch.unique(both, dim=0, return_inverse=True)
        seen, wanted = number[: len(self.keys)], number[len(self.keys) :]
        table = self.prior.repeat(len(kinds), 1)
        table[seen] = self.shares
        return table[wanted].reshape(*asked.shape[:2], -1)


def _shapes_by(key: str) -> dict[str, tuple[str, ...]]:
    return {"keys": ("keys", key), "shares": ("keys", "outputs"), "prior": ("outputs",)}


class GivenSymbol(Counted):
    """By the symbols of the step."""

    kind = "naive"
    shapes: ClassVar = _shapes_by("symbols")

    def asked(self, inputs: Inputs) -> Tensor:
        """Return the symbols."""
        return inputs.symbols


class AtStep(Counted):
    """By the number of the step in its sequence, and not by what is in it."""

    kind = "blind"
    shapes: ClassVar = _shapes_by("place")

    def asked(self, inputs: Inputs) -> Tensor:
        """Return the number of each step, from 0."""
        rows, steps = inputs.numbers.shape[:2]
        first = torch.zeros(rows, dtype=torch.int64) if inputs.first is None else inputs.first
        return (first[:, None] + torch.arange(steps))[..., None]

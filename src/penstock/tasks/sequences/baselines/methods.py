"""Baselines on sequences, which predict as a `SequenceNetwork` does."""

from typing import ClassVar, Self

import torch
from torch import Tensor

from penstock.errors import DataError
from penstock.models.reader import Inputs
from penstock.tasks.linear import LinearMap
from penstock.tasks.methods import Method, Sizes
from penstock.tasks.sequences import classes as scores
from penstock.tasks.sequences.baselines.columns import positions, windows
from penstock.tasks.sequences.baselines.summaries import summaries
from penstock.tasks.trees import Forest

MOST_COLUMNS = 2000  # of positions, or of a window


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


def shapes_over(columns: str) -> dict[str, tuple[str, ...]]:
    """Return the shapes of a linear map of so many columns."""
    return {
        "mean": (columns,),
        "spread": (columns,),
        "weight": ("outputs", columns),
        "bias": ("outputs",),
    }


class Linear(Method):
    """A linear map of columns of spread 1."""

    mean: Tensor
    spread: Tensor
    weight: Tensor
    bias: Tensor

    @classmethod
    def fitted(cls, sizes: Sizes, linear: LinearMap) -> Self:
        """Return the method with a map that was fitted."""
        return cls.of(sizes, **linear._asdict())

    def look(self, inputs: Inputs) -> Tensor:
        """Return the columns that are looked at [..., K]."""
        raise NotImplementedError

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [..., O]."""
        return LinearMap(self.mean, self.spread, self.weight, self.bias)(self.look(inputs))

    def copies(self) -> int:
        """Return of how many steps the columns are.

        Raises:
            DataError: of no whole number.
        """
        step = self.sizes["numbers"] + self.sizes["all_codes"]
        if not len(self.mean) or len(self.mean) % step:
            raise DataError("the weight 'mean' is not of whole steps")
        return len(self.mean) // int(step)


class OnSummaries(Linear):
    """A linear map of what a sequence is without its order; see `summaries`."""

    shapes: ClassVar = shapes_over("summaries")

    def look(self, inputs: Inputs) -> Tensor:
        """Return the summaries [B, K]."""
        return summaries(inputs, self.sizes["codes"])


class OnPositions(Linear):
    """A linear map of every value of a sequence; see `positions`."""

    shapes: ClassVar = shapes_over("positions")

    def check(self) -> None:
        """Raise unless the columns are those of whole steps."""
        self.copies()

    def look(self, inputs: Inputs) -> Tensor:
        """Return the values of the first steps [B, K]."""
        return positions(inputs, self.sizes["codes"], self.copies())


class OnWindow(Linear):
    """A linear map of a step and of those before it; see `windows`."""

    shapes: ClassVar = shapes_over("window")

    def check(self) -> None:
        """Raise unless the columns are those of whole steps."""
        self.copies()

    def look(self, inputs: Inputs) -> Tensor:
        """Return the window of each step [B, T, K]."""
        return windows(inputs, self.sizes["codes"], self.copies())


class Boosted(Forest):
    """Gradient boosting on summaries, and on every value of the first steps."""

    shapes: ClassVar = {**Forest.shapes, "steps": ()}
    whole = Forest.whole | {"steps"}
    steps: Tensor

    def columns(self) -> int:
        """Return K."""
        step = self.sizes["numbers"] + self.sizes["all_codes"]
        if not 0 <= int(self.steps) <= MOST_COLUMNS // step:
            raise DataError("the weight 'steps' is out of range")
        return int(self.sizes["summaries"] + int(self.steps) * step)

    def look(self, inputs: Inputs) -> Tensor:
        """Return the columns [B, K]."""
        codes = self.sizes["codes"]
        values = positions(inputs, codes, int(self.steps))
        return torch.cat([summaries(inputs, codes), values], dim=1)

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [B, O]."""
        return self.summed(self.look(inputs))


class BoostedWindow(Boosted):
    """Gradient boosting on a step and on those before it, `steps` in all."""

    def columns(self) -> int:
        """Return K."""
        if not int(self.steps):
            raise DataError("the weight 'steps' is out of range")
        return super().columns() - int(self.sizes["summaries"])

    def look(self, inputs: Inputs) -> Tensor:
        """Return the window of each step [B T, K]."""
        return windows(inputs, self.sizes["codes"], int(self.steps)).flatten(0, 1)

    def outputs(self, inputs: Inputs) -> Tensor:
        """Return [B, T, O]."""
        rows, steps = inputs.numbers.shape[:2]
        return super().outputs(inputs).reshape(rows, steps, -1)


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

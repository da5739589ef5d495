"""MiniRocket: 84 fixed kernels, and how often what they give lies above a bias.

Dempster, Schmidt & Webb 2021, arXiv:2012.08791. A kernel has nine weights, three of them 2 and the
others −1. It is dilated, its bias is a quantile of what it gives on a training sequence, and its
feature is the share of steps at which it gives more than the bias. Of several columns each kernel
sums some, drawn by chance. A linear model reads the features.

Other than in the paper a sequence may be shorter than others: shares are of its own steps. Symbols
are a column for each code.
"""

from itertools import combinations
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from penstock.errors import DataError
from penstock.models.reader import Inputs
from penstock.tasks.methods import Sizes
from penstock.tasks.sequences.baselines.columns import step_columns
from penstock.tasks.sequences.baselines.methods import Linear, shapes_over

TAPS = 9
KERNELS = 84  # the ways to choose three of nine
_MOST_DILATIONS = 32
_MOST_BIASES = 119  # of a kernel, over all dilations: 9,996 features, as in the paper
_MOST_COLUMNS = 9  # that a kernel sums
_WORK = 4_000_000_000  # steps × features of all training sequences
_AT_ONCE = 20_000_000  # values of kernels held at once
_GOLDEN = (5**0.5 + 1) / 2


class MiniRocket(Linear):
    """A linear map of the shares.

    Weights beside the map's: dilations [D], how many steps lie between taps; channels
    [D · 84, F + all codes], 1 where a kernel reads a column; biases [D · 84, Q].
    """

    shapes: ClassVar = {
        **shapes_over("features"),
        "dilations": ("dilations",),
        "channels": ("kernels", "columns"),
        "biases": ("kernels", "quantiles"),
    }
    whole = frozenset({"dilations", "channels"})
    dilations: Tensor
    channels: Tensor
    biases: Tensor

    @classmethod
    def drawn(cls, sizes: Sizes, sequences: Inputs) -> Self:
        """Return the method with kernels and biases, and a map of zeros, for training sequences.

        Its random numbers are always the same.
        """
        draw = np.random.default_rng(0)
        x = step_columns(sequences, sizes["codes"]).float().mT
        lengths = sequences.inside().sum(dim=1)
        dilations = _dilations(int(lengths.max()))
        count = _quantiles(int(lengths.sum()), len(dilations))
        channels = torch.from_numpy(_channels(draw, len(dilations) * KERNELS, x.shape[1]))
        owners = torch.from_numpy(draw.integers(len(x), size=(len(dilations), KERNELS)))
        biases = torch.cat(
            [
                _biases(x, lengths, *one, count)
                for one in zip(dilations, torch.split(channels, KERNELS), owners, strict=True)
            ]
        )
        features, outputs = biases.numel(), sizes["outputs"]
        nothing = torch.zeros(features, dtype=torch.float64)
        return cls.of(
            sizes,
            mean=nothing,
            spread=nothing + 1,
            weight=nothing.expand(outputs, -1).clone(),
            bias=torch.zeros(outputs, dtype=torch.float64),
            dilations=torch.tensor(dilations),
            channels=channels,
            biases=biases.double(),
        )

    def check(self) -> None:
        """Raise unless the kernels are as many as their channels and biases.

        Raises:
            DataError: they are not.
        """
        columns = self.sizes["numbers"] + self.sizes["all_codes"]
        if (
            self.channels.shape != (KERNELS * len(self.dilations), columns)
            or self.biases.numel() != len(self.mean)
            or not ((self.dilations > 0) & (self.dilations < 2**24)).all()
        ):
            raise DataError("the kernels of MiniRocket do not fit each other")

    def look(self, inputs: Inputs) -> Tensor:
        """Return the shares [B, K]."""
        x = step_columns(inputs, self.sizes["codes"]).float().mT
        lengths = inputs.inside().sum(dim=1)
        rows = max(_AT_ONCE // (KERNELS * x.shape[2]), 1)
        pairs = zip(torch.split(x, rows), torch.split(lengths, rows), strict=True)
        return torch.cat([self._looked(*pair) for pair in pairs]).double()

    def _looked(self, x: Tensor, lengths: Tensor) -> Tensor:
        groups = zip(
            self.dilations.tolist(),
            torch.split(self.channels, KERNELS),
            torch.split(self.biases.float(), KERNELS),
            strict=True,
        )
        shares = [
            _shares(
                convolved(x, dilation, channels, _KERNELS),
                _counted(lengths, x.shape[2], dilation),
                biases,
            )
            for dilation, channels, biases in groups
        ]
        return torch.cat(shares, dim=1)


def convolved(x: Tensor, dilation: int, channels: Tensor, weights: Tensor) -> Tensor:
    """Return what each kernel gives at each step, zeros beyond both ends.

    Shapes: x [B, columns, T], channels [n, columns], weights [n, 9], result [B, n, T].
    """
    steps = x.shape[2]
    read = torch.einsum("kc,bct->bkt", channels.float(), x)
    given = torch.zeros_like(read)
    for tap, weight in enumerate(weights.T):
        ahead = (tap - TAPS // 2) * dilation
        if abs(ahead) < steps:
            first, last = max(-ahead, 0), steps - max(ahead, 0)
            shifted = read[..., first + ahead : last + ahead]
            given[..., first:last] += weight[:, None] * shifted
    return given


def _weights() -> Tensor:
    weights = -torch.ones(KERNELS, TAPS)
    for row, chosen in enumerate(combinations(range(TAPS), 3)):
        weights[row, list(chosen)] = 2
    return weights


_KERNELS = _weights()


def _counted(lengths: Tensor, steps: int, dilation: int) -> Tensor:
    """Return at which steps each kernel counts [B, 84, T].

    Every other kernel counts where all of its taps are inside the sequence; where there is no such
    step, and for the others, all steps count.
    """
    step, ends = torch.arange(steps), lengths[:, None]
    reach = (TAPS // 2) * dilation
    every = step < ends
    inner = (step >= reach) & (step < ends - reach)
    inner = torch.where(inner.any(dim=1, keepdim=True), inner, every)
    even = torch.arange(KERNELS) % 2 == 0
    return torch.where(even[:, None], every[:, None], inner[:, None])


def _shares(given: Tensor, inside: Tensor, biases: Tensor) -> Tensor:
    """Return the share of steps above each bias [B, 84 Q], from [B, 84, T] and [84, Q]."""
    steps = inside.sum(dim=2)
    given = torch.where(inside, given, -torch.inf)
    above = [(given > bias[:, None]).sum(dim=2) / steps for bias in biases.T]
    return torch.stack(above, dim=2).flatten(1)


def _biases(
    x: Tensor, lengths: Tensor, dilation: int, channels: Tensor, owners: Tensor, count: int
) -> Tensor:
    """Return quantiles of what each kernel gives on a sequence of its own [84, Q]."""
    rows = []
    for kernel, owner in enumerate(owners.tolist()):
        inside, one = x[owner : owner + 1, :, : int(lengths[owner])], slice(kernel, kernel + 1)
        given = convolved(inside, dilation, channels[one], _KERNELS[one])
        place = torch.arange(kernel * count, (kernel + 1) * count) + 1
        rows.append(given.flatten().quantile((place * _GOLDEN) % 1))
    return torch.stack(rows)


def _dilations(longest: int) -> list[int]:
    """Return up to 32 dilations, spread by powers of two, that a sequence has room for."""
    most = np.log2(max(longest - 1, TAPS - 1) / (TAPS - 1))
    return [int(one) for one in np.unique(2 ** np.linspace(0, most, _MOST_DILATIONS) // 1)]


def _quantiles(steps: int, dilations: int) -> int:
    """Return how many biases a kernel has at each dilation."""
    most = max(_MOST_BIASES // dilations, 1)
    return max(min(most, _WORK // (steps * KERNELS * dilations)), 1)


def _channels(draw: np.random.Generator, kernels: int, columns: int) -> np.ndarray:
    """Return which columns each kernel sums [kernels, columns]: 1 to 9, mostly few."""
    most = np.log2(min(columns, _MOST_COLUMNS) + 1)
    counts = (2 ** draw.uniform(0, most, kernels)).astype(int)
    chosen = np.zeros((kernels, columns), np.int64)
    for row, count in zip(chosen, counts, strict=True):
        row[draw.choice(columns, count, replace=False)] = 1
    return chosen

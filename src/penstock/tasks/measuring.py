"""Metrics over the test, and what each block of it says of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.tasks.problem import Measured

MOST_BLOCKS = 10
_FEWEST_OWNERS = 3  # fewer sequences or groups than that give no interval worth the name

Scores = Callable[[Tensor], dict[str, float]]  # of the things that a mask [N] keeps


@dataclass(frozen=True)
class Blocks:
    """Groups of what is scored, nearly independent of each other.

    Attributes:
        number: [N] the block of each thing scored, from 0, none of them empty.
        weights: [K] how much is in each.
        lag: between how many neighbours errors may still go together: 1 where a block begins when
            that before it ends, 0 where blocks were drawn by chance.
    """

    number: Tensor
    weights: Tensor
    lag: int = 0

    @staticmethod
    def numbered(number: Tensor, lag: int = 0) -> "Blocks":
        """Return blocks [N], each thing of the same weight."""
        present, again = torch.unique(number, return_inverse=True)
        return Blocks(again, torch.bincount(again, minlength=len(present)).double(), lag)


def consecutive(count: int) -> Blocks:
    """Return up to ten stretches of things that come one after the other."""
    several = min(MOST_BLOCKS, count)
    return Blocks.numbered(torch.arange(count) * several // max(count, 1), lag=1)


def whole_owners(owners: Tensor) -> Blocks:
    """Return up to ten blocks of things [N] of which all that are of one owner are in one.

    Owners keep the order in which they first come. Of one or two nothing can be said about others:
    then as if all were one after the other.
    """
    present, again = torch.unique(owners, return_inverse=True)
    if len(present) < _FEWEST_OWNERS:
        return consecutive(len(owners))
    first = torch.full((len(present),), len(owners)).scatter_reduce(
        0, again, torch.arange(len(owners)), "amin"
    )
    sizes = torch.bincount(again)[first.argsort()]
    middles = sizes.cumsum(0) - sizes / 2
    block = (MOST_BLOCKS * middles / len(owners)).long()
    return Blocks.numbered(block[first.argsort().argsort()][again])


def measured(scores: Scores, blocks: Blocks, profile: tuple[float, ...]) -> Measured:
    """Return the metrics, the first of which is the score, and what each block says of each.

    Of a metric θ block j says θ + (n/mⱼ − 1) (θ − θ₍ⱼ₎), where θ₍ⱼ₎ is θ without the mⱼ of n things
    that are in it (Busing, Meijer & van der Leeden 1999, Statistics and Computing 9: the jackknife
    for blocks of unequal sizes). Of a mean that is the mean of the block; of others, such as RMSE
    or F1, it is what spreads over blocks as a mean does.
    """
    whole = scores(torch.ones_like(blocks.number, dtype=torch.bool))
    said: dict[str, list[float]] = {metric: [] for metric in whole}
    for block, others in enumerate((blocks.weights.sum() / blocks.weights - 1).tolist()):
        without = scores(blocks.number != block) if others else whole
        for metric, value in whole.items():
            said[metric].append(value + others * (value - without[metric]))
    score, *rest = whole
    return Measured(
        metrics=whole,
        blocks=tuple(said[score]),
        weights=tuple(blocks.weights.tolist()),
        profile=profile,
        by_block={metric: tuple(said[metric]) for metric in rest},
        lag=blocks.lag,
    )

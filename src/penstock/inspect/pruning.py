"""Pruning: the smallest weights set to 0, and what that costs in quality and saves in size."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from penstock.errors import ArgumentError

SHARES = (0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Pruned:
    """A network with a share of its weights set to 0.

    share: of the elements of weight matrices. quality: as measured. left: learned values, biases
    among them, that are not pruned. bytes: to keep these, with one bit for each element that says
    whether it is there.
    """

    share: float
    quality: float
    left: int
    bytes: int


def prune(network: nn.Module, share: float) -> nn.Module:
    """Return a copy in which the share of smallest |w| of all weight matrices together is 0.

    Biases and vectors stay as they are.

    Raises:
        ArgumentError: share is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ArgumentError(f"share is {share}; it must lie between 0 and 1")
    pruned = copy.deepcopy(network)
    matrices = _matrices(pruned)
    if matrices:
        sizes = torch.cat([m.detach().abs().flatten() for m in matrices])
        keep = torch.ones_like(sizes, dtype=torch.bool)
        keep[sizes.argsort(stable=True)[: round(share * len(sizes))]] = False
        with torch.no_grad():
            parts = torch.split(keep, [m.numel() for m in matrices])
            for matrix, kept in zip(matrices, parts, strict=True):
                matrix.mul_(kept.view_as(matrix))
    return pruned


def pruning_curve(
    network: nn.Module, quality: Callable[[nn.Module], float], shares: Sequence[float] = SHARES
) -> tuple[Pruned, ...]:
    """Return quality and size for each share of weights pruned; the network stays as it is.

    Time is not a gain of this kind of pruning: dense kernels multiply by zeros as by other numbers.
    """
    every = sum(p.numel() for p in network.parameters())
    width = max((p.element_size() for p in network.parameters()), default=0)
    size = sum(m.numel() for m in _matrices(network))
    curve = []
    for share in shares:
        left = every - round(share * size)
        mask = -(-size // 8) if share else 0
        curve.append(Pruned(share, quality(prune(network, share)), left, width * left + mask))
    return tuple(curve)


def _matrices(network: nn.Module) -> list[Tensor]:
    return [p for p in network.parameters() if p.ndim >= 2]

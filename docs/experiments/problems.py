"""Made problems with a known chance level.

Every batch is drawn anew, so that nothing can be learned by heart. Legend: T time, B batch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORED = -100  # the label that cross_entropy leaves out
Batch = tuple[Tensor, Tensor]


def adding(T: int, B: int) -> Batch:
    """Sum the two marked numbers of T (Hochreiter and Schmidhuber 1997). Chance: predict 1."""
    half = T // 2
    marks = torch.zeros(T, B)
    rows = torch.arange(B)
    marks[torch.randint(half, (B,)), rows] = 1
    marks[torch.randint(half, T, (B,)), rows] = 1
    numbers = torch.rand(T, B)
    return torch.stack([numbers, marks], dim=-1), (numbers * marks).sum(0)


def copying(T: int, B: int, length: int = 3, symbols: int = 4) -> Batch:
    """Repeat the first symbols at the end, after blanks; T steps in all."""
    said = torch.randint(symbols, (length, B))
    x = torch.full((T, B), symbols)
    x[:length] = said
    x[-length:] = symbols + 1
    y = torch.full((T, B), IGNORED)
    y[-length:] = said
    return F.one_hot(x, symbols + 2).float(), y


def long_copying(T: int, B: int) -> Batch:
    """Copy ten of eight symbols."""
    return copying(T, B, length=10, symbols=8)


def latch(T: int, B: int) -> Batch:
    """Tell at the end the sign of the first 3 values, behind noise (Bengio et al. 1994)."""
    sign = torch.randint(2, (B,))
    x = 0.2 * torch.randn(T, B, 1)
    x[:3] += (2.0 * sign - 1)[:, None]
    y = torch.full((T, B), IGNORED)
    y[-1] = sign
    return x, y


def swaps(T: int, B: int) -> Batch:
    """Five cups, two of them swapped at every step: tell where the cup is that is asked for."""
    pairs = torch.combinations(torch.arange(5))
    drawn, asked = torch.randint(len(pairs), (T, B)), torch.randint(5, (T, B))
    places, found = torch.arange(5).expand(B, 5), list[Tensor]()
    for pair, cup in zip(pairs[drawn], asked, strict=True):
        one, other = pair[:, :1], pair[:, 1:]
        moved = torch.where(places == other, one, places)
        places = torch.where(places == one, other, moved)
        found.append(places.gather(1, cup[:, None])[:, 0])
    x = torch.cat([F.one_hot(drawn, len(pairs)), F.one_hot(asked, 5)], dim=-1)
    return x.float(), torch.stack(found)


def recall(T: int, B: int) -> Batch:
    """Values are written to 8 keys, then keys are asked for: tell the value last written."""
    half = T // 2
    keys, values = torch.randint(8, (T, B)), torch.randint(8, (T, B))
    values[half:] = 8  # asked
    order = torch.arange(1, half + 1)[:, None]
    last = ((keys[half:, None] == keys[:half]) * order).amax(1)  # 0: never written
    told = values.gather(0, (last - 1).clamp(min=0))
    y = torch.full((T, B), IGNORED)
    y[half:] = torch.where(last > 0, told, IGNORED)
    return torch.cat([F.one_hot(keys, 8), F.one_hot(values, 9)], dim=-1).float(), y


@dataclass(frozen=True)
class Problem:
    """How to draw a batch; chance is an MSE where `classes` is 0, else an accuracy."""

    draw: Callable[[int, int], Batch]
    inputs: int
    classes: int
    chance: float


# The variance of the sum of two uniform numbers is 2/12.
PROBLEMS = {
    "adding": Problem(adding, 2, 0, 1 / 6),
    "copy": Problem(copying, 6, 4, 1 / 4),
    "latch": Problem(latch, 1, 2, 1 / 2),
    "copy, 10 of 8": Problem(long_copying, 10, 8, 1 / 8),
    "five cups": Problem(swaps, 15, 5, 1 / 5),
    "recall": Problem(recall, 17, 8, 1 / 8),
}


def share(problem: Problem, metric: float) -> float:
    """Return how much of the way from chance to perfect a metric has gone."""
    chance = problem.chance
    return (metric - chance) / (1 - chance) if problem.classes else 1 - metric / chance

"""Made problems with a known chance level, and how a network is trained on one.

Every batch is drawn anew, so that nothing can be learned by heart. Legend: T time, B batch.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import penstock

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
    """Copy five of eight symbols."""
    return copying(T, B, length=5, symbols=8)


def latch(T: int, B: int) -> Batch:
    """Tell at the end the sign of the first 3 values, behind noise (Bengio et al. 1994)."""
    sign = torch.randint(2, (B,))
    x = 0.2 * torch.randn(T, B, 1)
    x[:3] += (2.0 * sign - 1)[:, None]
    y = torch.full((T, B), IGNORED)
    y[-1] = sign
    return x, y


def depth(T: int, B: int) -> Batch:
    """Tell at every step how deep in brackets it is, from 0 to 7; closing at 0 does nothing."""
    opens, level = torch.rand(T, B) < 0.5, torch.zeros(B, dtype=torch.long)
    levels = []
    for step in opens:
        level = (level + 2 * step.long() - 1).clamp(0, 7)
        levels.append(level)
    return F.one_hot(opens.long(), 2).float(), torch.stack(levels)


def modular(T: int, B: int) -> Batch:
    """Tell at every step the sum of the digits so far, modulo 5."""
    digits = torch.randint(5, (T, B))
    return F.one_hot(digits, 5).float(), digits.cumsum(0) % 5


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
    "copy, 5 of 8": Problem(long_copying, 10, 8, 1 / 8),
    "bracket depth": Problem(depth, 2, 8, 0.0),  # its chance level is measured: `commonest`
    "sum modulo 5": Problem(modular, 5, 5, 1 / 5),
}


@dataclass(frozen=True)
class Job:
    """A network to train."""

    problem: str
    cell: str
    length: int
    width: int
    seed: int
    steps: int
    rate: float = 0.01


@dataclass(frozen=True)
class Run:
    """What came of a job: test metric, its share of the way from chance to perfect.

    reached: the steps until the smoothed error was below 0.06; infinite if it never was.
    """

    job: Job
    metric: float
    share: float
    reached: float


def network(job: Job) -> nn.ModuleList:
    """Return a layer and a head."""
    problem = PROBLEMS[job.problem]
    layer = penstock.Recurrent(job.cell, problem.inputs, job.width)
    return nn.ModuleList([layer, nn.Linear(job.width, problem.classes or 1)])


def evaluate(net: nn.ModuleList, problem: Problem, batch: Batch) -> tuple[Tensor, float]:
    """Return loss and metric: mean squared error twice, or cross entropy and accuracy."""
    (x, y), (layer, head) = batch, net
    output = layer(x)[0]
    if not problem.classes:
        loss = F.mse_loss(head(output[-1])[:, 0], y)
        return loss, loss.item()
    wanted = y != IGNORED
    scores, labels = head(output[wanted]), y[wanted]
    return F.cross_entropy(scores, labels), (scores.argmax(-1) == labels).float().mean().item()


def train(job: Job) -> tuple[Run, nn.ModuleList]:
    """Train by Adam, clipped at norm 1, until it is nearly perfect or its steps are used up."""
    torch.manual_seed(job.seed)
    problem, net = PROBLEMS[job.problem], network(job)
    optimiser = torch.optim.Adam(net.parameters(), lr=job.rate)
    reached, smooth = math.inf, 1.0
    for step in range(job.steps):
        optimiser.zero_grad()
        loss, metric = evaluate(net, problem, problem.draw(job.length, 32))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        smooth = 0.95 * smooth + 0.05 * (metric if not problem.classes else 1 - metric)
        if smooth < 0.06:
            reached = min(reached, step + 1)
        if smooth < 0.004:
            break
    with torch.no_grad():
        test = problem.draw(job.length, 2000)
        metric = evaluate(net, problem, test)[1]
    return Run(job, metric, share(problem, metric, test[1]), reached), net


def share(problem: Problem, metric: float, labels: Tensor) -> float:
    """Return how much of the way from chance to perfect a metric has gone."""
    if not problem.classes:
        return 1 - metric / problem.chance
    chance = problem.chance or commonest(labels)
    return (metric - chance) / (1 - chance)


def commonest(labels: Tensor) -> float:
    """Return the accuracy of always giving the commonest label."""
    counts = labels[labels != IGNORED].bincount()
    return (counts.max() / counts.sum()).item()


def run(job: Job) -> Run:
    """Train in a process of its own, with one thread."""
    torch.set_num_threads(1)
    return train(job)[0]

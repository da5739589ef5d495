"""How a network is trained on a problem."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import penstock
from experiments.problems import IGNORED, PROBLEMS, Batch, Problem, share
from penstock.layers.initialisers import Initialiser, chrono

SOLVED = 0.004  # the smoothed error at which training ends
CLEAR = 0.06  # the error of a run that has got somewhere, for the claim about speed
PATIENCE = 1000  # the steps without a gain of 1 % after which a run is at rest


@dataclass(frozen=True)
class Job:
    """A network to train."""

    problem: str
    cell: str
    start: str
    length: int
    width: int
    seed: int
    steps: int
    rate: float


@dataclass(frozen=True)
class Run:
    """What came of a job.

    share: how much of the way from chance to perfect the test metric has gone; validation: the
    same of validation data; taken: the steps of training; ended: why there were no more, "solved",
    "rest" or "limit"; reached: the steps until the smoothed error was below 0.06, if it ever was.
    """

    job: Job
    metric: float
    share: float
    validation: float
    taken: int
    ended: str
    reached: int | None


@dataclass
class Curve:
    """The smoothed loss and error of a training, and when it should end."""

    loss: float = math.nan
    error: float = 1.0
    best: float = math.inf
    gained: int = 0
    reached: int | None = None

    def add(self, step: int, loss: float, error: float) -> str | None:
        """Take the values of a step, counted from 1; return why training ends, if it does."""
        self.loss = loss if step == 1 else 0.98 * self.loss + 0.02 * loss
        self.error = 0.95 * self.error + 0.05 * error
        if self.error < CLEAR and self.reached is None:
            self.reached = step
        if self.loss < 0.99 * self.best:
            self.best, self.gained = self.loss, step
        if self.error < SOLVED:
            return "solved"
        return "rest" if step - self.gained >= PATIENCE else None


def keep_long(layer: penstock.Recurrent, longest: int) -> None:
    """Give a GRU's update gate, which keeps, the biases that chrono gives a forget gate."""
    H = layer.hidden_size
    with torch.no_grad():
        layer.bias_ih_l0[H : 2 * H] = torch.empty(H).uniform_(1, longest - 1).log()
        layer.bias_hh_l0[H : 2 * H] = 0


def initialiser(cell: str, start: str, longest: int) -> str | Initialiser:
    """Return how a cell's weights are drawn: "chrono" is for times up to `longest`."""
    if start != "chrono":
        return start
    return partial(keep_long if cell == "gru" else chrono, longest=longest)


def network(job: Job) -> nn.ModuleList:
    """Return a layer and a head, drawn by the job's seed."""
    torch.manual_seed(job.seed)
    problem, init = PROBLEMS[job.problem], initialiser(job.cell, job.start, job.length)
    layer = penstock.Recurrent(job.cell, problem.inputs, job.width, init=init)
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
    """Train by Adam, clipped at norm 1, until it is solved, at rest, or out of steps.

    The data follow from the seed alone, so that all cells see the same ones.
    """
    net, problem, curve = network(job), PROBLEMS[job.problem], Curve()
    optimiser = torch.optim.Adam(net.parameters(), lr=job.rate, fused=True)
    torch.manual_seed(job.seed + 1_000_000)
    tests = [problem.draw(job.length, size) for size in (500, 2000)]
    step, end = 0, None
    while step < job.steps and not end:
        step += 1
        optimiser.zero_grad()
        loss, metric = evaluate(net, problem, problem.draw(job.length, 32))
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        end = curve.add(step, loss.item(), 1 - metric if problem.classes else metric)
    with torch.no_grad():
        validation, metric = (evaluate(net, problem, batch)[1] for batch in tests)
    shares = share(problem, metric), share(problem, validation)
    return Run(job, metric, *shares, step, end or "limit", curve.reached), net

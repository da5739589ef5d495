"""Trained twins: one cell under several names, of which nobody should win.

Of each data set thirty networks of one cell and one setting are trained, with other random draws:
whatever is put together of them as cells with seeds is a comparison of equals. All are measured on
the data's own test, and on much more of the same (`Drawn.fresh`), which tells what ± should hold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from calibrating.data import draw
from calibrating.judging import HELD, OTHER_SEEDS, cell, claims, holds, naive
from calibrating.shares import Tally
from penstock.comparison.trials.budget import structure_of
from penstock.record.contestants import Contestant
from penstock.record.structure import Setting
from penstock.tasks.problem import Measured, Problem
from penstock.tasks.task import Task
from penstock.training.loop import Budget, Training, derive_seed

NETWORKS = 30
GROUPS = (  # seeds, cells: as many as there are networks for
    (1, 2), (1, 3), (1, 10), (3, 2), (3, 3), (3, 10), (5, 2), (5, 3), (10, 2), (10, 3),
)  # fmt: skip
SETTING = Setting(1e-2, 1000)
BUDGET = Budget(steps=40, round_steps=10, batch_size=32, learning_rate=SETTING.learning_rate)
HELD_OF = "± of {} holds the truth"


@dataclass(frozen=True)
class Network:
    """What a network made of the test, and what it makes of fresh data."""

    test: Measured
    fresh: dict[str, float]


def one(name: str, number: int) -> Tally:
    """Return what happened on the data set of a kind and number."""
    drawn = draw(name, number)
    networks = list(_networks(drawn.task, drawn.fresh, number))
    like, score = networks[0].test, drawn.task.problem.metrics[0]
    rows = np.array([network.test.blocks for network in networks])
    beside = _baselines(drawn.task) if drawn.null else []
    tally = Tally()
    for seeds, several in GROUPS:
        cells = [
            cell(f"twin {k}", rows[k * seeds : (k + 1) * seeds], like.lag, like.weights)
            for k in range(several)
        ]
        for claim, happened in claims(cells, beside):
            tally.enter((name, seeds, several, claim), happened)
    for seeds in (1, 3, 5, 10):
        for start in range(0, NETWORKS, seeds * (NETWORKS // 3 // seeds or 1)):
            some = networks[start : start + seeds]
            if len(some) == seeds:
                _held(tally, name, some, [n for n in networks if n not in some], score)
    return tally


def _held(
    tally: Tally, name: str, some: Sequence[Network], others: Sequence[Network], score: str
) -> None:
    """Enter whether the ± of each metric holds what the same, and other, networks have."""
    seeds, like = len(some), some[0].test
    for metric in like.metrics:
        rows = np.array([
            n.test.blocks if metric == score else n.test.by_block[metric] for n in some
        ])  # fmt: skip
        told = (HELD, OTHER_SEEDS) if metric == score else (HELD_OF.format(metric), None)
        for claim, whose in zip(told, (some, others), strict=True):
            truth = float(np.mean([n.fresh[metric] for n in whose]))
            held = holds(rows, truth, like.lag, like.weights)
            if claim and held is not None:
                tally.enter((name, seeds, 1, claim), held)


def _networks(task: Task, fresh: Problem, number: int) -> Iterator[Network]:
    torch.set_num_threads(1)
    structure = structure_of(task, "gru", SETTING, bidirectional=False)
    for k in range(NETWORKS):
        seed = derive_seed(number, k)
        torch.manual_seed(seed)
        network = task.network("gru", structure)
        Training(task.problem, network, seed=seed, budget=BUDGET).run()
        test = task.problem.measure(task.problem.predict(network))
        yield Network(test, fresh.measure(fresh.predict(network)).metrics)


def _baselines(task: Task) -> list[Contestant]:
    return [
        naive(name, np.array(b.measured.blocks), b.measured.lag, b.measured.weights)
        for name, b in task.baselines.items()
    ]

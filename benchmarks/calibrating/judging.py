"""Contestants out of tables of scores, and what is said of them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from penstock.comparison.judging.comparisons import Differences, compare_all
from penstock.comparison.judging.contestants import ranked
from penstock.comparison.judging.statistics import over_seeds_and_blocks
from penstock.comparison.judging.verdict import judge
from penstock.record.contestants import BaselineContestant, CellContestant, Contestant, Trial
from penstock.record.results import Verdict
from penstock.record.structure import Setting, Structure

SETTING = Setting(1e-3, 4000)
ENTRANT: Any = {"rank": 1, "intervals": {}, "profile": [], "predictions": []}
COST: Any = {
    "structure": Structure(1), "parameters": 0, "recurrent_parameters": 0, "flops_per_step": 0,
    "setting": SETTING,
}  # fmt: skip

APART, USEFUL, WINNER = "a pair told apart", "a cell beats every baseline", "a winner"
HELD, OTHER_SEEDS = "± holds the truth", "± holds other seeds on fresh data"


def cell(name: str, rows: np.ndarray, lag: int = 0, weights: Sequence[float] = ()) -> Contestant:
    """Return a cell whose scores are rows [S, K]."""
    trials = [Trial(s, SETTING, "finished", "", blocks=row.tolist()) for s, row in enumerate(rows)]
    return CellContestant(
        **ENTRANT, **COST, name=name, metrics={"score": _mean(rows, weights)},
        blocks=rows.tolist(), trials=trials, lag=lag, weights=list(weights),
    )  # fmt: skip


def naive(name: str, row: np.ndarray, lag: int = 0, weights: Sequence[float] = ()) -> Contestant:
    """Return a baseline whose scores are [K]."""
    return BaselineContestant(
        **ENTRANT, kind="naive", name=name, metrics={"score": _mean(row[None], weights)},
        blocks=[row.tolist()], lag=lag, weights=list(weights),
    )  # fmt: skip


def judged(contestants: Sequence[Contestant]) -> tuple[Verdict, bool]:
    """Return the verdict, and whether any two cells are told apart beyond doubt."""
    order = ranked(contestants, "score")
    comparisons = compare_all(order)
    names = [one.name for one in order if isinstance(one, BaselineContestant)]
    table = Differences(order, comparisons)
    apart = any(table.below(a, b) for a in table.cells for b in table.cells if a != b)
    return judge(order, comparisons, names), apart


def claims(cells: Sequence[Contestant], beside: Sequence[Contestant]) -> Iterator[tuple[str, bool]]:
    """Give what is claimed of cells: beside these baselines, and beside one that all beat."""
    if beside:
        yield USEFUL, judged([*cells, *beside])[0].recommended is not None
    if len(cells) > 1:
        rows = np.array(cells[0].blocks)
        far = rows.max() + 50 * (np.ptp(rows) + 1) + np.arange(rows.shape[1]) % 3
        loser = naive("far behind", far, cells[0].lag, cells[0].weights)
        verdict, apart = judged([*cells, loser])
        yield APART, apart
        yield WINNER, verdict.winner is not None


def holds(rows: np.ndarray, truth: float, lag: int, weights: Sequence[float] = ()) -> bool | None:
    """Whether the ± of a table [S, K] holds a value; None where there is none."""
    share = np.array(weights or np.ones(rows.shape[1]))
    interval = over_seeds_and_blocks([rows], share, lag).interval
    return None if interval is None else interval[0] <= truth <= interval[1]


def _mean(rows: np.ndarray, weights: Sequence[float]) -> float:
    return float(np.average(rows.mean(axis=0), weights=weights or None))

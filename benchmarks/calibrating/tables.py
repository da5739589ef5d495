"""Made tables of scores: equals of which nobody should win, and cells that are better.

A score is a sum of what its block has (the same for all), its seed, its cell on this block, and of
chance. The kinds differ in which of these is large, so that one of them is like any real table; in
`touching` blocks go together with their neighbours (correlation 1/4, as stretches do that are no
longer than the horizon), and the lag says so.
"""

from collections.abc import Sequence

import numpy as np

from calibrating.judging import HELD, WINNER, cell, claims, holds, judged, naive
from calibrating.shares import Tally
from penstock.comparison.judging.choosing import expected_of_best
from penstock.comparison.judging.statistics import over_resplits
from penstock.record.contestants import Contestant

BLOCKS = 10
KINDS = {  # standard deviations of seed, cell on a block, and chance; whether blocks touch
    "even": (0.5, 0.5, 0.5, False),
    "seeds differ": (1.0, 0.1, 0.3, False),
    "blocks differ": (0.2, 1.0, 0.5, False),
    "touching": (0.5, 0.5, 0.5, True),
}
TWO_BEST = "even, but two cells worse than these two"
BETTER = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)  # standard deviations of a seed
NEW, UNCORRECTED = "told apart on new data", "told apart, were splits independent"
_THETA = 0.268  # of a moving average whose correlation is 1/4


def drawn(rng: np.random.Generator, kind: str, cells: int, seeds: int) -> list[np.ndarray]:
    """Return tables [S, K] of equals, and last that of a baseline [1, K]; the truth is 0."""
    of_seed, of_cell, chance, touching = KINDS[kind]

    def noise(rows: int) -> np.ndarray:
        values = rng.standard_normal((rows, BLOCKS + 1))
        if not touching:
            return values[:, 1:]
        return (values[:, 1:] + _THETA * values[:, :-1]) / np.sqrt(1 + _THETA**2)

    hard = noise(1)
    tables = [
        hard
        + of_seed * rng.standard_normal((seeds, 1))
        + of_cell * noise(1)
        + chance * noise(seeds)
        for _ in range(cells)
    ]
    return [*tables, hard + of_cell * noise(1)]


def contestants(tables: Sequence[np.ndarray], lag: int) -> list[Contestant]:
    """Return cells, and the last as a baseline."""
    *cells, other = tables
    return [
        *(cell(f"c{k}", one, lag) for k, one in enumerate(cells)),
        naive("naive", other[0], lag),
    ]


def equals(draws: int, kinds: Sequence[str], cells: int, seeds: int) -> Tally:
    """Return what is said of tables of equals, and how often ± holds the truth."""
    tally = Tally()
    for kind in kinds:
        rng = np.random.default_rng([cells, seeds, *kind.encode()])
        for _ in range(draws):
            tables, lag = drawn(rng, kind, cells, seeds), int(KINDS[kind][3])
            *several, other = contestants(tables, lag)
            for claim, happened in claims(several, [other]):
                tally.enter((kind, seeds, cells, claim), happened)
            held = holds(tables[0], 0.0, lag)
            if held is not None and cells == 2:
                tally.enter((kind, seeds, 1, HELD), held)
    return tally


def two_best(draws: int, seeds: int) -> Tally:
    """Return how often one of two equals wins where two more are worse by six of their errors."""
    tally = Tally()
    for number in range(draws):
        rng = np.random.default_rng([seeds, number])
        tables = drawn(rng, "seeds differ", 4, seeds)
        worse = [one + 6.0 * (k > 1) for k, one in enumerate(tables)]
        won = dict(claims(contestants(worse, 0)[:-1], []))[WINNER]
        tally.enter((TWO_BEST, seeds, 4, WINNER), won)
    return tally


def power(draws: int, cells: int, seeds: int) -> Tally:
    """Return how often a cell wins that is better by so many standard deviations of a seed."""
    tally = Tally()
    for number in range(draws):
        rng = np.random.default_rng([cells, seeds, number])
        tables = drawn(rng, "even", cells, seeds)
        tables[-1] = tables[-1] + 100.0
        for better in BETTER:
            first = tables[0] - better * KINDS["even"][0]
            found = judged(contestants([first, *tables[1:]], 0))[0].winner == "c0"
            tally.enter((f"better by {better:g} seed SD", seeds, cells, "found"), found)
    return tally


def luck(draws: int, kinds: Sequence[str], cells: int, seeds: int) -> list[dict[str, float]]:
    """Return by how much the best of equals is too good, in standard errors of one cell's mean."""
    rows = []
    for kind in kinds:
        rng = np.random.default_rng([cells, seeds, 7, *kind.encode()])
        own, told = [], []
        for _ in range(draws):
            several = contestants(drawn(rng, kind, cells, seeds), 0)[:-1]
            # What all cells share is no luck of the chosen one.
            shared = float(np.mean([one.metrics["score"] for one in several]))
            own.append(min(one.metrics["score"] for one in several) - shared)
            told.append((expected_of_best(several) or 0.0) - shared)  # type: ignore[arg-type]
        of_seed, of_cell, chance, _ = KINDS[kind]
        error = np.sqrt(of_seed**2 / seeds + of_cell**2 / BLOCKS + chance**2 / seeds / BLOCKS)
        rows.append(
            {"data": kind, "seeds": seeds, "cells": cells, "own": float(np.mean(own) / error),
             "told": float(np.mean(told) / error)}
        )  # fmt: skip
    return rows


def resplits(draws: int, splits: int, size: int = 100) -> Tally:
    """Return how often twins are told apart on splits of the same data.

    The twins are nearest centroids, on ten of twenty columns each, which are as good a priori: so
    neither is better on new data of this kind.
    """
    tally, test = Tally(), size // 4
    for number in range(draws):
        rng = np.random.default_rng([splits, size, number])
        labels = np.arange(size) % 2
        x = rng.standard_normal((size, 20)) + 0.3 * labels[:, None]
        gaps = []
        for _ in range(splits):
            order = rng.permutation(size)
            learned, asked = order[test:], order[:test]
            wrong = [_nearest(x[:, half], labels, learned, asked) for half in _HALVES]
            gaps.append(wrong[0] - wrong[1])
        for claim, ratio in ((NEW, test / (size - test)), (UNCORRECTED, 0.0)):
            p = over_resplits(np.array(gaps), ratio).p
            tally.enter(
                (f"{size} sequences, {splits} splits", 1, 2, claim), p is not None and p < 0.05
            )
    return tally


_HALVES = slice(0, 10), slice(10, 20)


def _nearest(x: np.ndarray, labels: np.ndarray, learned: np.ndarray, asked: np.ndarray) -> float:
    centres = [x[learned][labels[learned] == k].mean(axis=0) for k in (0, 1)]
    apart = [((x[asked] - centre) ** 2).sum(axis=1) for centre in centres]
    return float(((apart[1] < apart[0]) != labels[asked]).mean())

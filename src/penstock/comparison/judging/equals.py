"""The model confidence set of Hansen, Lunde and Nason (2011): which cells may be the best.

As long as the cells left cannot all be equally good, the one that is furthest above the mean of
those left goes. The test of that is their T_max, the largest t of a cell against this mean; its
level is held by Bonferroni's bound over the cells left, not by a bootstrap, for seeds and blocks
are too few for one.
"""

from collections.abc import Sequence

import numpy as np

from penstock.comparison.judging.comparisons import DOUBT, alike, table, weights
from penstock.comparison.judging.statistics import Estimate, contrast
from penstock.record.contestants import CellContestant


def equals_of_best(cells: Sequence[CellContestant]) -> list[str]:
    """Return the names of the cells that cannot be told from the best."""
    left = list(cells)
    while len(left) > 1:
        above = [_above_mean(number, left) for number in range(len(left))]
        p = [_one_sided(one) for one in above]
        worst = min(range(len(left)), key=lambda number: (p[number], -above[number].mean))
        if p[worst] * len(left) >= DOUBT:
            break
        del left[worst]
    return [one.name for one in left]


def _above_mean(number: int, left: Sequence[CellContestant]) -> Estimate:
    """Return how much higher the score of one is than the mean of all that are left."""
    parts = [table(one) * ((k == number) - 1 / len(left)) for k, one in enumerate(left)]
    together = [sum(parts[1:], parts[0])] if alike(left) else parts
    largest = max(float(np.abs(table(one)).max()) for one in left)
    return contrast(together, weights(left[0]), largest, left[0].lag)


def _one_sided(above: Estimate) -> float:
    """Return how likely a mean as high is by chance; 1 where it is not above, or nobody knows."""
    return 1.0 if above.p is None or above.mean <= 0 else above.p / 2

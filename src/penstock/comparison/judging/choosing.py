"""How good the best of several cells is where other data chose it.

The lowest of several scores is low by luck too. So each block of the test is scored by the cell
that the other blocks choose (leave-one-out cross-validation of the choice: Varma & Simon 2006,
doi:10.1186/1471-2105-7-91); their mean is what to expect of the best on new data.
"""

from collections.abc import Sequence

import numpy as np

from penstock.comparison.judging.comparisons import table, weights
from penstock.record.contestants import CellContestant

_FEWEST_BLOCKS = 3


def after_choosing(cells: Sequence[CellContestant]) -> float | None:
    """Return the score of the best cell on blocks that did not choose it.

    None where there is one cell, or fewer than three blocks to choose by.
    """
    scores = np.array([table(cell).mean(axis=0) for cell in cells])
    weight = weights(cells[0])
    if len(cells) < 2 or len(weight) < _FEWEST_BLOCKS:
        return None
    others = (scores @ weight)[:, None] - scores * weight
    chosen = others.argmin(axis=0)
    return float(np.average(scores[chosen, np.arange(len(weight))], weights=weight))

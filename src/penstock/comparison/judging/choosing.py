"""What the best of several cells is to be expected to score, without the luck of being chosen.

The lowest of several means is in part the luckiest one, and on other seeds and other data it will
be higher. So for each seed s and block k the best is chosen by all other seeds and blocks, and
scored on this one: Σ wₖ x[c(−s, −k), s, k] / Σ wₖ, where c(−s, −k) is the cell that is chosen
(leave-one-out cross-validation of the choice: Varma & Simon 2006, doi:10.1186/1471-2105-7-91).
"""

from collections.abc import Sequence

import numpy as np

from penstock.comparison.judging.comparisons import table, weights
from penstock.record.contestants import CellContestant


def expected_of_best(cells: Sequence[CellContestant]) -> float | None:
    """Return the mean score of the chosen cell on what did not choose it.

    None where there is one cell alone, or one seed and one block.

    With one seed, or one block, what had no say is other blocks, or other seeds, alone.
    """
    share = weights(cells[0]) / weights(cells[0]).sum()
    tables = [table(one) for one in cells]
    S, K = min(map(len, tables)), len(share)
    if len(cells) < 2 or (S < 2 and K < 2):
        return None
    choosing = np.stack([_without_each(x, share)[:S] for x in tables])
    chosen = choosing.argmin(axis=0)
    scores = np.stack([x[:S] for x in tables])
    return float((np.take_along_axis(scores, chosen[None], axis=0)[0] @ share).mean())


def _without_each(x: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return [S, K] the mean of x [S, K] without row s and column k; a lone one is not left out."""
    S, K = x.shape
    parts = x * share
    rows = parts.sum(axis=1, keepdims=True) if S > 1 else np.zeros((1, 1))
    columns = parts.sum(axis=0, keepdims=True) if K > 1 else np.zeros((1, 1))
    both = parts if S > 1 and K > 1 else 0.0
    left = (S - 1 if S > 1 else 1) * (1 - share if K > 1 else share)
    without: np.ndarray = (parts.sum() - rows - columns + both) / left
    return np.broadcast_to(without, x.shape)

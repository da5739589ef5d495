"""Means and their 95 % intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # scipy.stats takes a second to import

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean, and its interval (None where the data cannot tell)."""

    mean: float
    interval: tuple[float, float] | None


def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """Return t with P(|T| < t) = level for Student's T with ν degrees of freedom, ν ≥ 1."""
    return float(stdtrit(freedom, (1 + level) / 2))


def mean_over_seeds(values: NDArray[np.float64]) -> Estimate:
    """Return the mean of [S] values; one value has no interval."""
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return Estimate(mean, None)
    spread = float((values - values[0]).var(ddof=1))  # exactly 0 where all are equal
    return _estimate(mean, spread / count, count - 1)


def paired_difference(differences: NDArray[np.float64]) -> Estimate:
    """Return the mean of paired differences D [S, K] over S seeds and K blocks of test time.

    SE² = var_seeds / S + var_blocks / K, of the means over blocks and over seeds; degrees of
    freedom by Welch and Satterthwaite. One seed: the spread over seeds is unknown and left out.
    One block: no interval.
    """
    S, K = differences.shape
    mean = float(differences.mean())
    if K < 2:
        return Estimate(mean, None)
    blocks = float(differences.mean(axis=0).var(ddof=1)) / K
    seeds = float(differences.mean(axis=1).var(ddof=1)) / S if S > 1 else 0.0
    if not blocks + seeds:
        return Estimate(mean, (mean, mean))
    spread = blocks**2 / (K - 1) + (seeds**2 / (S - 1) if S > 1 else 0.0)
    return _estimate(mean, blocks + seeds, (blocks + seeds) ** 2 / spread)


def _estimate(mean: float, squared_error: float, freedom: float) -> Estimate:
    half = t_quantile(freedom) * float(np.sqrt(squared_error))
    return Estimate(mean, (mean - half, mean + half))

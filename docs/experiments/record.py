"""Figures with intervals, and the one rule by which a verdict follows from them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.comparison.judging.statistics import Estimate, mean_over_seeds

Rows = Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class Check:
    """A figure, and the open range in which its whole interval must lie."""

    what: str
    figure: Estimate
    low: float = -math.inf
    high: float = math.inf

    @property
    def met(self) -> bool:
        """Whether the whole interval lies in the range; False where there is no interval."""
        bounds = self.figure.interval
        return bounds is not None and self.low < bounds[0] and bounds[1] < self.high

    @property
    def limits(self) -> str:
        """The range, in signs."""
        parts = [f"> {self.low:g}"] * (self.low > -math.inf)
        return " and ".join([*parts, *[f"< {self.high:g}"] * (self.high < math.inf)])


@dataclass(frozen=True)
class Claim:
    """A claim of the notes: how it was tried, what was checked, and figures beside."""

    title: str
    method: str
    checks: Sequence[Check]
    head: tuple[str, ...] = ()
    rows: Rows = ()

    @property
    def verdict(self) -> str:
        """What follows from the checks."""
        return verdict(self.checks)


def verdict(checks: Sequence[Check]) -> str:
    """Return the verdict that follows from checks."""
    met = [check.met for check in checks]
    return "holds" if all(met) else "holds in part" if any(met) else "does not hold"


def exact(value: float) -> Estimate:
    """Return a figure that is counted, not measured."""
    return Estimate(value, (value, value))


def mean(values: Sequence[float]) -> Estimate:
    """Return the mean over seeds with its interval."""
    return mean_over_seeds(np.array(values, dtype=float))


def proportion(hits: Sequence[bool]) -> Estimate:
    """Return the share of seeds with its interval (Wilson 1927), which is not empty at 0 or 1."""
    n, p, z = len(hits), sum(hits) / len(hits), 1.96
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Estimate(p, (max(0.0, middle - half), min(1.0, middle + half)))


def geometric(ratios: Sequence[float]) -> Estimate:
    """Return the geometric mean over seeds with its interval."""
    found = mean([math.log(ratio) for ratio in ratios])
    bounds = found.interval and (math.exp(found.interval[0]), math.exp(found.interval[1]))
    return Estimate(math.exp(found.mean), bounds)


def median(values: Sequence[float]) -> Estimate:
    """Return the median of rounds; its interval is that of the sign test, from ranks alone."""
    ordered, n = sorted(values), len(values)
    rank = max(0, math.floor((n - 1.96 * math.sqrt(n)) / 2))
    return Estimate(float(np.median(ordered)), (ordered[rank], ordered[n - 1 - rank]))


def shown(figure: Estimate) -> str:
    """Return a figure with its interval as a cell of a table."""
    return f"{figure.mean:.3g} ({interval(figure)})"


def interval(figure: Estimate) -> str:
    """Return an interval as text."""
    return "none" if figure.interval is None else "{:.4g} to {:.4g}".format(*figure.interval)

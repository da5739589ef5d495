"""Scales of a series, taken from its training part alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scale:
    """A linear scale: scaled = (value − mean) / std, in the series' own unit."""

    mean: float
    std: float

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scaled values; zeros for a constant series."""
        return (values - self.mean) / (self.std or 1.0)

    def undo(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values in the series' own unit."""
        return scaled * self.std + self.mean


def fit_scale(values: NDArray[np.float64], observed: NDArray[np.bool_]) -> Scale:
    """Return mean and standard deviation of the observed values."""
    seen = values[observed]
    return Scale(float(seen.mean()), float(seen.std()))


def naive_error(values: NDArray[np.float64], season: int) -> float:
    """Return the mean of |y_t − y_{t−m}|: the denominator of MASE (Hyndman & Koehler 2006).

    m = season. Where it is 0 (a series that repeats exactly) or the part is not longer than a
    season, m = 1 stands in.
    """
    for lag in (season, 1):
        if len(values) > lag and (error := float(np.abs(values[lag:] - values[:-lag]).mean())):
            return error
    return 0.0

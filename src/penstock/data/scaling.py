"""Scales of a series, taken from its training part alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DataError

ROUNDING = 1e-12
_LARGEST = 1e18  # whose square float32 still holds


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


def check_fits(scaled: NDArray[np.float64], where: Callable[[int, int], str]) -> None:
    """Raise where a scaled value of a table [N, F] is beyond float32, in which networks compute.

    Raises:
        DataError: one is; `where` names the place from its row and column.
    """
    far = np.argwhere(np.abs(scaled) > _LARGEST)
    if len(far):
        row, column = map(int, far[0])
        raise DataError(
            f"{where(row, column)} is so far from the values of training that networks cannot "
            "compute with it; correct it, or leave the row out"
        )


def refilled(
    values: NDArray[np.float64], observed: NDArray[np.bool_], season: int
) -> NDArray[np.float64]:
    """Return values in which what is missing is that of the season before, where there is one.

    It looks at the past alone, as the value before does, but keeps to the season.
    """
    if season < 2 or observed.all():
        return values
    filled = values.copy()
    for place in np.flatnonzero(~observed):
        if place >= season:
            filled[place] = filled[place - season]
    return filled


def fit_scale(values: NDArray[np.float64], observed: NDArray[np.bool_]) -> Scale:
    """Return mean and standard deviation of the observed values.

    The deviation of values that are constant, up to rounding, is 0: dividing by what rounding left
    would blow up every other value.
    """
    seen = values[observed]
    mean, std = float(seen.mean()), float(seen.std())
    return Scale(mean, std if std > ROUNDING * float(np.abs(seen).max()) else 0.0)


def naive_error(
    values: NDArray[np.float64], season: int, observed: NDArray[np.bool_] | None = None
) -> float:
    """Return the mean of |y_t − y_{t−m}|: the denominator of MASE (Hyndman & Koehler 2006).

    m = season. Only pairs that were both observed count, where `observed` says which were. Where it
    is 0 (a series that repeats exactly) or the part is not longer than a season, m = 1 stands in.
    """
    seen = np.ones(len(values), bool) if observed is None else observed
    for lag in (season, 1):
        pairs = seen[lag:] & seen[:-lag]
        if pairs.any() and (error := float(np.abs(values[lag:] - values[:-lag])[pairs].mean())):
            return error
    return 0.0

"""The season of series, from their autocorrelation."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_STRENGTH = 0.1  # a weaker correlation is no season
_ERRORS = 4.5  # standard errors that it must exceed; hundreds of lags are tried
_ABOUT = 0.9
_IN_TURN = -0.35
_LONGEST = 400


def find_season(parts: Iterable[NDArray[np.float64]]) -> int:
    """Return the season m of training parts, in steps; 1 where there is none.

    r_k is the autocorrelation at lag k, averaged over the series, of each without its trend (see
    `_without_trend`). A season correlates at its multiples more than half-way between them, and
    noise cancels in the mean, so m is the lag with the highest

        z_m = √(n K / 2) · Σ_k (r_km − r_(k−½)m) / K,    k = 1 … K,    K m ≤ n/3 < (K + 1) m,

    which favours the shortest of a season's multiples (12 and not 24); of lags that come within a
    tenth of it, that with the highest mean. The mean must exceed 0.1, and z 4.5 (noise alone has a
    standard error of about 1).
    """
    parts = [_without_trend(part) for part in parts]
    longest = min(_LONGEST, max(len(part) for part in parts) // 3)
    total, weight = np.zeros(longest + 1), np.zeros(longest + 1)
    for part in parts:
        acf = _autocorrelation(part)[: min(longest, len(part) // 3) + 1]
        total[: len(acf)] += acf * len(part)
        weight[: len(acf)] += len(part)
    acf = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    rises = np.array([0, 0, *(_rise(acf, m) for m in range(2, longest + 1))])
    z = rises * np.sqrt([weight[max(m, 1) :: max(m, 1)].sum() / 2 for m in range(len(rises))])
    best = int(np.argmax(np.where(z >= _ABOUT * z.max(), rises, 0)))
    return best if z[best] > _ERRORS and rises[best] > _STRENGTH else 1


def _rise(acf: NDArray[np.float64], m: int) -> float:
    """Return the mean of r_km − r_(k−½)m over the multiples of m; between two lags, their mean."""
    multiples = np.arange(m, len(acf), m)
    half = multiples - m / 2
    between = (acf[np.floor(half).astype(int)] + acf[np.ceil(half).astype(int)]) / 2
    return float((acf[multiples] - between).mean())


def _without_trend(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a series' changes or, where these go up and down in turn, its rest from a line.

    A trend and a random walk correlate at every lag, and their changes do not. But the changes of
    noise around a line hide a season under twice the noise; their correlation at lag 1 is −½.
    """
    time = np.arange(len(part)) - (len(part) - 1) / 2
    slope = time @ part / max(float(time @ time), 1.0)
    changes = np.diff(part)
    in_turn = len(changes) > 1 and _autocorrelation(changes)[1] < _IN_TURN
    return part - part.mean() - slope * time if in_turn else changes


def _autocorrelation(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the autocorrelation at lags 0, 1, … (by the fast Fourier transform)."""
    centred = part - part.mean() if len(part) else np.zeros(1)
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(centred))) ** 2
    acf = np.fft.irfft(spectrum)[: len(centred)] / np.arange(len(centred), 0, -1)
    return acf / acf[0] if acf[0] > 0 else np.zeros(len(acf))

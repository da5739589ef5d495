"""The season of series, from the autocorrelation of their changes."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_STRENGTH = 0.1  # a weaker correlation is no season
_LONGEST = 400


def find_season(parts: Iterable[NDArray[np.float64]]) -> int:
    """Return the season m of training parts, in steps; 1 where there is none.

    m is the lag with the highest peak in the autocorrelation of the changes
    y_t − y_{t−1}, averaged over the series; where a peak at half that lag or less comes within a
    tenth of it, that one is taken (12 and not 24). The peak must exceed 0.1 and four standard
    errors, 4/√n. Changes, as a trend or a random walk correlates at every lag while its changes
    do not.
    """
    parts = [np.diff(part) for part in parts]
    longest = min(_LONGEST, max(len(part) for part in parts) // 3)
    total, weight = np.zeros(longest + 1), np.zeros(longest + 1)
    for part in parts:
        acf = _autocorrelation(part)[: min(longest, len(part) // 3) + 1]
        total[: len(acf)] += acf * len(part)
        weight[: len(acf)] += len(part)
    acf = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    error = 1 / np.sqrt(np.maximum(weight, 1))
    middle = acf[1:-1]
    peak = (middle > acf[:-2]) & (middle >= acf[2:])
    peaks = 1 + np.flatnonzero(peak & (middle > np.maximum(_STRENGTH, 4 * error[1:-1])))
    peaks = peaks[peaks > 1]
    if not len(peaks):
        return 1
    best = peaks[np.argmax(acf[peaks])]
    shorter = peaks[(peaks <= best / 2 + 1) & (acf[peaks] >= 0.9 * acf[best])]
    return int(shorter[0] if len(shorter) else best)


def _autocorrelation(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the autocorrelation at lags 0, 1, … (by the fast Fourier transform)."""
    centred = part - part.mean() if len(part) else np.zeros(1)
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(centred))) ** 2
    acf = np.fft.irfft(spectrum)[: len(centred)]
    return acf / acf[0] if acf[0] > 0 else np.zeros(len(acf))

"""The season of series: one of the calendar's, or one that their autocorrelation alone tells."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from penstock.data.time.spacing import DAY, Spacing

_STRENGTH = 0.1  # a weaker correlation is no season
_ERRORS = 4.5  # standard errors that it must exceed; hundreds of lags are tried
_FEW_ERRORS = 3.0  # of the calendar's seasons, of which there are one or two
_ABOUT = 0.9
_LITTLE = 0.02
_MULTIPLES = (2, 3, 4)
_IN_TURN = -0.35
_LONGEST = 400
_ENOUGH = 20_000  # values of a series; more tell nothing new of its seasons
_SHORTEST = 3  # of the calendar's


def find_season(parts: Iterable[NDArray[np.float64]], spacing: Spacing | None = None) -> int:
    """Return the season m of training parts, in steps; 1 where there is none.

    The calendar's seasons are tried first (see `calendar_seasons`), as the noise of one series can
    lift a fraction of a year, or the lag beside a day, above the season itself. Where none is
    there, any lag may be a season; and so may a part of one that repeats as well by itself.
    """
    acfs = [_autocorrelation(_without_trend(part[-_ENOUGH:])) for part in parts]
    acf, weight = _pooled(acfs, 2)
    free = _completed(acf, weight, _free_season(*_pooled(acfs, 3)))
    natural = _natural_season(acf, weight, calendar_seasons(spacing))
    is_part = 1 < free < natural and natural % free == 0
    enough = is_part and _adds(acf, weight, natural, free, 0) <= _LITTLE
    return free if natural == 1 or enough else natural


def calendar_seasons(spacing: Spacing | None) -> tuple[int, ...]:
    """Return the seasons that a step of time may have, in steps: a day, a week, a year."""
    if spacing is None or spacing.unit not in ("us", "month", "business day"):
        return ()
    if spacing.unit == "business day":
        return (5,)
    week = 7 * DAY
    if spacing.unit == "month":
        spans: tuple[int, ...] = (12,)
    elif spacing.step < DAY:
        spans = (DAY, week)
    else:
        spans = (week, 365 * DAY) if spacing.step < week else (52 * week,)
    whole = (int(span // spacing.step) for span in spans if span % spacing.step == 0)
    return tuple(m for m in whole if _SHORTEST <= m <= _LONGEST)


def _natural_season(
    acf: NDArray[np.float64], weight: NDArray[np.float64], seasons: Sequence[int]
) -> int:
    """Return the season of the calendar that correlates more than the lags around it; 1 if none.

        z_m = √(n K / (1 + 1/w)) · Σ_k (r_km − the mean of the w lags within half a season) / K

    Of several the shortest, unless a longer one correlates more by 0.1: the week of hours.
    """
    best, most = 1, 0.0
    for m in seasons:
        if m < len(acf):
            rise, around = _stands_out(acf, m)
            z = rise * np.sqrt(weight[m::m].sum() / (1 + 1 / max(around, 1)))
            if z > _FEW_ERRORS and rise > most + _STRENGTH:
                best, most = m, rise
    return best


def _stands_out(acf: NDArray[np.float64], m: int) -> tuple[float, int]:
    """Return by how much multiples of m correlate more than the lags around them, and how many
    these are. As many are taken on both sides, so that correlation that decays makes no season.
    """
    rises, around = [], 0
    for lag in range(m, len(acf), m):
        reach = min((m - 1) // 2, len(acf) - 1 - lag)
        if reach:
            beside = np.r_[acf[lag - reach : lag], acf[lag + 1 : lag + reach + 1]]
            rises.append(acf[lag] - beside.mean())
            around = max(around, 2 * reach)
    return (float(np.mean(rises)), around) if rises else (0.0, 0)


def _completed(acf: NDArray[np.float64], weight: NDArray[np.float64], part: int) -> int:
    """Return the multiple of a season, if there is one, of which it is but the strongest part."""
    if part == 1:
        return part
    more = {k: _adds(acf, weight, k * part, part, _FEW_ERRORS) for k in _MULTIPLES}
    best = max(more, key=lambda k: more[k])
    return part * best if more[best] > 0 else part


def _adds(
    acf: NDArray[np.float64], weight: NDArray[np.float64], season: int, part: int, errors: float
) -> float:
    """Return by how much a season correlates more than the other multiples of a part of it do, less
    so many standard errors.
    """
    lags = np.arange(part, len(acf), part)
    whole = lags % season == 0
    if whole.all() or not whole.any():
        return 0.0
    error = np.sqrt(1 / weight[lags[whole]].sum() + 1 / weight[lags[~whole]].sum())
    return float(acf[lags[whole]].mean() - acf[lags[~whole]].mean() - errors * error)


def _pooled(
    acfs: Sequence[NDArray[np.float64]], share: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean autocorrelation of series at lags up to n/share, and the n behind each."""
    longest = min(_LONGEST, max(map(len, acfs)) // share)
    total, weight = np.zeros(longest + 1), np.zeros(longest + 1)
    for acf in acfs:
        near = acf[: min(longest, len(acf) // share) + 1]
        total[: len(near)] += near * len(acf)
        weight[: len(near)] += len(acf)
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0), weight


def _free_season(acf: NDArray[np.float64], weight: NDArray[np.float64]) -> int:
    """Return the lag that is a season by itself; 1 where there is none.

    r_k is the autocorrelation at lag k, averaged over the series, of each without its trend (see
    `_without_trend`). A season correlates at its multiples more than half-way between them, and
    noise cancels in the mean, so m is the lag with the highest

        z_m = √(n K / 2) · Σ_k (r_km − r_(k−½)m) / K,    k = 1 … K,    K m ≤ n/3 < (K + 1) m,

    which favours the shortest of a season's multiples (12 and not 24); of lags that come within a
    tenth of it, that with the highest mean. The mean must exceed 0.1, and z 4.5 (noise alone has a
    standard error of about 1).
    """
    rises = np.array([0, 0, *(_rise(acf, m) for m in range(2, len(acf)))])
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
    in_turn = len(changes) > 1 and _beside(changes) < _IN_TURN
    return part - part.mean() - slope * time if in_turn else changes


def _beside(part: NDArray[np.float64]) -> float:
    """Return the autocorrelation at lag 1."""
    centred = part - part.mean()
    total = float(centred @ centred) / len(part)
    return float(centred[1:] @ centred[:-1]) / (len(part) - 1) / total if total else 0.0


def _autocorrelation(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the autocorrelation at lags 0, 1, … (by the fast Fourier transform)."""
    centred = part - part.mean() if len(part) else np.zeros(1)
    spectrum = np.abs(np.fft.rfft(centred, 2 * len(centred))) ** 2
    acf = np.fft.irfft(spectrum)[: len(centred)] / np.arange(len(centred), 0, -1)
    return acf / acf[0] if acf[0] > 0 else np.zeros(len(acf))

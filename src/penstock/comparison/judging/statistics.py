"""Means and their 95 % intervals: over seeds, and over seeds and blocks of test data."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr, stdtr, stdtrit  # scipy.stats takes a second to import

LEVEL = 0.95
_ROUNDING = 1e-12  # of the largest score: what is below it is no spread
_NODES, _TAIL = 48, 1e-10  # of the sum for an integral over χ²
_NEWTON, _CLOSE = 60, 1e-9
_ROOT = float(np.sqrt(2 * np.pi))

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean, its interval, and how likely one as far from 0 is by chance where the truth is 0.

    Interval and p (two-sided) are None where the data cannot tell.
    """

    mean: float
    interval: tuple[float, float] | None
    p: float | None = None


@dataclass(frozen=True)
class _Share:
    """A part of the variance of a mean, and its degrees of freedom."""

    value: float
    freedom: float


def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """Return t with P(|T| < t) = level for Student's T with ν degrees of freedom, ν ≥ 1."""
    return float(stdtrit(freedom, (1 + level) / 2))


def mean_over_seeds(values: Table) -> Estimate:
    """Return the mean of [S] values; one value has no interval."""
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return Estimate(mean, None)
    spread = float((values - values[0]).var(ddof=1))  # exactly 0 where all are equal
    return _estimate(mean, spread / count, count - 1)


def over_seeds_and_blocks(tables: Sequence[Table], weights: Table, lag: int = 0) -> Estimate:
    """Return the sum of the means of tables [Sᵢ, K] over seeds and blocks, blocks by weight [K].

    Each x_sk = μ + seed_s + block_k + e_sk. Seeds of different tables are independent, blocks are
    the same for all. Var = σ²_seed/S + σ²_block/K + σ²_e/(S K) with the components by analysis of
    variance, (MS_seed + MS_block − MS_e)/(S K), none of them below 0. How far this may be off, with
    two degrees of freedom for three seeds, is part of p and of the interval: see `_of_two_sources`.
    With one seed the spread over seeds is unknown and left out. No interval from one block, or
    where nothing varies.

    Where errors go together between as many neighbours as `lag`, σ²_block/K is that of Harvey,
    Leybourne & Newbold (1997, Int. J. Forecasting 13), with h = lag + 1: the autocovariances γ of
    the blocks count, (γ₀ + 2 Σ γⱼ)/K, and for estimating them with so few blocks the sum is divided
    by (K + 1 − 2h + h (h − 1)/K)/K, which is 0 for K = h: then there is no interval.
    """
    share, K = weights / weights.sum(), len(weights)
    mean = float(sum((table.mean(axis=0) * share).sum() for table in tables))
    if _known_of(K, lag) <= 0:
        return Estimate(mean, None)
    blocks = _blocks(tables, share, lag)
    seeds = [_Share(float((x @ share).var(ddof=1)) / len(x), len(x) - 1) for x in _several(tables)]
    rest = sum(_interaction(table, share) for table in _several(tables))
    variance = max(_total(seeds), rest) + max(blocks.value, rest) - rest
    if variance <= (_ROUNDING * max(float(np.abs(table).max()) for table in tables)) ** 2:
        return Estimate(mean, None)
    if not seeds:
        return _estimate(mean, blocks.value, blocks.freedom)
    return _of_two_sources(mean, _pooled(seeds), blocks, rest)


def difference(
    first: Table, second: Table, weights: Table, *, paired: bool, lag: int = 0
) -> Estimate:
    """Return the mean of the first less that of the second, tables of scores [S, K] and [S', K].

    Paired: rows of both have the same seeds, or one of them has a single row, without a seed.
    """
    largest = max(float(np.abs(first).max()), float(np.abs(second).max()))
    return contrast([first - second] if paired else [first, -second], weights, largest, lag)


def contrast(tables: Sequence[Table], weights: Table, largest: float, lag: int = 0) -> Estimate:
    """Return as `over_seeds_and_blocks`, where the sum of the means is a difference of scores.

    What is nothing beside the largest score is rounding, and counts as 0. Where the difference
    never varies, K + 1 blocks are assumed of which one would show none, as in the rule of
    succession: SE = |mean| / √(K (K + 1)).
    """
    rounding, K = _ROUNDING * largest, len(weights)
    clean = [np.where(np.abs(table) > rounding, table, 0.0) for table in tables]
    found = over_seeds_and_blocks(clean, weights, lag)
    if abs(found.mean) <= rounding:  # what sums up to nothing is no difference either
        return Estimate(0.0, found.interval, found.p)
    if found.interval or _known_of(K, lag) <= 0:
        return found
    return _estimate(found.mean, found.mean**2 / (K * (K + 1)), K - 1)


def over_resplits(differences: Table, ratio: float) -> Estimate:
    """Return the mean of [N] differences on N splits of the same data, whose parts overlap.

    Var = (1/N + n_test/n_train) s², the ratio being that of the sizes of these parts, with N − 1
    degrees of freedom (Nadeau & Bengio 2003, Machine Learning 52): s²/N would be the variance of
    splits that are independent.
    """
    mean, count = float(differences.mean()), len(differences)
    spread = float((differences - differences[0]).var(ddof=1)) if count > 1 else 0.0
    if spread <= (_ROUNDING * float(np.abs(differences).max())) ** 2:
        return Estimate(mean, None)
    return _estimate(mean, (1 / count + ratio) * spread, count - 1)


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(value) for value in corrected]


def _several(tables: Sequence[Table]) -> list[Table]:
    return [table for table in tables if len(table) > 1]


def _total(parts: Sequence[_Share]) -> float:
    return sum(part.value for part in parts)


def _pooled(parts: Sequence[_Share]) -> _Share:
    """Return the sum of shares; degrees of freedom are their harmonic mean, by share."""
    total = _total(parts)
    if not total:
        return _Share(0.0, min(part.freedom for part in parts))
    return _Share(total, total / sum(part.value / part.freedom for part in parts))


def _blocks(tables: Sequence[Table], share: Table, lag: int) -> _Share:
    """Return σ²_block/K + σ²_e/(S K); a block's part in the mean is K · share · its deviation.

    Autocovariances whose sum is below 0 do not count: of so few blocks that is mostly chance.
    """
    means, K = np.sum([table.mean(axis=0) for table in tables], axis=0), len(share)
    parts = K * share * (means - means @ share)
    together = sum(float(parts[j:] @ parts[:-j]) for j in range(1, lag + 1))
    total = float(parts @ parts) + 2 * max(0.0, together)
    return _Share(total / K**2 / _known_of(K, lag), K - 1)


def _known_of(K: int, lag: int) -> float:
    """Return the share of the variance of a mean that K blocks show on average, h = lag + 1."""
    h = lag + 1
    return 0.0 if h > K else (K + 1 - 2 * h + h * (h - 1) / K) / K


def _interaction(table: Table, share: Table) -> float:
    """Return σ²_e/(S K)."""
    S, K = len(table), len(share)
    seeds, blocks = table @ share, table.mean(axis=0)
    rest = K * share * (table - seeds[:, None] - blocks + blocks @ share)
    freedom = (S - 1) * (K - 1)
    return float((rest**2).sum()) / freedom / (S * K)


def _estimate(mean: float, squared_error: float, freedom: float) -> Estimate:
    error = float(np.sqrt(squared_error))
    half = t_quantile(freedom) * error
    p = 2 * float(stdtr(freedom, -abs(mean) / error)) if error else None
    return Estimate(mean, (mean - half, mean + half), p)


def _of_two_sources(mean: float, seeds: _Share, blocks: _Share, rest: float) -> Estimate:
    """Return a mean whose error has two sources, each known from few values; both have `rest` in.

    By the generalised p-value of Tsui & Weerahandi (1989, J. Am. Stat. Assoc. 84). Had a variance
    been estimated as s² with ν degrees of freedom, it may be any s² ν/χ²_ν: so p is that of a
    normal mean, averaged over what both variances may be, and the interval holds what has p ≥ 0.05.
    Where one source is all there is, this is Student's t. Degrees of freedom for the sum (Welch,
    Satterthwaite) are right near 0.05 alone: they find a difference of nothing among ten cells of
    three seeds, corrected for their number, in 14 to 16 % of cases where seeds differ much.
    """
    of_seeds, p_seeds = _may_be(seeds, rest)
    of_blocks, p_blocks = _may_be(blocks, rest)
    errors = np.sqrt(of_seeds[:, None] + of_blocks - rest)
    shares = p_seeds[:, None] * p_blocks

    def chance(far: float) -> float:
        return 2 * float((shares * ndtr(-far / errors)).sum())

    half = 0.0
    for _ in range(_NEWTON):  # p falls and is convex, so from below all steps go up to the root
        slope = 2 * float((shares * np.exp(-((half / errors) ** 2) / 2) / errors).sum()) / _ROOT
        half, last = half + (chance(half) - (1 - LEVEL)) / slope, half
        if half - last <= _CLOSE * half:
            break
    return Estimate(mean, (mean - half, mean + half), chance(abs(mean)))


def _may_be(part: _Share, least: float) -> tuple[Table, Table]:
    """Return what a variance may be, `least` or more, and how likely each is."""
    factors, shares = _factors(part.freedom)
    return np.maximum(part.value * factors, least), shares


@cache
def _factors(freedom: float) -> tuple[Table, Table]:
    """Return values of ν/χ²_ν and their probabilities: in log χ² the trapezoidal rule is exact."""
    low, high = (np.log(chdtri(freedom, tail)) for tail in (1 - _TAIL, _TAIL))
    logs = np.linspace(low, high, _NODES)
    powers = freedom / 2 * logs - np.exp(logs) / 2
    density = np.exp(powers - powers.max())  # of hundreds of degrees of freedom it is beyond floats
    return freedom / np.exp(logs), density / density.sum()

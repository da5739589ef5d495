"""Runs of symbols, counted: what n-grams are made of, at any order.

A run of n symbols is known by its place among those of its length, in order. Its key is the place
of the run without its last symbol, times the number of symbols, plus that symbol: so no key is
larger than the length of the text times the number of symbols, however long runs are.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

UNKNOWN = -1  # the place of a run that never came


@dataclass(frozen=True)
class Level:
    """The runs of one length, G of them, which begin with one of P shorter runs.

    Attributes:
        size: the number of symbols.
        keys: [G], sorted.
        counts: [G], how often each came.
        shorter: P.
    """

    size: int
    keys: Codes
    counts: Codes
    shorter: int

    def find(self, histories: Codes, symbols: Codes) -> Codes:
        """Return the places of the runs that go on from histories, by place, with symbols."""
        places = np.full(histories.shape, UNKNOWN)
        known = histories != UNKNOWN
        wanted = histories[known] * self.size + symbols[known]
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        places[known] = np.where(self.keys[place] == wanted, place, UNKNOWN)
        return places

    def per_history(self, weights: Codes | Floats | None = None) -> Floats:
        """Return the sum of weights [G] of the runs that begin with each history [P]."""
        return np.bincount(self.keys // self.size, weights, self.shorter).astype(np.float64)


@dataclass(frozen=True)
class Smoothing:
    """How a level is mixed with the probabilities that shorter histories give.

    With history h, h′ that without its first symbol, and n the counts,

        p(c | h) = (n(h c) − D(n(h c)) + b(h) p(c | h′)) / a(h),

    and p(c | h) = p(c | h′) where h never came.

    Attributes:
        level: the counts.
        discounts: D of runs that came once, twice, and more often: [3]. None is the rule of Witten
            & Bell (1991, method C): D = 0, b(h) is the number of different symbols that came after
            h, and a(h) = Σ_c n(h c) + b(h). With discounts b(h) = Σ_c D(n(h c)), and
            a(h) = Σ_c n(h c), as Chen & Goodman (1999) have it.
    """

    level: Level
    discounts: Floats | None = None

    @cached_property
    def _taken(self) -> Floats:
        """What is taken from a run by how often it came: never, once, twice, more often."""
        return np.append(0.0, np.zeros(3) if self.discounts is None else self.discounts)

    @cached_property
    def _left(self) -> Floats:
        """b(h) [P]."""
        if self.discounts is None:
            return self.level.per_history()
        return self.level.per_history(self._taken[np.minimum(self.level.counts, 3)])

    @cached_property
    def _all(self) -> Floats:
        """a(h) [P]."""
        came = self.level.per_history(self.level.counts)
        return came + self._left if self.discounts is None else came

    def mix(self, places: Codes, histories: Codes, shorter: Floats) -> Floats:
        """Return p of the runs at places, by history and by what shorter histories say of them."""
        count = np.where(places == UNKNOWN, 0, self.level.counts[places])
        gain = count - self._taken[np.minimum(count, 3)]
        whole = np.where(histories == UNKNOWN, 0.0, self._all[histories])
        mixed = (gain + self._left[histories] * shorter) / np.where(whole > 0, whole, 1.0)
        return np.where(whole > 0, mixed, shorter)


class Counter:
    """Counts the runs of a text, a length at a time.

    Args:
        codes: [N], from 0 to size − 1.
        size: the number of symbols.

    Attributes:
        levels: the runs of each length so far.
        longest: how long a run can be.
    """

    def __init__(self, codes: Codes, size: int) -> None:
        self._codes, self.size, self.longest = codes, size, len(codes)
        self._places = np.zeros(len(codes) + 1, np.int64)  # of the run that begins there
        self.levels: list[Level] = []

    def lengthen(self) -> tuple[Level, Level | None]:
        """Count runs of one symbol more; return their level, and that of the shorter ones as
        `continued`.
        """
        before, n = self._places, len(self.levels)
        histories = before[: len(self._codes) - n]
        keys = histories * self.size + self._codes[n:]
        known, first, places, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        shorter = len(self.levels[-1].keys) if self.levels else 1
        self._places = places
        self.levels.append(Level(self.size, known, counts, shorter))
        return self.levels[-1], self._continued(before[first + 1]) if n else None

    def _continued(self, ends: Codes) -> Level:
        """Return the shorter runs with the number of different symbols that came before each.

        `ends` [G] are the places of the runs without their first symbol. What begins the text has
        its beginning before it.
        """
        level = self.levels[-2]
        before = np.bincount(ends, minlength=len(level.keys))
        return Level(level.size, level.keys, np.maximum(before, 1), level.shorter)


def discounts(counts: Codes) -> Floats:
    """Return what modified Kneser–Ney takes from runs that came once, twice, and more often.

    With n_k the number of runs that came k times and Y = n₁ / (n₁ + 2 n₂),
    D_k = k − (k + 1) Y n_{k+1} / n_k (Chen & Goodman 1999, equation 26); half of k where some n_k
    is 0 or where the formula leaves what can be.
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(np.float64)
    k = np.arange(1.0, 4.0)
    if not n.all():
        return k / 2
    y = n[0] / (n[0] + 2 * n[1])
    found = k - (k + 1) * y * n[1:] / n[:3]
    return np.where((found > 0) & (found < k), found, k / 2)

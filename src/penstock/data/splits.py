"""Splits of time: the past trains, what follows validates, the end tests; and of sets, by id."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PARTS = ("train", "validation", "test")
VALIDATION_SHARE = 0.15
TEST_SHARE = 0.25


@dataclass(frozen=True)
class Split:
    """Where the parts of a series end: train [0, train), validation [train, validation), test."""

    train: int
    validation: int
    end: int

    def part(self, name: str) -> tuple[int, int]:
        """Return (first row, row after the last) of the part of that name."""
        ends = {
            "train": (0, self.train),
            "validation": (self.train, self.validation),
            "test": (self.validation, self.end),
        }
        return ends[name]


def split(length: int, horizon: int) -> Split:
    """Return the split of a series: shares of its length, but at least a horizon to each part."""
    test = max(horizon, round(TEST_SHARE * length))
    validation = max(horizon, round(VALIDATION_SHARE * length))
    return Split(length - test - validation, length - test, length)


def rows_needed(context: int, horizon: int) -> int:
    """Return the shortest length with one window (context, then horizon) in each of the parts.

    The contexts of validation and test windows may reach back into the part before.
    """
    lengths = itertools.count(context + 3 * horizon)
    return next(n for n in lengths if split(n, horizon).train >= context + horizon)


def split_set(strata: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the members of each part of a set [S], drawn by chance with a fixed seed.

    Each stratum (a class, say) gives each part its share, and at least one member where it has
    three. The order of a part is random, so that stretches of it are alike.
    """
    draw = np.random.default_rng(0)
    part = np.zeros(len(strata), np.int64)
    for stratum in np.unique(strata):
        members = draw.permutation(np.flatnonzero(strata == stratum))
        n = len(members)
        test = max(round(TEST_SHARE * n), int(n >= 3))
        validation = max(round(VALIDATION_SHARE * n), int(n >= 3))
        part[members[:test]] = 2
        part[members[test : test + validation]] = 1
    return {name: draw.permutation(np.flatnonzero(part == k)) for k, name in enumerate(PARTS)}

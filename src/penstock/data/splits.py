"""Chronological splits: the past trains, what follows validates, the end tests."""

import itertools
from dataclasses import dataclass

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

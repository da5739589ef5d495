"""Shares of cases, with Wilson's intervals."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Row = tuple[str, int, int, str]  # kind of data, seeds, cells, what is claimed


def wilson(count: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    share, extra = count / of, z * z / of
    middle = (share + extra / 2) / (1 + extra)
    half = z / (1 + extra) * math.sqrt(share * (1 - share) / of + extra / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass
class Tally:
    """Of each row, how many cases there were in which it happened, and how many in all."""

    counts: dict[Row, list[int]] = field(default_factory=dict)

    def enter(self, row: Row, happened: bool) -> None:
        """Count a case."""
        tally = self.counts.setdefault(row, [0, 0])
        tally[0] += bool(happened)
        tally[1] += 1

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as values fit for JSON."""
        return [
            {"data": data, "seeds": seeds, "cells": cells, "claim": claim, "count": count, "of": of}
            for (data, seeds, cells, claim), (count, of) in self.counts.items()
        ]


def together(several: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    whole = Tally()
    for tally in several:
        for row, (count, of) in tally.counts.items():
            mine = whole.counts.setdefault(row, [0, 0])
            mine[0] += count
            mine[1] += of
    return whole

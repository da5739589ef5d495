"""Each contestant against each other: paired differences, and how to say them."""

from collections.abc import Iterable, Sequence
from itertools import combinations, permutations

import numpy as np

from penstock.comparison.judging.statistics import LEVEL, Table, difference, holm
from penstock.record.contestants import (
    BaselineContestant,
    CellContestant,
    Contestant,
    baselines_among,
    cells_among,
)
from penstock.record.results import Comparison

DOUBT = 1 - LEVEL

Pair = tuple[str, str]


def compare_all(contestants: Sequence[Contestant]) -> list[Comparison]:
    """Return each contestant against each other; those without a result left out."""
    ranked = [one for one in contestants if one.rank is not None]
    found = {(a, b): _compare(ranked[a], ranked[b]) for a, b in combinations(range(len(ranked)), 2)}
    found |= {(b, a): _turned(one) for (a, b), one in found.items()}
    return [found[pair] for pair in sorted(found)]


def _turned(one: Comparison) -> Comparison:
    """Return a comparison from the second's side."""
    turned = None if one.interval is None else (-one.interval[1], -one.interval[0])
    return Comparison(one.second, one.first, -one.difference, turned, one.p)


def _compare(one: Contestant, other: Contestant) -> Comparison:
    """Pair by block, and by seed where both have the same; a baseline has none of its own.

    Where a seed of one is missing in the other, all of both count, as in the table.
    """
    cells = cells_among([one, other])
    paired = len(cells) < 2 or alike(cells)
    found = difference(table(one), table(other), weights(one), paired=paired, lag=one.lag)
    return Comparison(one.name, other.name, found.mean, found.interval, found.p)


def alike(cells: Iterable[CellContestant]) -> bool:
    """Whether cells have results of the same seeds."""
    return len({tuple(sorted(trial.seed for trial in one.measured)) for one in cells}) == 1


def table(one: Contestant) -> Table:
    """Return the scores [S, K] of a contestant, its seeds in order."""
    if isinstance(one, BaselineContestant):
        return np.array(one.blocks, np.float64)
    return np.array([t.blocks for t in sorted(one.measured, key=lambda t: t.seed)], np.float64)


def weights(one: Contestant) -> Table:
    """Return the weight of each block [K]."""
    return np.array(one.weights or np.ones(len(one.blocks[0])), np.float64)


class Differences:
    """Comparisons looked up by the two names, corrected for how many there are, and in words.

    By Holm's method: cells among each other, and baselines among each other, where either of two
    may come out as the better one, so that each pair counts twice; and for each baseline the cells
    that may be better, and those that may be worse.

    That one cell is better than every other is one claim, which each of its comparisons has to
    carry. It is most often false where two are equal and all others worse, and then by that one
    comparison, however many there are: so p is doubled, as either of the two may be first, and
    needs no other correction (Berger 1982, Technometrics 24; Hsu 1984, Ann. Stat. 12).

    Attributes:
        winner: the cell that is better than every other beyond doubt, or None.
    """

    def __init__(
        self, contestants: Sequence[Contestant], comparisons: Sequence[Comparison]
    ) -> None:
        ranked = [one for one in contestants if one.rank is not None]
        self.score = next(iter(contestants[0].metrics))
        self.naive = [one.name for one in baselines_among(ranked)]
        self.cells = [one.name for one in cells_among(ranked)]
        self._pairs = {(one.first, one.second): one for one in comparisons}
        self.winner = self._best_of_cells()
        families = [[*permutations(self.cells, 2)], [*permutations(self.naive, 2)]]
        for method in self.naive:
            families.append([(cell, method) for cell in self.cells])
            families.append([(method, cell) for cell in self.cells])
        self._corrected = {pair: p for family in families for pair, p in self._holm(family)}

    def useful(self) -> list[str]:
        """Return the cells that beat every baseline beyond doubt, of however many cells."""
        worst = [max(self._better(cell, one) for one in self.naive) for cell in self.cells]
        return [cell for cell, p in zip(self.cells, holm(worst), strict=True) if p < DOUBT]

    def below(self, first: str, second: str) -> bool:
        """Whether the first is better beyond doubt."""
        if first == self.winner and second in self.cells:
            return True
        return self._corrected.get((first, second), 1.0) < DOUBT

    def above(self, first: str, second: str) -> bool:
        """Whether the first is worse beyond doubt."""
        return self.below(second, first)

    def words(self, first: str, second: str) -> str:
        """Return "MASE lower by 0.20 than 'drift' (95 % interval 0.10 to 0.30)"."""
        pair = self._pairs[first, second]
        if not pair.difference:
            return f"{self.score} equal to that of '{second}'"
        sign = -1 if pair.difference < 0 else 1
        side = "lower" if sign < 0 else "higher"
        text = f"{self.score} {side} by {abs(pair.difference):.3g} than '{second}'"
        if pair.interval is None:
            return f"{text} (too few test windows for an interval)"
        low, high = sorted(sign * bound for bound in pair.interval)
        many = ", which is not beyond doubt among so many comparisons"
        sure = self.below(first, second) or self.above(first, second)
        chance = many if low > 0 and not sure else ""
        return f"{text} (95 % interval {low:.3g} to {high:.3g}{chance})"

    def _best_of_cells(self) -> str | None:
        """Return the cell with the lowest error, if it beats each other one."""
        if not self.cells:
            return None
        first, *others = self.cells
        worst = max((2 * self._better(first, one) for one in others), default=0.0)
        return first if worst < DOUBT else None

    def _holm(self, family: Sequence[Pair]) -> Iterable[tuple[Pair, float]]:
        """Return each pair with the corrected p-value of its first being better."""
        return zip(family, holm([self._better(*pair) for pair in family]), strict=True)

    def _better(self, first: str, second: str) -> float:
        """Return the p-value of the first being better; 1 where it is not, or nobody knows."""
        pair = self._pairs[first, second]
        return 1.0 if pair.p is None or pair.difference >= 0 else pair.p


def names(several: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return ", ".join(several[:-1]) + (" and " if len(several) > 1 else "") + several[-1]

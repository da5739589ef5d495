"""Each contestant against each other: paired differences, and how to say them."""

from collections.abc import Sequence

import numpy as np

from penstock.comparison.judging.statistics import paired_difference
from penstock.record.contestants import BaselineContestant, Contestant, baselines_among
from penstock.record.results import Comparison


def compare_all(contestants: Sequence[Contestant]) -> list[Comparison]:
    """Return each contestant against each other; those without a finished trial left out."""
    ranked = [one for one in contestants if one.rank is not None]
    return [_compare(one, other) for one in ranked for other in ranked if one is not other]


def _compare(one: Contestant, other: Contestant) -> Comparison:
    """Pair by block, and by seed where both have trials of the same seeds."""
    rows = [_by_seed(one), _by_seed(other)]
    seeds = [seed for seed in rows[0] if None in rows[1] or seed in rows[1]]
    if not seeds:  # each diverged where the other finished: pair the means
        first, second = (np.mean([*row.values()], axis=0, keepdims=True) for row in rows)
    else:
        first, second = (np.array([row.get(s, row.get(None)) for s in seeds]) for row in rows)
    difference = paired_difference(first - second)
    return Comparison(one.name, other.name, difference.mean, difference.interval)


def _by_seed(one: Contestant) -> dict[int | None, list[float]]:
    """Return a cell's blocks by seed; a naive method's under None, for all seeds."""
    if isinstance(one, BaselineContestant):
        return {None: one.blocks[0]}
    return {trial.seed: trial.blocks for trial in one.finished}


class Differences:
    """Comparisons looked up by the two names, and put into words."""

    def __init__(
        self, contestants: Sequence[Contestant], comparisons: Sequence[Comparison]
    ) -> None:
        self.score = next(iter(contestants[0].metrics))
        self.naive = [one.name for one in baselines_among(contestants)]
        self._pairs = {(one.first, one.second): one for one in comparisons}

    def below(self, first: str, second: str) -> bool:
        """Whether the first is surely better."""
        interval = self._pairs[first, second].interval
        return interval is not None and interval[1] < 0

    def above(self, first: str, second: str) -> bool:
        """Whether the first is surely worse."""
        interval = self._pairs[first, second].interval
        return interval is not None and interval[0] > 0

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
        return f"{text} (95 % interval {low:.3g} to {high:.3g})"


def names(several: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return ", ".join(several[:-1]) + (" and " if len(several) > 1 else "") + several[-1]

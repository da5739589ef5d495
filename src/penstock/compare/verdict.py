"""Contestants → comparisons → the verdict in words."""

from collections.abc import Sequence

import numpy as np

from penstock.compare.results import Comparison, Contestant, Verdict
from penstock.compare.statistics import paired_difference


def compare_all(contestants: Sequence[Contestant]) -> list[Comparison]:
    """Return each cell against each other contestant; those without a finished trial left out."""
    ranked = [one for one in contestants if one.rank is not None]
    return [
        _compare(one, other)
        for one in ranked
        for other in ranked
        if one.kind == "cell" and one is not other
    ]


def _compare(one: Contestant, other: Contestant) -> Comparison:
    """Pair by block, and by seed where both have trials of the same seeds."""
    rows = [_by_seed(one), _by_seed(other)]
    seeds = [seed for seed in rows[0] if None in rows[1] or seed in rows[1]]
    if not seeds:  # each diverged where the other finished: pair the means
        first, second = (np.mean([*row.values()], axis=0, keepdims=True) for row in rows)
    else:
        first, second = (np.array([row.get(s, row.get(None)) for s in seeds]) for row in rows)
    found = paired_difference(first - second)
    return Comparison(one.name, other.name, found.mean, found.interval)


def _by_seed(one: Contestant) -> dict[int | None, list[float]]:
    """Return a cell's blocks by seed; a baseline's under None, for all seeds."""
    if one.kind == "baseline":
        return {None: one.blocks[0]}
    return {trial.seed: trial.blocks for trial in one.trials if trial.status == "finished"}


def judge(contestants: Sequence[Contestant], comparisons: Sequence[Comparison]) -> Verdict:
    """Return the verdict on contestants in the order of their rank.

    A cell is recommended only if its interval lies below 0 against every naive forecast. It wins
    if that holds against every other cell as well.
    """
    cells = [one for one in contestants if one.kind == "cell" and one.rank is not None]
    naive = next(one for one in contestants if one.kind == "baseline")
    if not cells:
        words = f"Every trial diverged; the best naive forecast is '{naive.name}'."
        return Verdict("failed", naive.name, None, [words])
    table = _Table(contestants, comparisons)
    useful = [cell for cell in cells if all(table.below(cell.name, n) for n in table.naive)]
    if not useful:
        return _naive_wins(cells, naive, table)
    best = useful[0]
    rivals = [cell.name for cell in cells if cell is not best]
    open_ = [name for name in rivals if not table.below(best.name, name)]
    sentences = [
        f"{best.name} beats every naive forecast: {table.words(best.name, naive.name)}.",
        *_seed_words(cells),
    ]
    if open_:
        head = (
            f"No clear winner: {best.name} cannot be told apart from {_names(open_)}: "
            + "; ".join(table.words(best.name, name) for name in open_)
            + "."
        )
        return Verdict(
            "no clear winner", best.name, best.name, [head, *sentences, _cheapest(cells)]
        )
    against = "; ".join(table.words(best.name, name) for name in rivals)
    head = f"Winner: {best.name}" + (f", {against}." if rivals else ", the only cell compared.")
    return Verdict("winner", best.name, best.name, [head, *sentences])


class _Table:
    """Comparisons looked up by the two names, and put into words."""

    def __init__(
        self, contestants: Sequence[Contestant], comparisons: Sequence[Comparison]
    ) -> None:
        self.score = next(iter(contestants[0].metrics))
        self.naive = [one.name for one in contestants if one.kind == "baseline"]
        self._found = {(one.first, one.second): one for one in comparisons}

    def below(self, first: str, second: str) -> bool:
        """Whether the first is surely better."""
        interval = self._found[first, second].interval
        return interval is not None and interval[1] < 0

    def above(self, first: str, second: str) -> bool:
        """Whether the first is surely worse."""
        interval = self._found[first, second].interval
        return interval is not None and interval[0] > 0

    def words(self, first: str, second: str) -> str:
        """Return "MASE lower by 0.20 than 'drift' (95 % interval 0.10 to 0.30)"."""
        found = self._found[first, second]
        sign = -1 if found.difference < 0 else 1
        side = "lower" if sign < 0 else "higher"
        text = f"{self.score} {side} by {abs(found.difference):.3g} than '{second}'"
        if found.interval is None:
            return f"{text} (too few test windows for an interval)"
        low, high = sorted(sign * bound for bound in found.interval)
        return f"{text} (95 % interval {low:.3g} to {high:.3g})"


def _naive_wins(cells: Sequence[Contestant], naive: Contestant, table: _Table) -> Verdict:
    reasons = "; ".join(f"{c.name}: {table.words(c.name, naive.name)}" for c in cells)
    take = f"Take '{naive.name}': it needs no training. More data may change this."
    sentences = [f"{reasons}.", *_seed_words(cells), take]
    if all(table.above(cell.name, naive.name) for cell in cells):
        head = f"The naive forecast is better: '{naive.name}' beats every cell."
        return Verdict("naive is better", naive.name, None, [head, *sentences])
    head = f"Nothing beats the naive forecast '{naive.name}' beyond doubt."
    return Verdict("nothing beats naive", naive.name, None, [head, *sentences])


def _seed_words(cells: Sequence[Contestant]) -> list[str]:
    lost = [f"{c.name} ({n})" for c in cells if (n := _diverged(c))]
    words = [f"Trials that diverged: {', '.join(lost)}."] if lost else []
    if min(len(cell.blocks) for cell in cells) < 2:
        words.append("With one seed the spread over seeds is unknown: the intervals leave it out.")
    return words


def _diverged(cell: Contestant) -> int:
    return sum(trial.status == "diverged" for trial in cell.trials)


def _cheapest(cells: Sequence[Contestant]) -> str:
    least = min(cells, key=lambda cell: cell.flops_per_step)
    return f"{least.name} takes the fewest FLOPs a step ({least.flops_per_step:,})."


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]

"""Scores on other splits of the same data → claims about new data."""

from collections.abc import Mapping, Sequence

import numpy as np

from penstock.comparison.judging.comparisons import Differences, names
from penstock.comparison.judging.deciding import Decision
from penstock.comparison.judging.statistics import over_resplits
from penstock.record.contestants import Contestant
from penstock.record.results import Comparison, Resplits


def judge_resplits(scores: Sequence[Mapping[str, float]], ratio: float) -> Resplits:
    """Return what splits say, from the scores of each by contestant; at least two of them."""
    common = [name for name in scores[0] if all(name in split for split in scores)]
    table = {name: [split[name] for split in scores] for name in common}
    return Resplits(
        table,
        ratio,
        [_compare(table, one, other, ratio) for one in common for other in common if one != other],
    )


def _compare(
    table: Mapping[str, Sequence[float]], one: str, other: str, ratio: float
) -> Comparison:
    found = over_resplits(np.array(table[one]) - np.array(table[other]), ratio)
    return Comparison(one, other, found.mean, found.interval, found.p)


def resplit_words(
    decision: Decision, contestants: Sequence[Contestant], resplits: Resplits
) -> list[str]:
    """Say whether the one to take is better on other splits too, as it would be on new data."""
    best = decision.naive if decision.best is None else decision.best.name
    able = [one for one in contestants if one.name in resplits.scores]
    others = dict.fromkeys([*(cell.name for cell in decision.cells), decision.naive])
    rivals = [name for name in others if name in resplits.scores and name != best]
    if best not in resplits.scores or not rivals:
        return []
    differences = Differences(able, resplits.comparisons)
    better = [name for name in rivals if differences.below(best, name)]
    worse = [name for name in rivals if differences.below(name, best)]
    alike = [name for name in rivals if name not in (*better, *worse)]
    scores = resplits.scores[best]
    claims = {
        "it is better beyond doubt than": better,
        "it is worse beyond doubt than": worse,
        "it cannot be told from": alike,
    }
    said = [f"{claim} {names(of)}" for claim, of in claims.items() if of]
    return [
        f"On {len(scores)} new splits of this data {best} has {differences.score} "
        f"{float(np.mean(scores)):.3g} on average, and {', and '.join(said)}: this holds for new "
        "data of the kind, where all else here is of one test part."
    ]

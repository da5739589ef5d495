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
    rivals = [one.name for one in decision.cells if one.name in resplits.scores]
    rivals += [decision.naive]
    if best not in resplits.scores or decision.naive not in resplits.scores:
        return []
    differences = Differences(able, resplits.comparisons)
    rivals = [name for name in dict.fromkeys(rivals) if name != best]
    beaten = [name for name in rivals if differences.below(best, name)]
    mean = float(np.mean(resplits.scores[best]))
    head = (
        f"On {len(resplits.scores[best])} other splits of the data {best} has {differences.score}"
    )
    parts = [f"{head} {mean:.3g} on average"]
    if beaten:
        parts.append(f"is better beyond doubt than {names(beaten)}")
    for name in rivals:
        if name not in beaten:
            worse = differences.below(name, best)
            how = "is worse beyond doubt than" if worse else "cannot be told from"
            parts.append(f"{how} {name}: {differences.words(best, name)}")
    return [f"{'; '.join(parts)}. This is what holds for new data; the above is of one test part."]

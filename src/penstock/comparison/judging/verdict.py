"""Contestants and comparisons → the verdict.

What decides is in `deciding`, what says it in `wording`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from penstock.comparison.judging import wording
from penstock.comparison.judging.comparisons import Differences
from penstock.comparison.judging.deciding import Decision, decide, smallest
from penstock.comparison.judging.resplitting import resplit_words
from penstock.record.contestants import Contestant
from penstock.record.results import Comparison, Finding, Resplits, Verdict


def judge(
    contestants: Sequence[Contestant],
    comparisons: Sequence[Comparison],
    simplest: Sequence[str],
    findings: Sequence[Finding] = (),
    promised: Mapping[str, float] = MappingProxyType({}),
    resplits: Resplits | None = None,
) -> Verdict:
    """Return the verdict on contestants in the order of their rank.

    `simplest` are the baselines, the simplest first. What a check found that puts the whole
    comparison in doubt comes before the answer, and what a check has to say for the verdict right
    behind it. `promised` is how much of what comes intervals should hold, by the name of the metric
    that says how much they did. What `resplits` say of new data comes last.
    """
    differences = Differences(contestants, comparisons)
    decision = decide(contestants, differences, simplest)
    answer, *reasons = _sentences(decision, contestants, differences, promised)
    if resplits is not None:
        reasons += resplit_words(decision, contestants, resplits)
    sentences = [*wording.doubts(findings), answer, *wording.spoken(findings), *reasons]
    best = decision.best
    if best is None:
        return Verdict(decision.kind, decision.naive, None, sentences)
    quickest, words = wording.speed_words(decision, best, differences.score)
    return Verdict(
        kind=decision.kind,
        best=best.name,
        recommended=best.name,
        sentences=sentences,
        smallest=smallest(best, decision.equals).name,
        times={"fastest": quickest, "sentences": words} if quickest else {},
    )


def _sentences(
    decision: Decision,
    contestants: Sequence[Contestant],
    differences: Differences,
    promised: Mapping[str, float],
) -> list[str]:
    if decision.best is not None:
        return wording.cell_words(decision, decision.best, contestants, differences, promised)
    if decision.kind == "failed":
        return wording.failed_words(decision, contestants)
    return wording.naive_words(decision, contestants, differences, promised)

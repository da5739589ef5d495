"""Checks of what came out."""

from collections.abc import Iterator

import numpy as np

from penstock.comparison.judging.checks.base import Case, NotApplicable, check
from penstock.comparison.judging.comparisons import names, weights
from penstock.record.contestants import CellContestant, baselines_among, cells_among

_TOO_MANY = 1.5  # times what is promised


@check("P001", "worse-than-baseline")
def worse_than_baseline(case: Case) -> Iterator[str]:
    """Fires for a cell that a baseline beats beyond doubt.

    Such a cell is not to be used, however it stands beside other cells. Look for an error in data
    or settings first, then give it more data or steps.
    """
    for cell in case.cells_with_result:
        better = [f"'{name}'" for name in case.baselines if case.table.above(cell.name, name)]
        if better:
            yield f"{cell.name} is worse than {names(better)}"


@check("P002", "seeds-disagree")
def seeds_disagree(case: Case) -> Iterator[str]:
    """Fires where chance in the start of a training decides who wins.

    That is, where the best cell beats the best baseline with some seeds and loses to it with
    others, or is the best of the cells with at most half of the seeds. More seeds narrow it down.
    """
    best = case.cells_with_result[0]
    if len(best.measured) < 2:
        raise NotApplicable("the best cell has one trial alone")
    naive = baselines_among(case.contestants)[0]
    own, mark = _by_seed(best), np.average(naive.blocks[0], weights=weights(naive))
    wins = sum(score < mark for score in own.values())
    if 0 < wins < len(own):
        yield f"{best.name} beats '{naive.name}' with only {wins} of {len(own)} seeds"
    rivals = [_by_seed(one) for one in case.cells[1:]]
    first = sum(all(score <= other.get(s, np.inf) for other in rivals) for s, score in own.items())
    if first <= len(own) / 2:
        yield f"{best.name} is the best cell on average, but with only {first} of {len(own)} seeds"


def _by_seed(cell: CellContestant) -> dict[int, float]:
    weight = weights(cell)
    return {t.seed: float(np.average(t.blocks, weights=weight)) for t in cell.measured}


@check("P003", "trials-lost")
def trials_lost(case: Case) -> Iterator[str]:
    """Fires for a cell with trials that diverged or failed.

    Of one that got better before it diverged the best weights are measured. All others are missing
    in the mean, which may flatter the cell: it is that of the good days. A lower learning rate
    helps against divergence; what failed is said in the table of trials.
    """
    for one in cells_among(case.contestants):
        lost = [trial.status for trial in one.trials if trial.status in ("diverged", "failed")]
        if lost:
            how = names(sorted({*lost}))
            yield f"{one.name}: {len(lost)} of {len(one.trials)} trials {how}"


@check("P014", "narrow-intervals")
def narrow_intervals(case: Case) -> Iterator[str]:
    """Fires for a cell whose intervals missed half as many values again as they promise to miss.

    The test is then unlike what came before, or the network is too sure of itself. Do not plan by
    the intervals; look at what changed, or train on more and later data.
    """
    promised = case.task.problem.promised
    if not promised:
        raise NotApplicable("this task has no intervals")
    for cell in case.cells_with_result:
        for metric, share in promised.items():
            missed = 1 - cell.metrics.get(metric, 1.0)
            if missed > _TOO_MANY * (1 - share):
                yield (
                    f"the intervals of {cell.name} missed {missed:.0%} of the test values, where "
                    f"they promise to miss {1 - share:.0%}"
                )


@check("P010", "chance-level", spoken=True)
def chance_level(case: Case) -> Iterator[str]:
    """Fires for a cell that cannot be told from a guess made without a look at the input.

    Its rank means nothing. The input may not tell what is asked, the sequences may be too long for
    the cell, or the training too short.
    """
    left, guesses = [one.name for one in case.cells_with_result], case.guesses
    if not guesses:
        raise NotApplicable("no baseline of this task guesses without a look at the input")
    for blind in guesses:
        dull = [name for name in left if not case.table.below(name, blind)]
        left = [name for name in left if name not in dull]
        if dull:
            who = "every cell" if len(dull) == len(case.cells) else names(dull)
            yield (
                f"At chance level, not surely better than '{blind}', which never looks at the "
                f"input: {who}"
            )

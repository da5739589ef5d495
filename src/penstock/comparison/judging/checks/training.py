"""Checks of how the trainings went."""

from collections.abc import Iterator

from penstock.comparison.judging.checks.base import Case, NotApplicable, check

_LATE = 0.9  # of the rounds


@check("P007", "edge-of-range")
def edge_of_range(case: Case) -> Iterator[str]:
    """Fires for a cell whose best learning rate is the smallest or the largest of those tried.

    A better one may lie beyond: try a wider range with --rates.
    """
    if all(len(cell.tuning) < 2 for cell in case.cells_with_result):
        raise NotApplicable("one learning rate alone was given")
    for cell in case.cells_with_result:
        rates = sorted(trial.setting.learning_rate for trial in cell.tuning)
        rate = cell.setting.learning_rate
        if len(rates) > 1 and rate in (rates[0], rates[-1]):
            side = "smallest" if rate == rates[0] else "largest"
            yield f"{cell.name}: its learning rate, {rate:g}, is the {side} tried"


@check("P016", "largest-size")
def largest_size(case: Case) -> Iterator[str]:
    """Fires where the best cell has the largest size of those tried.

    A larger network may be better still: try one with --parameters, or give more --time.
    """
    best = case.cells_with_result[0]
    sizes = {trial.setting.parameters for trial in best.tuning}
    if len(sizes) < 2:
        raise NotApplicable("one size alone was tried")
    if best.setting.parameters == max(sizes):
        yield f"{best.name}: its size, {best.setting.parameters:,} parameters, is the largest tried"


@check("P011", "step-limit")
def step_limit(case: Case) -> Iterator[str]:
    """Fires for a cell that was still getting better when its steps were used up.

    That is, where in more than half of its trials the best round by validation is among the last
    tenth of all that the budget allows. Allow more with --steps.
    """
    for cell in case.cells_with_result:
        late = [
            t for t in cell.measured if t.ended == "steps" and t.best_round > _LATE * case.rounds
        ]
        if len(late) > len(cell.measured) / 2:
            yield (
                f"{cell.name} was still getting better when its steps were used up, in "
                f"{len(late)} of {len(cell.measured)} trials"
            )

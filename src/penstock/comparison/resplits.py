"""The same cells on other splits of the data: once each, with the setting that was chosen."""

import time
from collections.abc import Callable, Mapping, Sequence

from penstock.comparison.judging.resplitting import judge_resplits
from penstock.comparison.trials.design import Design, Rung
from penstock.comparison.trials.workers import Outcome
from penstock.data.splits import PARTS
from penstock.record.results import Resplits
from penstock.record.structure import Setting
from penstock.tasks.task import Task

Train = Callable[[Task, Sequence[Rung]], list[Outcome]]  # trials of a task, as far as time allows


def resplit(
    design: Design, settings: Mapping[str, Setting], train: Train, deadline: float
) -> tuple[Resplits | None, list[str]]:
    """Return what was measured on other splits, and what was left out, in words.

    Of each split all cells are measured, or none: one that came to no end of its own ends it.
    """
    scores: list[dict[str, float]] = []
    ratio = 0.0
    for number in range(1, design.resplits + 1):
        if time.monotonic() > deadline:
            break
        again = design.resplit(number)
        outcomes = train(again.task, again.testing(settings))
        if any(trial.status == "cut" for _, trial in outcomes):
            break
        ratio = _ratio(again.task)
        scores.append({**_cells(outcomes, again), **_baselines(again)})
    enough = len(scores) > 1
    return judge_resplits(scores, ratio) if enough else None, _left_out(design, len(scores))


def _cells(outcomes: Sequence[Outcome], design: Design) -> dict[str, float]:
    score = design.task.problem.metrics[0]
    return {job.cell: trial.metrics[score] for job, trial in outcomes if trial.measured}


def _baselines(design: Design) -> dict[str, float]:
    score = design.task.problem.metrics[0]
    return {name: one.measured.metrics[score] for name, one in design.task.baselines.items()}


def _ratio(task: Task) -> float:
    """Return the size of the test, by that of what a training looks at."""
    train, validation, test = map(task.problem.steps_in, PARTS)
    return test / (train + validation)


def _left_out(design: Design, done: int) -> list[str]:
    if done == design.resplits:
        return []
    nothing = "" if done > 1 else ", of which nothing can be said"
    return [f"Other splits of the data: {done} of {design.resplits}, as time was short{nothing}."]

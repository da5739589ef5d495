"""Equal wall-clock: what each cell reaches in the time in which the fastest takes all its steps.

Time is that of the processor, as each trial has one thread: it passes no faster on a busy machine.
A cell's pace is its quickest round of steps in any of its trials. The fastest cell's pace, times
the rounds of the budget, is the clock; a slower cell fits fewer rounds into it. Of these,
validation chooses, as it does for the whole training, and the weights that it chose are measured.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.comparison.judging.estimates import estimated
from penstock.comparison.trials.trial import Job, kept_network
from penstock.record.contestants import Trial
from penstock.tasks.problem import Measured
from penstock.tasks.task import Task

Outcomes = Sequence[tuple[Job, Trial]]


def round_seconds(outcomes: Outcomes) -> float | None:
    """Return the seconds of a cell's quickest whole round; None where no trial was measured."""
    budget = outcomes[0][0].budget
    whole = max(1, budget.steps // budget.round_steps)  # the last round may be shorter
    timed = [trial.times["rounds"] for _, trial in outcomes if trial.measured]
    return min((s for rounds in timed for s in rounds[1 : whole + 1]), default=None)


def same_clock(
    task: Task, outcomes: Mapping[str, Outcomes], root: Path
) -> tuple[float | None, dict[str, dict[str, Any]]]:
    """Return the clock in seconds, and by cell its rounds, metrics and intervals within it."""
    paces = {cell: pace for cell in outcomes if (pace := round_seconds(outcomes[cell])) is not None}
    if not paces:
        return None, {}
    rounds = next(iter(outcomes.values()))[0][0].budget.rounds
    clock = rounds * min(paces.values())
    # A hair more, as the fastest cell's own quotient may come out below its whole number.
    fitting = {cell: int(clock / pace * (1 + 1e-9)) for cell, pace in paces.items()}
    return clock, {cell: _within(task, outcomes[cell], n, root) for cell, n in fitting.items()}


def _within(task: Task, outcomes: Outcomes, rounds: int, root: Path) -> dict[str, Any]:
    rows = [_measured(task, j, t, rounds, root) for j, t in outcomes if t.measured]
    metrics, intervals = estimated(task, rows)
    return {"rounds": rounds, "metrics": metrics, "intervals": intervals}


def _measured(task: Task, job: Job, trial: Trial, rounds: int, root: Path) -> Trial | Measured:
    """Return a trial as measured with the best of its first rounds by validation."""
    losses = [float("inf") if loss is None else loss for _, loss in trial.losses[: rounds + 1]]
    best = losses.index(min(losses))
    if best == trial.best_round:
        return trial
    predictions = task.problem.predict(kept_network(task, job, best, root))
    return task.problem.measure(predictions)

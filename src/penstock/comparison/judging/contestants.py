"""Trials and baselines → contestants, ranked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from penstock.comparison.judging.clock import Outcomes, round_seconds
from penstock.comparison.judging.estimates import estimated, measured_alike
from penstock.comparison.trials.budget import count_parameters, count_recurrent, flops_per_step
from penstock.record.contestants import (
    BaselineContestant,
    CellContestant,
    Contestant,
    Trial,
)
from penstock.tasks.task import Task


def cell_contestant(
    task: Task, outcomes: Outcomes, tuning: Sequence[Trial], same_clock: dict[str, Any] | None
) -> CellContestant:
    """Return a cell as a contestant, from its trials."""
    job, _ = outcomes[0]
    trials = [trial for _, trial in outcomes]
    network = task.network(job.cell, job.structure)
    measured = [trial for trial in trials if trial.measured]
    means, intervals, like = *estimated(task, measured), measured_alike(task)
    best = best_trial(trials)
    return CellContestant(
        name=job.cell,
        rank=None,
        metrics=means,
        intervals=intervals,
        blocks=[trial.blocks for trial in measured],
        weights=list(like.weights),
        lag=like.lag,
        profile=np.mean([t.profile for t in measured], axis=0).tolist() if measured else [],
        predictions=best.predictions if best else [],
        bands=best.bands if best else [],
        confusion=best.confusion if best else [],
        structure=job.structure,
        parameters=count_parameters(network),
        recurrent_parameters=count_recurrent(network),
        flops_per_step=flops_per_step(network),
        setting=job.setting,
        trials=trials,
        tuning=list(tuning),
        model=f"models/{job.cell}.safetensors" if best else None,
        times=_times(outcomes, same_clock),
    )


def _times(outcomes: Outcomes, same_clock: dict[str, Any] | None) -> dict[str, Any]:
    pace = round_seconds(outcomes)
    if pace is None:
        return {}
    measured = [trial.times for _, trial in outcomes if trial.measured]
    train = float(np.mean([times["train"] for times in measured]))
    predict = min(times["predict"] for times in measured)
    budget = outcomes[0][0].budget
    steps = min(budget.round_steps, budget.steps)
    return {"train": train, "predict": predict, "step": pace / steps, "same_clock": same_clock}


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the best validation loss; test data have no say."""
    measured = [trial for trial in trials if trial.measured]
    return min(measured, key=lambda trial: trial.best_loss, default=None)


def baseline_contestants(task: Task) -> Iterator[BaselineContestant]:
    """Return each baseline as a contestant."""
    for name, baseline in task.baselines.items():
        predictions, measured = baseline.predict(), baseline.measured
        yield BaselineContestant(
            kind=baseline.method.kind,
            name=name,
            rank=None,
            metrics=measured.metrics,
            intervals=estimated(task, [measured])[1],
            blocks=[list(measured.blocks)],
            weights=list(measured.weights),
            lag=measured.lag,
            profile=list(measured.profile),
            predictions=task.examples.predicted(predictions),
            bands=task.examples.bands(predictions),
            confusion=task.problem.confusion(predictions),
            model=f"models/{name}.safetensors",
        )


def ranked(contestants: Sequence[Contestant], score: str) -> list[Contestant]:
    """Return the contestants ranked by a metric; those without a result come last."""
    able = sorted((c for c in contestants if c.metrics), key=lambda c: c.metrics[score])
    numbered = [replace(one, rank=rank) for rank, one in enumerate(able, start=1)]
    return numbered + [one for one in contestants if not one.metrics]

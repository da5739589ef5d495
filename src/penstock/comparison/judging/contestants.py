"""Trials and baselines → contestants, ranked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from penstock.comparison.judging.clock import Outcomes, round_seconds
from penstock.comparison.judging.statistics import mean_over_seeds
from penstock.comparison.trials.budget import count_parameters, flops_per_step
from penstock.record.contestants import BaselineContestant, CellContestant, Contestant, Trial
from penstock.tasks.task import Task


def cell_contestant(
    task: Task, outcomes: Outcomes, tuning: Sequence[Trial], same_clock: dict[str, Any] | None
) -> CellContestant:
    """Return a cell as a contestant, from its trials."""
    job, _ = outcomes[0]
    trials = [trial for _, trial in outcomes]
    network = task.network(job.cell, job.width)
    finished = [trial for trial in trials if trial.status == "finished"]
    scores = {m: np.array([t.metrics[m] for t in finished]) for m in task.problem.metrics}
    estimates = {m: mean_over_seeds(s) for m, s in scores.items() if finished}
    best = best_trial(trials)
    return CellContestant(
        name=job.cell,
        rank=None,
        metrics={metric: one.mean for metric, one in estimates.items()},
        intervals={metric: one.interval for metric, one in estimates.items()},
        blocks=[trial.blocks for trial in finished],
        profile=np.mean([t.profile for t in finished], axis=0).tolist() if finished else [],
        predictions=best.predictions if best else [],
        bands=best.bands if best else [],
        width=job.width,
        parameters=count_parameters(network),
        flops_per_step=flops_per_step(network),
        learning_rate=job.budget.learning_rate,
        trials=trials,
        tuning=list(tuning),
        model=f"models/{job.cell}.safetensors" if best else None,
        times=_times(outcomes, same_clock),
    )


def _times(outcomes: Outcomes, same_clock: dict[str, Any] | None) -> dict[str, Any]:
    pace = round_seconds(outcomes)
    if pace is None:
        return {}
    finished = [trial.times for _, trial in outcomes if trial.status == "finished"]
    train = float(np.mean([times["train"] for times in finished]))
    predict = min(times["predict"] for times in finished)
    budget = outcomes[0][0].budget
    steps = min(budget.round_steps, budget.steps)
    return {"train": train, "predict": predict, "step": pace / steps, "same_clock": same_clock}


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the best validation loss; test data have no say."""
    finished = [trial for trial in trials if trial.status == "finished"]
    return min(finished, key=lambda trial: trial.best_loss, default=None)


def baseline_contestants(task: Task) -> Iterator[BaselineContestant]:
    """Return each naive forecast as a contestant."""
    for name, baseline in task.baselines.items():
        predictions = baseline.predict()
        measured = task.problem.measure(predictions)
        yield BaselineContestant(
            name=name,
            rank=None,
            metrics=measured.metrics,
            intervals=dict.fromkeys(measured.metrics),
            blocks=[list(measured.blocks)],
            profile=list(measured.profile),
            predictions=task.examples.predicted(predictions),
            bands=task.examples.bands(predictions),
            model=f"models/{name}.safetensors",
        )


def ranked(contestants: Sequence[Contestant], score: str) -> list[Contestant]:
    """Return the contestants ranked by a metric; those without a finished trial come last."""
    able = sorted((c for c in contestants if c.metrics), key=lambda c: c.metrics[score])
    numbered = [replace(one, rank=rank) for rank, one in enumerate(able, start=1)]
    return numbered + [one for one in contestants if not one.metrics]

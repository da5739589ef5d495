"""Trials and baselines → contestants, ranked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from penstock.compare.budget import count_parameters, flops_per_step
from penstock.compare.results import Contestant, Trial
from penstock.compare.statistics import mean_over_seeds
from penstock.compare.trial import Job
from penstock.tasks import Task


def cell_contestant(group: Sequence[Job], trials: list[Trial]) -> Contestant:
    """Return a cell as a contestant, from its jobs and their results."""
    job = group[0]
    network = job.task.network(job.cell, job.width)
    finished = [trial for trial in trials if trial.status == "finished"]
    scores = {m: np.array([t.metrics[m] for t in finished]) for m in job.task.metrics}
    estimates = {m: mean_over_seeds(s) for m, s in scores.items() if finished}
    best = best_trial(trials)
    return Contestant(
        name=job.cell,
        kind="cell",
        rank=None,
        metrics={metric: one.mean for metric, one in estimates.items()},
        intervals={metric: one.interval for metric, one in estimates.items()},
        blocks=[trial.blocks for trial in finished],
        profile=np.mean([t.profile for t in finished], axis=0).tolist() if finished else [],
        predictions=best.predictions if best else [],
        width=job.width,
        parameters=count_parameters(network),
        flops_per_step=flops_per_step(network),
        trials=trials,
        model=f"models/{job.cell}.safetensors" if best else None,
        times={
            name: float(np.mean([trial.times[name] for trial in finished]))
            for name in ("train", "predict")
            if finished
        },
    )


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial with the best validation loss; test data have no say."""
    finished = [trial for trial in trials if trial.status == "finished"]
    return min(finished, key=lambda trial: trial.best_loss, default=None)


def baseline_contestants(task: Task) -> Iterator[Contestant]:
    """Return each naive forecast as a contestant."""
    for name, predictions in task.baselines().items():
        found = task.measure(predictions)
        yield Contestant(
            name=name,
            kind="baseline",
            rank=None,
            metrics=found.metrics,
            intervals=dict.fromkeys(found.metrics),
            blocks=[list(found.blocks)],
            profile=list(found.profile),
            predictions=task.example_predictions(predictions),
        )


def ranked(contestants: Sequence[Contestant], score: str) -> list[Contestant]:
    """Return the contestants ranked by a metric; those without a finished trial come last."""
    able = sorted((c for c in contestants if c.metrics), key=lambda c: c.metrics[score])
    numbered = [replace(one, rank=rank) for rank, one in enumerate(able, start=1)]
    return numbered + [one for one in contestants if not one.metrics]

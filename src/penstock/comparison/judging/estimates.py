"""Metrics of several trainings → their means, and the intervals of these over seeds and blocks."""

from collections.abc import Sequence

import numpy as np

from penstock.comparison.judging.statistics import mean_over_seeds, over_seeds_and_blocks
from penstock.record.contestants import Bounds, Trial
from penstock.tasks.problem import Measured
from penstock.tasks.task import Task


def measured_alike(task: Task) -> Measured:
    """Return what was measured of a baseline: weights and lag are those of all on the same test."""
    return next(iter(task.baselines.values())).measured


def estimated(
    task: Task, rows: Sequence[Trial | Measured]
) -> tuple[dict[str, float], dict[str, Bounds | None]]:
    """Return each metric's mean over rows, and its interval: of what seeds and test data change."""
    if not rows:
        return {}, {}
    means = {m: float(np.mean([row.metrics[m] for row in rows])) for m in task.problem.metrics}
    return means, {m: _interval(task, rows, m) for m in means}


def _interval(task: Task, rows: Sequence[Trial | Measured], metric: str) -> Bounds | None:
    """Return the interval of a mean; of seeds alone in trials of before blocks were kept."""
    values = np.array([row.metrics[metric] for row in rows])
    score, like = task.problem.metrics[0], measured_alike(task)
    said = [row.blocks if metric == score else row.by_block.get(metric, ()) for row in rows]
    if not all(map(len, said)):
        return mean_over_seeds(values).interval
    found = over_seeds_and_blocks([np.array(said)], np.array(like.weights), like.lag)
    if found.interval is None:
        return None
    low, high = (bound - found.mean + float(values.mean()) for bound in found.interval)
    return low, high

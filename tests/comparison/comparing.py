"""What the tests of comparisons share."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from penstock.comparison import run
from penstock.comparison.request import Request
from penstock.comparison.trials.workers import Pool
from penstock.comparison.watcher import Watcher
from penstock.data import Dataset, read
from penstock.record.results import Record
from penstock.tasks import find_task
from penstock.tasks.task import TaskData
from penstock.training.loop import Budget

QUICK = Budget(steps=12, round_steps=4, batch_size=8)
RATES = (3e-3, 1e-2)


def walk(seed: int, length: int = 600) -> Dataset:
    steps = np.random.default_rng(seed).standard_normal(length)
    return read(pl.DataFrame({"ds": np.arange(length), "y": steps.cumsum()}))


def run_comparison(
    data: TaskData,
    out: Path,
    *,
    task: str = "forecast",
    horizon: int | None = None,
    budget: Budget | None = None,
    pool: Pool | None = None,
    watcher: Watcher | None = None,
    **asked: Any,
) -> Record:
    """Compare on data that a task has read."""
    request = Request(out=out, **{"size": "small", **asked})
    prepared = find_task(task).prepare(data, horizon)
    return run.run_comparison(prepared, request, budget=budget, pool=pool, watcher=watcher)


def timeless(value: Any) -> Any:
    """Return results without what is under a key `times`."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key != "times"}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def stored(out: Path) -> Any:
    return timeless(json.loads((out / "results.json").read_text("utf-8")))

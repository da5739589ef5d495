"""One trial: a cell with a seed, trained, measured, kept in its folder."""

import hashlib
import inspect
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from penstock import __version__
from penstock.cells import find_cell
from penstock.compare.results import Trial, write_json
from penstock.tasks import Task
from penstock.training import checkpoint
from penstock.training.loop import Budget, Progress, Training, derive_seed

_RESULT, _CHECKPOINT, WEIGHTS = "trial.json", "checkpoint.safetensors", "weights.safetensors"


@dataclass(frozen=True)
class Job:
    """What a trial does: which cell, how wide, on what, with what."""

    task: Task
    data: str  # the dataset's fingerprint
    cell: str
    width: int
    seed: int
    budget: Budget

    def folder(self, root: Path) -> Path:
        """Return where the trial is kept: root/<hash of all that its result depends on>/…"""
        depends = {
            "penstock": __version__,
            "torch": torch.__version__,
            "task": [self.task.name, self.task.settings()],
            "data": self.data,
            "cell": [self.cell, self.width, _source(self.cell)],
            "budget": asdict(self.budget),
        }
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
        return root / digest[:16] / f"{self.cell}-{self.seed}"


def run_trial(
    job: Job, root: Path, fabric: Fabric, report: Callable[[Progress], None] = lambda _: None
) -> Trial:
    """Return the trial's result: from its folder if it is there, else from training.

    A training that was cut off goes on from its checkpoint.
    """
    folder = job.folder(root)
    if (folder / _RESULT).exists():
        return Trial(**json.loads((folder / _RESULT).read_text("utf-8")))
    fabric.seed_everything(derive_seed(job.seed), verbose=False)
    network = job.task.network(job.cell, job.width)
    training = Training(
        job.task,
        network,
        seed=job.seed,
        budget=job.budget,
        path=folder / _CHECKPOINT,
        fabric=fabric,
    )
    trial = _measure(job, network, training.run(report))
    checkpoint.save(folder / WEIGHTS, network.state_dict(), {"seed": job.seed})
    write_json(folder / _RESULT, asdict(trial))
    (folder / _CHECKPOINT).unlink(missing_ok=True)
    return trial


def _measure(job: Job, network: nn.Module, progress: Progress) -> Trial:
    ended, times = progress.ended(job.budget), {"train": progress.seconds}
    losses, best = progress.losses, progress.best_round
    if progress.diverged:
        return Trial(job.seed, "diverged", ended, losses, best, times=times)
    start = time.perf_counter()
    predictions = job.task.predict(network)
    times["predict"] = time.perf_counter() - start
    found = job.task.measure(predictions)
    return Trial(
        job.seed,
        "finished",
        ended,
        losses,
        best,
        found.metrics,
        list(found.blocks),
        list(found.profile),
        job.task.example_predictions(predictions),
        times,
    )


def _source(cell: str) -> str:
    """Return a cell's source, so that a user who changes an equation gets new trials."""
    try:
        return inspect.getsource(find_cell(cell))
    except OSError:  # typed into an interpreter
        return ""

"""One trial: a cell with a seed, trained, measured, kept in its folder."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from penstock._version import __version__
from penstock.atomic import write_json
from penstock.cells import find_cell
from penstock.cells.own import equations_digest
from penstock.opening import read_json
from penstock.record.checked import conform
from penstock.record.contestants import Trial
from penstock.record.structure import Setting, Structure
from penstock.tasks.task import Task
from penstock.training import checkpoint
from penstock.training.loop import (
    Budget,
    Progress,
    Training,
    derive_seed,
    weights_at,
)

RESULT, CHECKPOINT, _TRAIL = "trial.json", "checkpoint.safetensors", "trail"
_TIME_UP = "the time of the run was up"
_STATUS: dict[str, Literal["diverged", "pruned"]] = {"diverged": "diverged", "": "pruned"}

Purpose = Literal["tuning", "test"]
Report = Callable[["Job", Progress], None]


@dataclass(frozen=True)
class Job:
    """What a trial does.

    Attributes:
        cell: its name.
        structure: of its recurrent layers.
        seed: the number of the trial among those alike, from which and from `lot` all its random
            numbers come.
        budget: what it may use, the learning rate with it.
        purpose: "tuning" sees training and validation data alone; "test" is measured in the end.
        parameters: that the width was chosen for.
        digest: a hash of all that the result depends on beside cell and seed.
        until: the rounds after which it pauses, so that the search may drop it; None for no pause.
            The same trial asked for more rounds goes on from there.
        lot: of the data: the same data draw the same, and others something else. A seed that is
            lucky for one cell would else be lucky on every data set.
    """

    cell: str
    structure: Structure
    seed: int
    budget: Budget
    purpose: Purpose
    parameters: int
    digest: str
    lot: int = 0
    until: int | None = None

    @classmethod
    def make(
        cls,
        task: Task,
        data: str,
        cell: str,
        structure: Structure,
        seed: int,
        budget: Budget,
        purpose: Purpose,
        parameters: int,
    ) -> "Job":
        """Return the job of a task on the data with that fingerprint."""
        lot = int.from_bytes(hashlib.sha256(data.encode()).digest()[:4])
        depends = {
            "penstock": __version__,
            "torch": torch.__version__,
            "task": [task.name, task.settings],
            "data": [data, lot],
            "cell": [cell, asdict(structure), equations_digest(find_cell(cell))],
            "budget": asdict(budget),
            "purpose": purpose,
        }
        digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
        return cls(cell, structure, seed, budget, purpose, parameters, digest[:16], lot)

    @property
    def setting(self) -> Setting:
        """What the search decided for it."""
        of = self.structure
        return Setting(
            self.budget.learning_rate, self.parameters, of.layers, of.dropout, of.context
        )

    @property
    def luck(self) -> int:
        """What weights and batches depend on: the same for all cells."""
        return derive_seed(self.lot, self.seed)

    def folder(self, root: Path) -> Path:
        """Return where the trial is kept: root/<digest>/<cell>-<seed>."""
        return root / self.digest / f"{self.cell}-{self.seed}"

    def trail(self, root: Path) -> Path:
        """Return the folder of the weights of each round that was the best so far."""
        return self.folder(root) / _TRAIL

    def unfinished(self, status: Literal["failed", "cut"], why: str) -> Trial:
        """Return the row of a trial that came to no end of its own."""
        return Trial(self.seed, self.setting, status, why)


class OutOfTimeError(Exception):
    """The time of the whole run was up in the middle of a trial."""


def silent(job: Job, progress: Progress) -> None:
    """Report to nobody."""


def stored(job: Job, root: Path) -> bool:
    """Whether the trial's result is there, as far as it is to go."""
    if not (job.folder(root) / RESULT).exists():
        return False
    if job.purpose == "test":
        return True
    trial = kept_trial(job, root)
    return trial.status != "pruned" or (
        job.until is not None and len(trial.losses) - 1 >= job.until
    )


def drop(job: Job, root: Path) -> None:
    """Forget how to go on with a trial that the search dropped."""
    (job.folder(root) / CHECKPOINT).unlink(missing_ok=True)


def attempt(
    task: Task, job: Job, root: Path, *, deadline: float = float("inf"), report: Report = silent
) -> Trial:
    """Run a trial and return its row, also where it fails, or where time is up at `deadline`.

    The deadline is one of `time.monotonic()`, which all processes of a machine share. A trial that
    failed or was cut leaves no result behind: the same run started again tries it again, a cut one
    from its last checkpoint. One that was cut is measured with the best weights of that checkpoint.
    One whose result is there takes no time, so that no deadline counts.
    """

    def in_time() -> None:
        if time.monotonic() > deadline:
            raise OutOfTimeError

    try:
        if not stored(job, root):
            in_time()
        return run_trial(task, job, root, partial(report, job), in_time)
    except OutOfTimeError:
        return _cut(task, job, root)
    except Exception as error:  # a row in the table, not the end of the other trials
        return job.unfinished("failed", f"{type(error).__name__}: {error}".partition("\n")[0])


def _cut(task: Task, job: Job, root: Path) -> Trial:
    """Return what a trial had reached by its last checkpoint, if it had got better at all."""
    nothing = job.unfinished("cut", _TIME_UP)
    if not (job.folder(root) / CHECKPOINT).exists():
        return nothing
    try:
        training = make_training(task, job, root)
        training.restore()
        if not training.progress.best_round:
            return nothing
        training.keep_best()
        trial = _result(task, job, training.network, training.progress)
    except Exception:  # time is up: the others count all the same
        return nothing
    return replace(trial, status="cut", ended=_TIME_UP)


def conclude(task: Task, job: Job, root: Path) -> Trial:
    """Return the row of a trial for which there is no time: cut, unless its result is there."""
    return attempt(task, job, root, deadline=0.0)


def run_trial(
    task: Task,
    job: Job,
    root: Path,
    report: Callable[[Progress], None] = lambda _: None,
    pulse: Callable[[], None] = lambda: None,
) -> Trial:
    """Return the trial's result: from its folder if it is there, else from training.

    A training that was cut off goes on from its checkpoint; see `Training.run` for the functions.
    """
    folder = job.folder(root)
    if stored(job, root):
        trial = kept_trial(job, root)
    else:
        torch.manual_seed(job.luck)
        training = make_training(task, job, root)
        trial = _result(task, job, training.network, training.run(report, pulse, job.until))
        write_json(folder / RESULT, asdict(trial))
    if trial.status != "pruned":  # one that was killed between the two has its checkpoint still
        drop(job, root)
    return trial


def make_training(task: Task, job: Job, root: Path) -> Training:
    """Return the training of a trial, whose checkpoint is in its folder."""
    return Training(
        task.problem,
        task.network(job.cell, job.structure),
        seed=job.luck,
        budget=job.budget,
        path=job.folder(root) / CHECKPOINT,
        trail=None if job.purpose == "tuning" else job.trail(root),
    )


def kept_trial(job: Job, root: Path) -> Trial:
    """Return the result that a trial's folder holds.

    Raises:
        DataError: it holds none.
    """
    raw = read_json(job.folder(root) / RESULT)
    conform(raw, Trial, "the trial")
    return Trial(**{**raw, "setting": Setting(**raw["setting"])})


def kept_weights(job: Job, number: int, root: Path) -> dict[str, Tensor]:
    """Return the weights of a trial's round that was the best so far.

    Raises:
        ModelFileError: their file is gone or damaged.
    """
    return checkpoint.load(weights_at(job.trail(root), number))[0]


def kept_network(task: Task, job: Job, number: int, root: Path) -> nn.Module:
    """Return a trial's network with the weights of a round; raises as `kept_weights`."""
    network = task.network(job.cell, job.structure)
    network.load_state_dict(kept_weights(job, number, root))
    task.problem.calibrate(network)
    return network


def _result(task: Task, job: Job, network: nn.Module, progress: Progress) -> Trial:
    rounds, ended = progress.times, progress.ended(job.budget)
    trial = Trial(
        job.seed,
        job.setting,
        _STATUS.get(ended, "finished"),
        ended or "search",
        progress.losses,
        progress.best_round,
        times={"train": sum(rounds), "rounds": rounds},
    )
    if job.purpose == "tuning" or (progress.diverged and not progress.best_round):
        return trial
    task.problem.calibrate(network)  # it is on the CPU again
    start = time.process_time()
    predictions = task.problem.predict(network)
    trial.times["predict"] = time.process_time() - start
    measured = task.problem.measure(predictions)
    trial.metrics.update(measured.metrics)
    trial.blocks.extend(measured.blocks)
    trial.by_block.update({metric: list(said) for metric, said in measured.by_block.items()})
    trial.profile.extend(measured.profile)
    trial.predictions.extend(task.examples.predicted(predictions))
    trial.bands.extend(task.examples.bands(predictions))
    trial.confusion.extend(task.problem.confusion(predictions))
    return trial

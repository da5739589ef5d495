"""Trials that were kept but cannot be used: a file cut off, emptied or changed.

They are thrown away, so that they are trained again; a comparison never stops at one.
"""

import math
import shutil
from pathlib import Path

from penstock.comparison.trials.trial import (
    CHECKPOINT,
    RESULT,
    Job,
    kept_network,
    kept_trial,
    make_training,
)
from penstock.errors import DataError
from penstock.record.checked import same_length
from penstock.record.contestants import Trial
from penstock.tasks.task import Task


def discard_damaged(task: Task, job: Job, root: Path) -> str:
    """Throw a trial away that was kept but cannot be used; return why, or "" if it is well.

    What is damaged may be the result, the checkpoint, or the weights of a round.
    """
    folder = job.folder(root)
    for name, check in ((RESULT, _check_result), (CHECKPOINT, _check_checkpoint)):
        if (folder / name).exists():
            try:
                check(task, job, root)
            except Exception as error:  # whatever it is: it would come again at each run
                shutil.rmtree(folder)
                reason = str(error).partition("\n")[0][:200]
                return f"{folder / name} cannot be used ({reason})"
    return ""


def best_rounds(trial: Trial) -> list[int]:
    """Return the rounds that were the best so far by validation, whose weights are kept."""
    rounds, best = [0], math.inf
    for number, (trained, validated) in enumerate(trial.losses):
        if validated is None or (trained is None and number):
            break  # it diverged
        if validated < best:
            rounds, best = [*rounds, number], validated
    return list(dict.fromkeys(rounds))


def _check_checkpoint(task: Task, job: Job, root: Path) -> None:
    make_training(task, job, root).restore()


def _check_result(task: Task, job: Job, root: Path) -> None:
    trial = kept_trial(job, root)
    ends = (
        ("finished", "diverged", "pruned") if job.purpose == "tuning" else ("finished", "diverged")
    )
    if trial.status not in ends or trial.seed != job.seed:
        raise DataError("it is the result of no such trial")
    if job.purpose == "tuning":
        return
    if trial.status == "finished" or trial.measured:
        same_length("metrics", {*trial.metrics} & {*task.problem.metrics}, task.problem.metrics)
    for number in best_rounds(trial):
        kept_network(task, job, number, root)

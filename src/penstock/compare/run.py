"""The comparison: trials, baselines, verdict, and the files that it leaves."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from penstock import __version__
from penstock.cells import find_cell
from penstock.compare.budget import PARAMETERS, choose_width
from penstock.compare.contestants import (
    baseline_contestants,
    best_trial,
    cell_contestant,
    ranked,
)
from penstock.compare.models import save_model
from penstock.compare.report import write_report
from penstock.compare.results import Results, Trial
from penstock.compare.trial import WEIGHTS, Job, run_trial
from penstock.compare.verdict import compare_all, judge
from penstock.errors import ArgumentError
from penstock.tasks import Data, Task, find_task
from penstock.training import checkpoint
from penstock.training.loop import Budget, Progress, make_fabric

DEFAULT_CELLS = ("rnn", "lstm", "gru")
DEFAULT_SEEDS = 3

Report = Callable[[Job, Progress], None]


def compare(
    dataset: Data,
    out: Path,
    *,
    task: str = "forecast",
    cells: Sequence[str] = DEFAULT_CELLS,
    seeds: int = DEFAULT_SEEDS,
    horizon: int | None = None,
    budget: Budget | None = None,
    report: Report = lambda _job, _progress: None,
) -> Results:
    """Train cells under equal budgets, measure them against naive forecasts, and judge.

    Every cell gets the same number of parameters (its width is chosen so), of steps at most, and
    the same seeds, learning rate and patience. Test windows are used once, at the end of a trial.

    Leaves in `out`: results.json, report.html, models/<cell>.safetensors and .json, and the trials
    in trials/. A run that was cut off goes on from there; a trial that is there is not repeated.

    Args:
        dataset: what the task's `read` returned.
        out: the folder to write to; it is made, once the arguments are known to be right.
        task: the name of a task.
        cells: names of cells.
        seeds: trials of each cell, seeds 0 to seeds − 1.
        horizon: steps to forecast; None leaves it to the task.
        budget: what each trial may use.
        report: called after each round of training.

    Raises:
        ArgumentError: an argument cannot work.
        DataError: the data do not suffice.
    """
    check_arguments(out, cells, seeds)
    bound, budget = find_task(task).prepare(dataset, horizon), budget or Budget()
    jobs = _jobs(bound, dataset, cells, seeds, budget)
    _make_folder(out)
    found = [(group, _run(group, out, report)) for group in jobs]
    entrants = [cell_contestant(group, trials) for group, trials in found]
    entrants += baseline_contestants(bound)
    contestants = ranked(entrants, bound.metrics[0])
    comparisons = compare_all(contestants)
    results = Results(
        task=task,
        metrics=list(bound.metrics),
        data=dataset.about(),
        settings=bound.settings(),
        budget={**asdict(budget), "parameters": PARAMETERS},
        seeds=list(range(seeds)),
        notes=list(bound.notes()),
        contestants=contestants,
        comparisons=comparisons,
        verdict=judge(contestants, comparisons),
        examples=bound.examples(),
        versions={"penstock": __version__, "torch": torch.__version__},
    )
    for group, trials in found:
        _save_best(group, trials, dataset, out)
    write_report(results, out / "report.html")
    results.save(out / "results.json")
    return results


def check_arguments(out: Path, cells: Sequence[str], seeds: int) -> None:
    """Raise unless folder, cells and number of seeds can work; touches nothing.

    Raises:
        ArgumentError: one of them cannot.
    """
    if not cells:
        raise ArgumentError("no cell to compare; name some, such as rnn,lstm,gru")
    for cell in cells:
        find_cell(cell)
    if len({*cells}) < len(cells):
        raise ArgumentError(f"a cell is named twice in {','.join(cells)}; name each once")
    if seeds < 1:
        raise ArgumentError(f"the number of seeds is {seeds}; it must be at least 1")
    nearest_folder = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not nearest_folder.is_dir():
        raise ArgumentError(f"{nearest_folder} is a file; choose another folder with --out")
    if not os.access(nearest_folder, os.W_OK):
        raise ArgumentError(f"cannot write to {nearest_folder}; choose another folder with --out")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"cannot make the folder {out} ({error.strerror})") from None


def _jobs(
    task: Task, dataset: Data, cells: Sequence[str], seeds: int, budget: Budget
) -> list[list[Job]]:
    """Return the jobs, a list for each cell."""
    data = dataset.fingerprint()
    widths = {cell: choose_width(task, cell, PARAMETERS) for cell in cells}
    return [
        [Job(task, data, cell, widths[cell], seed, budget) for seed in range(seeds)]
        for cell in cells
    ]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: as fast for networks this small, and the same on any machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _run(group: Sequence[Job], out: Path, report: Report) -> list[Trial]:
    fabric = make_fabric()
    with _one_thread():
        return [run_trial(job, out / "trials", fabric, partial(report, job)) for job in group]


def _save_best(group: Sequence[Job], trials: Sequence[Trial], dataset: Data, out: Path) -> None:
    best = best_trial(trials)
    if best is None:
        return
    job = next(job for job in group if job.seed == best.seed)
    weights, _ = checkpoint.load(job.folder(out / "trials") / WEIGHTS)
    about = {
        "task": job.task.name,
        "cell": job.cell,
        "width": job.width,
        "seed": job.seed,
        "spec": job.task.spec(),
        "settings": job.task.settings(),
        "columns": dataset.about()["columns"],
        "metrics": best.metrics,
    }
    save_model(out / "models" / job.cell, weights, about)

"""The comparison: trials, baselines, checks, verdict, and the files that it leaves."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from penstock._version import __version__
from penstock.cells import Cell, cell_name, find_cell
from penstock.comparison.chosen import Chosen, choose, network_of, of_each, weights_of
from penstock.comparison.folder import make_folder
from penstock.comparison.inspection import Health, diagnose
from penstock.comparison.judging.checks import Case, find_checks, run_checks
from penstock.comparison.judging.clock import Outcomes, same_clock
from penstock.comparison.judging.comparisons import compare_all
from penstock.comparison.judging.contestants import (
    baseline_contestants,
    cell_contestant,
    ranked,
)
from penstock.comparison.judging.verdict import judge
from penstock.comparison.models import save_model, written
from penstock.comparison.report.report import write_reports
from penstock.comparison.trials.damage import discard_damaged
from penstock.comparison.trials.design import Design
from penstock.comparison.trials.schedule import (
    LEARNING_RATES,
    Rung,
    Schedule,
    best_rates,
    cut_words,
)
from penstock.comparison.trials.trial import Job
from penstock.comparison.trials.workers import Bench, Here, Pool, Run
from penstock.data.splits import PARTS
from penstock.data.understanding.understanding import Understanding
from penstock.errors import ArgumentError
from penstock.record.results import CellContestant, Contestant, Record, Trial, baselines_among
from penstock.tasks import Task
from penstock.training.loop import Budget, Progress

DEFAULT_CELLS = ("rnn", "lstm", "gru")
DEFAULT_SEEDS = 5


class Watcher:
    """Hears how a run goes on; this one does nothing with it."""

    def understood(self, data: Understanding) -> None:
        """Hear what the data were taken for."""

    def begins(self, trials: int) -> None:
        """Hear how many trials there are to be."""

    def round(self, job: Job, progress: Progress) -> None:
        """Hear of a round of training."""

    def ends(self, job: Job, trial: Trial) -> None:
        """Hear of the end of a trial."""

    def discarded(self, why: str) -> None:
        """Hear that a trial kept from an earlier run is thrown away, and why."""


def run_comparison(
    task: Task,
    out: Path,
    *,
    cells: Iterable[str | type[Cell]] = DEFAULT_CELLS,
    seeds: int = DEFAULT_SEEDS,
    budget: Budget | None = None,
    learning_rates: Sequence[float] = LEARNING_RATES,
    seconds: float | None = None,
    pool: Pool | None = None,
    watcher: Watcher | None = None,
    skip_checks: Sequence[str] = (),
) -> Record:
    """Train cells under equal budgets, measure them against naive forecasts, and judge.

    Every cell gets the same number of parameters (its width is chosen so), of steps at most, the
    same patience, and the same learning rates to try: a trial each, among which validation data
    choose. Then each is trained with the same seeds. Test windows are used once, at the end of a
    trial, and in none that tunes; of a cell slower than the fastest once more, for what it reaches
    in that one's time (see `penstock.comparison.judging.clock`).

    Leaves in `out`: results.json, results.csv, report.html, report.md, models/<cell>.safetensors
    and .json, and the trials in trials/. A run that was cut off goes on from there; a trial that
    is there is not repeated.

    Args:
        task: bound to its data.
        out: the folder to write to; it is made, once the arguments are known to be right.
        cells: names, classes, or classes in files: "mine.py:MyCell".
        seeds: trials of each cell that are measured, with seeds 0 to seeds − 1.
        budget: what each trial may use, but for the learning rate.
        learning_rates: to try for each cell, in this order; a single one is taken as it is.
        seconds: the time for all. Rates and seeds are left out where it is short.
        pool: where trials run; in this process if left out.
        watcher: hears how the run goes on.
        skip_checks: names or codes of checks to switch off; see `comparison.judging.checks`.

    Raises:
        ArgumentError: an argument cannot work.
    """
    named, skipped = check_arguments(cells, seeds, learning_rates), find_checks(skip_checks)
    started, pool, watcher = time.monotonic(), pool or Here(), watcher or Watcher()
    check_names(task, named)
    design = Design(task, named, seeds, budget or Budget(), tuple(learning_rates))
    design.widths  # noqa: B018  (a cell that cannot be built fails here, before anything is written)
    make_folder(out)
    schedule = Schedule(seconds, out / "trials", started, len(named))
    run = _Run(design, out, schedule, pool, watcher, skipped)
    results = run.results()
    results.save(out / "results.json")  # first: of it the reports can be made anew
    write_reports(results, out)
    return results


def check_arguments(
    cells: Iterable[str | type[Cell]], seeds: int, rates: Sequence[float]
) -> dict[str, type[Cell]]:
    """Return the cells by name; raise unless they, the number of seeds and the rates can work.

    Raises:
        ArgumentError: one of them cannot.
    """
    classes = [find_cell(cell) for cell in ([cells] if isinstance(cells, str) else cells)]
    if not classes:
        raise ArgumentError("no cell to compare; name some, such as rnn,lstm,gru")
    named = {cell_name(cell): cell for cell in classes}
    for name, cell in named.items():
        if find_cell(name) is not cell:
            raise ArgumentError(f"another cell is named {name} too; give one class another name")
    if len(named) < len(classes):
        names = ",".join(map(cell_name, classes))
        raise ArgumentError(f"a cell is named twice in {names}; name each once")
    if seeds < 1:
        raise ArgumentError(f"the number of seeds is {seeds}; it must be at least 1")
    if not rates or not all(0 < rate < float("inf") for rate in rates):
        given = ",".join(f"{rate:g}" for rate in rates)
        raise ArgumentError(f"the learning rates are {given!r}; give numbers above 0: 1e-3,1e-2")
    return named


def check_names(task: Task, cells: Iterable[str]) -> None:
    """Raise where a cell has the name of one of the task's naive or linear methods.

    Raises:
        ArgumentError: it has.
    """
    if both := sorted({*cells} & {*task.codec.methods}):
        raise ArgumentError(f"{both[0]!r} is a naive method too; give the class another name")


@dataclass
class _Run:
    """One comparison on its way from a design to results."""

    design: Design
    out: Path
    schedule: Schedule
    pool: Pool
    watcher: Watcher
    skip: Collection[str]

    def __post_init__(self) -> None:
        trials, deadline = self.schedule.root, self.schedule.deadline
        cells = tuple(self.design.cells.values())
        self.bench = Bench(self.design.task, trials, deadline, self.watcher.round, cells)

    def results(self) -> Record:
        """Train, measure, check and judge."""
        design, task = self.design, self.design.task
        tuning, testing, tuned, tested = self._trials()
        found = {cell: [one for one in tested if one[0].cell == cell] for cell in design.cells}
        clock, entrants = self._contestants(found, tuned)
        about = task.data.about()
        contestants, lacking = self._completed(entrants, choose(found), about["columns"])
        comparisons = compare_all(contestants)
        naive = list(task.baselines)
        case = Case(task, contestants, comparisons, naive, design.budget.rounds)
        findings = run_checks(case, self.skip)
        return Record(
            task=task.name,
            metrics=list(task.problem.metrics),
            profile_of=task.problem.profile_of,
            profile_names=task.problem.profile_names(),
            data=about,
            settings=task.settings,
            budget=design.record(),
            seeds=sorted({job.seed for job, _ in tested}),
            notes=list(task.notes),
            contestants=contestants,
            comparisons=comparisons,
            verdict=judge(contestants, comparisons, naive, findings),
            checks=findings,
            cut=[*cut_words(tuning, testing, [*tuned, *tested]), *lacking],
            examples=[one.record() for one in task.examples.shown()],
            versions={"penstock": __version__, "torch": torch.__version__},
            parts={part: task.problem.members(part) for part in PARTS},
            times={
                "total": time.monotonic() - self.schedule.started,
                "clock": clock,
                "workers": self.pool.workers,
            },
        )

    def _trials(self) -> tuple[list[Rung], list[Rung], Outcomes, Outcomes]:
        """Return the rungs that tune and that are measured, and what came out of each."""
        design, tuning = self.design, self.design.tuning()
        self.watcher.begins((len(tuning) + design.seeds) * len(design.cells))
        with self.pool.open(self.bench) as run:
            self._discard_damaged(tuning)
            tuned = self._train(run, self.schedule.tuning(tuning))
            testing = design.testing(best_rates([*design.cells], tuned, design.learning_rates[0]))
            self._discard_damaged(testing)
            return tuning, testing, tuned, self._train(run, self.schedule.testing(testing))

    def _discard_damaged(self, rungs: Sequence[Rung]) -> None:
        for job in (job for rung in rungs for job in rung):
            if why := discard_damaged(self.design.task, job, self.bench.root):
                self.watcher.discarded(why)

    def _train(self, run: Run, jobs: Iterator[Job]) -> Outcomes:
        """Run jobs and return them with their trials, in the order of the jobs."""
        begun: list[Job] = []

        def noted() -> Iterator[Job]:
            for job in jobs:
                begun.append(job)
                yield job

        found = {}
        for job, trial in run(noted()):
            self.schedule.note(job)
            self.watcher.ends(job, trial)
            found[job] = trial
        return [(job, found[job]) for job in begun]

    def _contestants(
        self, found: Mapping[str, Outcomes], tuned: Outcomes
    ) -> tuple[float | None, list[Contestant]]:
        """Return the clock, and the contestants by rank."""
        task = self.design.task
        clock, within = same_clock(task, found, self.bench.root)
        entrants = [
            cell_contestant(
                task, outcomes, [t for j, t in tuned if j.cell == cell], within.get(cell)
            )
            for cell, outcomes in found.items()
        ]
        return clock, ranked([*entrants, *baseline_contestants(task)], task.problem.metrics[0])

    def _completed(
        self, entrants: Sequence[Contestant], chosen: Chosen, columns: Any
    ) -> tuple[list[Contestant], list[str]]:
        """Return contestants with their models saved and looked into, and what could not be."""
        unsaved = self._save_models(chosen, columns)
        self._save_baselines(entrants, columns)
        health, unknown = self._looked_into(chosen)
        completed = [
            replace(
                one,
                health=health.get(one.name, {}),
                model=None if one.name in unsaved else one.model,
            )
            if isinstance(one, CellContestant)
            else one
            for one in entrants
        ]
        return completed, [*unsaved.values(), *unknown.values()]

    def _looked_into(self, chosen: Chosen) -> tuple[dict[str, Health], dict[str, str]]:
        """Return memory span and gradient growth of each cell's best trial, or why they lack."""
        task, root, until = self.design.task, self.bench.root, self.schedule.ending

        def look(job: Job, trial: Trial) -> Health:
            return diagnose(task, network_of(task, job, trial, root))

        return of_each(chosen, "Memory span and gradients", look, until)

    def _save_models(self, chosen: Chosen, columns: Any) -> dict[str, str]:
        """Write each cell's best trial as a model; return which cannot be, and why."""

        def save(job: Job, trial: Trial) -> None:
            about = {
                "kind": "cell",
                "name": job.cell,
                **self._known(columns, trial.metrics),
                "width": job.width,
                "seed": job.seed,
                **written(self.design.cells[job.cell]),
            }
            weights = weights_of(job, trial, self.bench.root)
            save_model(self.out / "models" / job.cell, weights, about)

        return of_each(chosen, "The model", save)[1]

    def _save_baselines(self, entrants: Sequence[Contestant], columns: Any) -> None:
        """Write each naive and linear method as a model."""
        for one in baselines_among(entrants):
            about = {"kind": "baseline", "name": one.name, **self._known(columns, one.metrics)}
            weights = self.design.task.baselines[one.name].weights()
            save_model(self.out / "models" / one.name, weights, about)

    def _known(self, columns: Any, metrics: dict[str, float]) -> dict[str, Any]:
        """Return what the file of any model says."""
        task = self.design.task
        return {
            "task": task.name,
            "spec": task.spec,
            "settings": task.settings,
            "columns": columns,
            "metrics": metrics,
        }

"""The comparison: trials, baselines, checks, verdict, and the files that it leaves."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from penstock._version import __version__
from penstock.comparison.finish import Finish
from penstock.comparison.judging.checks import find_checks
from penstock.comparison.judging.checks.base import Case
from penstock.comparison.judging.checks.running import run_checks
from penstock.comparison.judging.clock import Outcomes, same_clock
from penstock.comparison.judging.comparisons import compare_all
from penstock.comparison.judging.contestants import (
    baseline_contestants,
    cell_contestant,
    ranked,
)
from penstock.comparison.judging.verdict import judge
from penstock.comparison.keeping.folder import make_folder
from penstock.comparison.report.report import write_reports
from penstock.comparison.request import Request
from penstock.comparison.resplits import resplit
from penstock.comparison.timetable import (
    FINALISTS,
    GENERATIONS,
    STEPS,
    Timetable,
    make_space,
    make_timetable,
    timed,
)
from penstock.comparison.trials.damage import discard_damaged
from penstock.comparison.trials.design import Design, Rung
from penstock.comparison.trials.schedule import Schedule, cut_words
from penstock.comparison.trials.search import Search
from penstock.comparison.trials.trial import Job, drop
from penstock.comparison.trials.workers import Bench, Here, Outcome, Pool, Run, one_thread
from penstock.comparison.watcher import Watcher
from penstock.data.splits import PARTS
from penstock.errors import ArgumentError
from penstock.record.contestants import Contestant
from penstock.record.results import Record
from penstock.tasks.task import Task
from penstock.training.loop import Budget

_TELLING = 0.05  # seconds of the processor below which it is not known how busy a machine is
_ROUNDS = 50  # of a long training; short ones have rounds of as many steps as `Budget` says


def run_comparison(
    task: Task,
    request: Request,
    *,
    budget: Budget | None = None,
    pool: Pool | None = None,
    watcher: Watcher | None = None,
) -> Record:
    """Search for each cell's setting, train its seeds, measure against baselines, and judge.

    Every cell gets the same search (see `penstock.comparison.trials.search`): validation data
    choose among as many settings, of as many steps at most, with the same patience. Then each is
    trained with the same seeds. Test windows are used once, at the end of a trial, and in none of
    the search; of a cell slower than the fastest once more, for what it reaches in that one's time
    (see `penstock.comparison.judging.clock`).

    Leaves in the request's folder: results.json, results.csv, report.html, report.md,
    models/<cell>.safetensors and .json, and the trials in trials/. A run that was cut off goes on
    from there; a trial that is there is not repeated.

    Args:
        task: bound to its data.
        request: what is asked. What its time is too short for is left out; see
            `penstock.comparison.timetable`.
        budget: what each trial may use, but for the learning rate; what is asked, and otherwise
            what is usual, if left out.
        pool: where trials run; in this process if left out.
        watcher: hears how the run goes on.

    Raises:
        ArgumentError: an argument cannot work.
    """
    started, pool, watcher = time.monotonic(), pool or Here(), watcher or Watcher()
    out, design = request.folder, _design(task, request, budget or _budget(request))
    make_folder(out)
    busy = _measure_baselines(task)
    seconds = None if request.ends is None else request.ends - started
    schedule = Schedule(seconds, out / "trials", started, len(design.cells), busy)
    pool = pool if schedule.time_for_processes else Here()
    timetable = make_timetable(design, request, schedule, pool.workers)
    schedule.measuring = timetable.measuring
    skip = find_checks(request.skip_checks)
    run = _Run(timed(design, timetable), timetable, out, schedule, pool, watcher, skip)
    results = run.results()
    results.save(out / "results.json")  # first: of it the reports can be made anew
    write_reports(results, out)
    return results


def _measure_baselines(task: Task) -> float:
    """Fit and measure the baselines: what that takes is known before the time is shared out.

    Returns how many times as long it took as on a machine that has nothing else to do.
    """
    start, used = time.monotonic(), time.process_time()
    with one_thread():  # several wait for each other where the machine is busy
        for baseline in task.baselines.values():
            _ = baseline.measured  # kept
    took, used = time.monotonic() - start, time.process_time() - used
    return max(1.0, took / used) if used > _TELLING else 1.0


def _budget(request: Request) -> Budget:
    """Return what each trial may use, as far as it is asked."""
    usual = Budget()
    steps = request.steps or STEPS[request.size]
    return Budget(
        steps=steps,
        round_steps=max(usual.round_steps, steps // _ROUNDS),
        patience=request.patience or usual.patience,
        batch_size=request.batch_size or usual.batch_size,
        weight_decay=request.weight_decay,
    )


def _design(task: Task, request: Request, budget: Budget) -> Design:
    """Return the design of all that is asked.

    A cell that cannot be built fails here, before anything is written.
    """
    cells = request.classes
    check_names(task, cells)
    space = make_space(task, request, budget)
    design = Design(
        task, cells, request.seeds, budget, space, GENERATIONS, bidirectional=request.bidirectional,
        entrants=FINALISTS if request.tournament else None, resplits=request.resplits,
    )  # fmt: skip
    if request.resplits:
        task.resplit(1)  # what is wrong with it is said before anything is trained
    for cell in cells:
        design.structure(cell, space.first())
    return design


def check_names(task: Task, cells: Iterable[str]) -> None:
    """Raise where a cell has the name of one of the task's baselines.

    Raises:
        ArgumentError: it has.
    """
    if both := sorted({*cells} & {*task.codec.methods}):
        raise ArgumentError(f"{both[0]!r} is a baseline too; give the class another name")


@dataclass
class _Run:
    """One comparison on its way from a design to results."""

    design: Design
    timetable: Timetable
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
        search, testing, tested = self._trials()
        chosen = {job.cell: job.setting for job in testing[0]}
        resplits, missed = resplit(design, chosen, self._elsewhere, self.schedule.deadline)
        tuned = list(search.trials.values())
        finalists = [*chosen]
        outcomes = {cell: [one for one in tested if one[0].cell == cell] for cell in finalists}
        clock, entrants = self._contestants(outcomes, tuned)
        about = task.data.about()
        until, columns = self.schedule.ending, about["columns"]
        finish = Finish(design, self.out, self.bench.root, until, columns)
        contestants, lacking = finish.completed(entrants, outcomes)
        comparisons = compare_all(contestants)
        baselines = list(task.baselines)
        case = Case(task, contestants, comparisons, baselines, design.budget.rounds)
        findings = run_checks(case, self.skip)
        left_out = cut_words(search.tried(finalists), search.asked, testing, [*tuned, *tested])
        return Record(
            task=task.name,
            metrics=list(task.problem.metrics),
            meanings=dict(task.problem.meanings),
            profile_of=task.problem.profile_of,
            profile_names=task.problem.profile_names(),
            class_names=task.problem.class_names(),
            data=about,
            settings=task.settings,
            budget=design.record(),
            seeds=sorted({job.seed for job, _ in tested}),
            notes=[*task.notes, *search.words()],
            contestants=contestants,
            comparisons=comparisons,
            verdict=judge(
                contestants, comparisons, baselines, findings, task.problem.promised, resplits
            ),
            checks=findings,
            cut=[*self.timetable.words, *left_out, *missed, *lacking],
            examples=[one.record() for one in task.examples.shown()],
            versions={"penstock": __version__, "torch": torch.__version__},
            parts={part: task.problem.members(part) for part in PARTS},
            resplits=resplits,
            tournament=search.standings,
            times={
                "total": time.monotonic() - self.schedule.started,
                "clock": clock,
                "workers": self.pool.workers,
            },
        )

    def _trials(self) -> tuple[Search, list[Rung], Outcomes]:
        """Return the search, the rungs that are measured, and what came out of these."""
        design = self.design
        with self.pool.open(self.bench) as run:

            def train(rungs: Sequence[Rung]) -> list[Outcome]:
                self._discard_damaged(rungs)
                return self._train(run, self.schedule.tuning(rungs))

            search = Search(design, train, lambda job: drop(job, self.bench.root))
            measured = (design.seeds + design.resplits) * design.finalists
            self.watcher.begins(search.expected() + measured)
            testing = design.testing(search.best())
            self._discard_damaged(testing)
            return search, testing, self._train(run, self.schedule.testing(testing))

    def _elsewhere(self, task: Task, rungs: Sequence[Rung]) -> list[Outcome]:
        """Train on another split of the data."""
        self._discard_damaged(rungs, task)
        with self.pool.open(replace(self.bench, task=task)) as run:
            return self._train(run, self.schedule.testing(rungs))

    def _discard_damaged(self, rungs: Sequence[Rung], task: Task | None = None) -> None:
        for job in (job for rung in rungs for job in rung):
            if why := discard_damaged(task or self.design.task, job, self.bench.root):
                self.watcher.discarded(why)

    def _train(self, run: Run, jobs: Iterator[Job]) -> list[Outcome]:
        """Run jobs and return them with their trials, in the order of the jobs."""
        begun: list[Job] = []

        def noted() -> Iterator[Job]:
            for job in jobs:
                begun.append(job)
                yield job

        trials = {}
        for job, trial in run(noted()):
            self.schedule.note(job, trial)
            self.watcher.ends(job, trial)
            trials[job] = trial
        return [(job, trials[job]) for job in begun]

    def _contestants(
        self, outcomes: Mapping[str, Outcomes], tuned: Sequence[Outcome]
    ) -> tuple[float | None, list[Contestant]]:
        """Return the clock, and the contestants by rank."""
        task = self.design.task
        clock, within = same_clock(task, outcomes, self.bench.root)
        entrants = [
            cell_contestant(
                task, of_cell, [t for j, t in tuned if j.cell == cell], within.get(cell)
            )
            for cell, of_cell in outcomes.items()
        ]
        return clock, ranked([*entrants, *baseline_contestants(task)], task.problem.metrics[0])

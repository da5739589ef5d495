"""Trials in other processes: the same results, and a crash costs one trial."""

import json
import multiprocessing
import os
import shutil
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from comparing import QUICK, RATES, run_comparison, stored

from penstock.comparison.trials import trial
from penstock.comparison.trials.damage import discard_damaged
from penstock.comparison.trials.trial import Job, OutOfTimeError, attempt, conclude
from penstock.comparison.trials.workers import Bench, Processes
from penstock.comparison.watcher import Watcher
from penstock.data import sunspots
from penstock.record.contestants import Trial, cells_among
from penstock.record.results import Record
from penstock.record.structure import Structure
from penstock.tasks.series.forecast import FORECAST
from penstock.training import checkpoint
from penstock.training.loop import Progress, Training, weights_at

SAME: dict[str, Any] = {"seeds": 2, "budget": QUICK, "rates": RATES}


class Killer(Watcher):
    """Kills the process that trains a job, after its first round; notes how trials ended."""

    def __init__(self, cell: str, seed: int) -> None:
        self.wanted, self.ended = (cell, seed), dict[tuple[str, int], Trial]()

    def round(self, job: Job, progress: Progress) -> None:
        if (job.cell, job.seed, progress.round) == (*self.wanted, 1):
            (child,) = multiprocessing.active_children()
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)

    def ends(self, job: Job, trial: Trial) -> None:
        self.ended[job.cell, job.seed] = trial


def test_parallel_processes_give_the_same_results(
    finished: tuple[Record, Path], tmp_path: Path
) -> None:
    results = run_comparison(sunspots(), tmp_path, cells=["rnn", "gru"], pool=Processes(3), **SAME)
    assert results.times["workers"] == 3
    assert stored(tmp_path) == stored(finished[1])
    assert not multiprocessing.active_children()


class KillerAtAFile(Killer):
    """Leaves what a process leaves that is killed while it writes a file."""

    root: Path

    def round(self, job: Job, progress: Progress) -> None:
        if (job.cell, job.seed, progress.round) == (*self.wanted, 1):
            (job.folder(self.root) / ".0123456789abcdef.tmp").touch()
        super().round(job, progress)


def test_a_process_that_is_killed_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    killer = KillerAtAFile("gru", 0)
    killer.root = tmp_path / "trials"
    run_comparison(sunspots(), tmp_path, cells=["gru"], pool=Processes(1), watcher=killer, **SAME)
    assert killer.ended["gru", 0].status == "failed"
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_process_that_is_killed_costs_its_own_trial(tmp_path: Path) -> None:
    killer = Killer("gru", 0)
    found = run_comparison(
        sunspots(), tmp_path, cells=["gru"], pool=Processes(1), watcher=killer, **SAME
    )
    (gru,) = cells_among(found.contestants)
    assert [trial.status for trial in gru.trials] == ["failed", "finished"]
    assert gru.trials[0].ended == "its process was killed by signal 9"
    assert "Trials that failed: gru (1)." in found.verdict.sentences
    assert any(one.name == "trials-lost" and one.status == "fired" for one in found.checks)
    assert "its process was killed" in (tmp_path / "report.html").read_text("utf-8")
    # Once more, and undisturbed: what failed is tried again.
    again = run_comparison(sunspots(), tmp_path, cells=["gru"], **SAME)
    assert [trial.status for trial in cells_among(again.contestants)[0].trials] != ["failed"]
    assert not again.checks[2].messages


class Sleeper:
    """In place of a task: in a process of its own time stands still, and no network is made."""

    problem = None

    def __reduce__(self) -> Any:
        return _stand_still, ()

    def network(self, *_: Any) -> None:
        time.sleep(30)


def _stand_still() -> Sleeper:
    trial.time = SimpleNamespace(monotonic=lambda: 0.0)  # type: ignore[assignment]
    return Sleeper()


def test_a_trial_is_ended_when_time_is_up_whatever_it_does(tmp_path: Path) -> None:
    jobs = [Job("gru", Structure(3), seed, QUICK, "test", 4000, "digest") for seed in range(3)]
    for _ in range(2):  # processes start quickly the second time, and are given the trials
        end = time.monotonic() + 1
        bench = Bench(Sleeper(), tmp_path, end, lambda *_: None)  # type: ignore[arg-type]
        with Processes(2).open(bench) as run:
            found = dict(run(iter(jobs)))
        assert {found[job].status for job in jobs} == {"cut"}
    assert not multiprocessing.active_children()


def test_what_is_there_is_read_when_time_is_up(
    finished: tuple[Record, Path], tmp_path: Path
) -> None:
    shutil.copytree(finished[1], tmp_path / "out")
    pool = Processes(2)
    again = run_comparison(
        sunspots(), tmp_path / "out", cells=["rnn", "gru"], pool=pool, time=0.01, **SAME
    )
    before, after = (
        json.dumps({one.name: list(map(asdict, one.measured)) for one in cells_among(each)})
        for each in (finished[0].contestants, again.contestants)
    )
    assert json.loads(before) == json.loads(after)


def test_a_round_is_cut_where_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))  # a second for each batch
    monkeypatch.setattr(trial, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    rounds = []
    task = FORECAST.prepare(sunspots())
    job = Job("rnn", Structure(3), 0, replace(QUICK, round_steps=12), "tuning", 4000, "digest")
    found = attempt(task, job, tmp_path, deadline=8.5, report=lambda *said: rounds.append(said))
    assert (found.status, next(clock), rounds) == ("cut", 10, [])


def until_the_third_round(*said: Any) -> None:
    if said[1].round == 3:
        raise OutOfTimeError


@pytest.mark.parametrize("purpose", ["test", "tuning"])
def test_a_trial_that_was_cut_counts_with_its_best_weights(tmp_path: Path, purpose: Any) -> None:
    task, long = FORECAST.prepare(sunspots()), replace(QUICK, steps=400, learning_rate=1e-2)
    job = Job("rnn", Structure(3), 0, long, purpose, 4000, "digest")
    cut = attempt(task, job, tmp_path, report=until_the_third_round)
    assert (cut.status, cut.ended) == ("cut", "the time of the run was up")
    assert len(cut.losses) == 4
    assert cut.best_round > 0
    assert cut.measured == (purpose == "test")
    assert conclude(task, job, tmp_path).metrics == cut.metrics
    if cut.measured:  # as its weights say, and not for good: it can go on
        network = task.network(job.cell, job.structure)
        weights = weights_at(job.trail(tmp_path), cut.best_round)
        network.load_state_dict(checkpoint.load(weights)[0])
        task.problem.calibrate(network)
        assert task.problem.measure(task.problem.predict(network)).metrics == cut.metrics
        assert attempt(task, job, tmp_path, report=lambda *_: None).status == "finished"


def test_a_trial_that_diverged_counts_with_its_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, losses = FORECAST.prepare(sunspots()), iter([3.0, 2.0, float("nan")])
    monkeypatch.setattr(Training, "_validate", lambda _: next(losses))
    job = Job("rnn", Structure(3), 0, replace(QUICK, steps=400), "test", 4000, "digest")
    found = attempt(task, job, tmp_path, report=lambda *_: None)
    assert (found.status, found.best_round, found.measured) == ("diverged", 1, True)
    assert not discard_damaged(task, job, tmp_path)


def test_a_trial_that_never_got_better_has_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, losses = FORECAST.prepare(sunspots()), iter([3.0, 4.0, 4.0, 4.0, float("nan")])
    monkeypatch.setattr(Training, "_validate", lambda _: next(losses))
    job = Job("rnn", Structure(3), 0, replace(QUICK, steps=400), "test", 4000, "digest")
    cut = attempt(task, job, tmp_path, report=until_the_third_round)
    assert (cut.status, cut.measured, cut.losses) == ("cut", False, [])
    diverged = attempt(task, job, tmp_path, report=lambda *_: None)
    assert (diverged.status, diverged.measured) == ("diverged", False)


def test_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    class Interrupt(Watcher):
        def round(self, *_: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_comparison(
            sunspots(), tmp_path, cells=["rnn"], pool=Processes(2), watcher=Interrupt(), **SAME
        )
    assert not multiprocessing.active_children()

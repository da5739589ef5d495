"""What is left out when time is short, and that it is the same for every cell."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from comparing import QUICK, RATES, run_comparison, stored

from penstock.comparison.trials import schedule as module
from penstock.comparison.trials.design import TUNING_SEED
from penstock.comparison.trials.schedule import Schedule, cut_words
from penstock.comparison.trials.trial import Job
from penstock.data import sunspots
from penstock.record.contestants import Trial, cells_among
from penstock.record.results import Record
from penstock.record.structure import Setting, Structure
from penstock.training.loop import Budget

SETTING = Setting(1e-3, 4000)


def job(cell: str, seed: int, rate: float = 1e-3) -> Job:
    purpose = "tuning" if seed == TUNING_SEED else "test"
    return Job(cell, Structure(4), seed, Budget(learning_rate=rate), purpose, 4000, f"{rate}")


RUNGS = [[job(cell, seed) for cell in ("rnn", "gru")] for seed in range(5)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def run(schedule: Schedule, jobs: Iterator[Job], clock: SimpleNamespace, took: float) -> list[Job]:
    done = []
    for one in jobs:
        clock.seconds += took
        losses: list[list[float | None]] = [[None, 1.0]] * (1 + one.budget.rounds)
        schedule.note(one, Trial(one.seed, SETTING, "finished", "steps", losses))
        done.append(one)
    return done


def test_time_is_kept_back_for_what_comes_after_the_trials(tmp_path: Path) -> None:
    schedule = Schedule(60.0, tmp_path, 0.0, cells=3)
    assert (schedule.deadline, schedule.ending) == (49.0, 55.0)
    busy = Schedule(60.0, tmp_path, 0.0, cells=3, busy=4.0)
    assert (busy.deadline, busy.ending) == (43.0, 49.0)
    short = Schedule(10.0, tmp_path, 0.0, cells=3, busy=4.0)
    assert (short.deadline, short.ending) == (7.0, 8.0)
    many = Schedule(600.0, tmp_path, 0.0, cells=100)
    assert (many.deadline, many.ending) == (508.0, 568.0)


@pytest.mark.parametrize(
    ("seconds", "busy", "worth"),
    [(None, 9.0, True), (45.0, 1.0, True), (45.0, 2.0, True), (45.0, 3.0, False), (9.0, 1, False)],
)  # fmt: skip
def test_processes_only_where_their_start_is_worth_it(
    tmp_path: Path, clock: SimpleNamespace, seconds: float | None, busy: float, worth: bool
) -> None:
    schedule = Schedule(seconds, tmp_path, clock.seconds, cells=3, busy=busy)
    assert schedule.time_for_processes == worth


def test_without_a_bound_nothing_is_left_out(tmp_path: Path, clock: SimpleNamespace) -> None:
    schedule = Schedule(None, tmp_path, 0.0)
    assert schedule.deadline == float("inf")
    assert len(run(schedule, schedule.testing(RUNGS), clock, 1e6)) == 10


def test_whole_rungs_are_left_out(tmp_path: Path, clock: SimpleNamespace) -> None:
    schedule = Schedule(31.0, tmp_path, 0.0)  # 26.45 for trials of 4 seconds: 3 rungs of 2
    done = run(schedule, schedule.testing(RUNGS), clock, 4.0)
    assert done == [one for rung in RUNGS[:3] for one in rung]
    assert clock.seconds <= 31
    outcomes = [(one, Trial(one.seed, SETTING, "finished", "steps")) for one in done]
    assert cut_words(0, 0, RUNGS, outcomes) == [
        "Seeds not trained, as time was short: 3, 4 of 5.",
        "The same command goes on from here.",
    ]


def test_tuning_takes_its_share(tmp_path: Path, clock: SimpleNamespace) -> None:
    schedule = Schedule(100.0, tmp_path, 0.0)
    searched = [[job(cell, 9, rate) for cell in ("rnn", "gru")] for rate in (0.1, 0.2, 0.3, 0.4)]
    assert len(run(schedule, schedule.tuning(searched), clock, 8.0)) == 6  # 48 of 50 seconds
    assert len(run(schedule, schedule.testing(RUNGS), clock, 8.0)) == 4  # 80 of 92 seconds


def test_one_rung_always_runs(tmp_path: Path, clock: SimpleNamespace) -> None:
    schedule = Schedule(1.0, tmp_path, 0.0)
    assert len(run(schedule, schedule.testing(RUNGS), clock, 50.0)) == 2


def test_trials_that_are_there_take_no_time(tmp_path: Path, clock: SimpleNamespace) -> None:
    for one in (one for rung in RUNGS[:4] for one in rung):
        one.folder(tmp_path).mkdir(parents=True)
        (one.folder(tmp_path) / "trial.json").write_text("{}")
    schedule = Schedule(1.0, tmp_path, 0.0)
    assert len(run(schedule, schedule.testing(RUNGS), clock, 0.0)) >= 8


def test_a_run_that_is_cut_says_so_and_goes_on(
    finished: tuple[Record, Path], tmp_path: Path
) -> None:
    same: dict[str, Any] = {"cells": ["rnn", "gru"], "budget": QUICK, "rates": RATES}
    found = run_comparison(sunspots(), tmp_path, seeds=2, time=0.01, **same)
    assert found.cut[0].startswith("Trainings of 1 steps")
    statuses = {trial.status for one in cells_among(found.contestants) for trial in one.trials}
    assert statuses == {"cut"}
    assert found.verdict.kind == "failed"
    assert "Seeds of each cell: 1 instead of 2" in (tmp_path / "report.md").read_text("utf-8")
    run_comparison(sunspots(), tmp_path, seeds=2, **same)
    assert stored(tmp_path) == stored(finished[1])

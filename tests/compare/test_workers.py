"""Trials in other processes: the same results, and a crash costs one trial."""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from comparing import QUICK, RATES, stored

from penstock.compare.results import Results, Trial
from penstock.compare.run import Watcher, compare
from penstock.compare.trial import Job
from penstock.compare.workers import Processes
from penstock.data import sunspots
from penstock.training.loop import Progress

SAME: dict[str, Any] = {"seeds": 2, "budget": QUICK, "learning_rates": RATES}


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
    finished: tuple[Results, Path], tmp_path: Path
) -> None:
    results = compare(sunspots(), tmp_path, cells=["rnn", "gru"], pool=Processes(3), **SAME)
    assert results.times["workers"] == 3
    assert stored(tmp_path) == stored(finished[1])
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed_costs_its_own_trial(tmp_path: Path) -> None:
    killer = Killer("gru", 0)
    found = compare(sunspots(), tmp_path, cells=["gru"], pool=Processes(1), watcher=killer, **SAME)
    (gru,) = (one for one in found.contestants if one.kind == "cell")
    assert [trial.status for trial in gru.trials] == ["failed", "finished"]
    assert gru.trials[0].ended == "its process was killed by signal 9"
    assert "Trials that failed: gru (1)." in found.verdict.sentences
    assert any(one.name == "trials-lost" and one.status == "fired" for one in found.checks)
    assert "its process was killed" in (tmp_path / "report.html").read_text("utf-8")
    # Once more, and undisturbed: what failed is tried again.
    again = compare(sunspots(), tmp_path, cells=["gru"], **SAME)
    assert [trial.status for trial in again.contestants[0].trials if again] != ["failed"]
    assert not again.checks[2].messages


def test_an_interrupt_leaves_no_process(tmp_path: Path) -> None:
    class Interrupt(Watcher):
        def round(self, *_: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(sunspots(), tmp_path, cells=["rnn"], pool=Processes(2), watcher=Interrupt(), **SAME)
    assert not multiprocessing.active_children()

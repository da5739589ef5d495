"""The search: what is tried, what is dropped, and that nothing but the data and losses decides."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import log
from pathlib import Path
from typing import Any

import pytest
from comparing import QUICK, run_comparison, stored

from penstock.cells import cells, find_cell
from penstock.comparison.trials.design import Design, Rung
from penstock.comparison.trials.search import Search, in_rungs, whole_trainings
from penstock.comparison.trials.space import Sampler, Space
from penstock.comparison.trials.trial import Job
from penstock.comparison.trials.workers import Outcome, Processes
from penstock.comparison.watcher import Watcher
from penstock.data import sunspots
from penstock.record.contestants import Trial, cells_among
from penstock.record.structure import Setting
from penstock.tasks.series.forecast import FORECAST

WIDE = Space(
    (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), (4000, 16_000, 64_000), (1, 2), (0.0, 0.1), (24, 48),
    usual=Setting(3e-3, 4000, 1, 0.0, 24),
)  # fmt: skip
BUDGET = replace(QUICK, steps=48, round_steps=4)  # 12 rounds: the rungs end after 2, 6 and 12


def design(names: Sequence[str], space: Space = WIDE, entrants: int | None = None) -> Design:
    task, named = FORECAST.prepare(sunspots()), {name: find_cell(name) for name in names}
    return Design(task, named, 2, BUDGET, space, (6, 3), entrants=entrants)


def searched(
    one: Design, loss: Callable[[Job], float], most: int = 10**6
) -> tuple[Search, list[list[Job]], list[Job]]:
    """Return a search whose trials lose as told, what it trained at a time, and what it dropped."""
    given: list[list[Job]] = []
    dropped: list[Job] = []

    def train(rungs: Sequence[Rung]) -> list[Outcome]:
        room = most - sum(map(len, given))
        jobs = [job for rung in rungs for job in rung][: max(0, room)]
        given.append(jobs)
        return [(job, _lost(job, loss(job))) for job in jobs]

    return Search(one, train, dropped.append), given, dropped


def _lost(job: Job, loss: float) -> Trial:
    rounds = job.until or job.budget.rounds
    status: Any = "pruned" if job.until else "finished"
    losses: list[list[float | None]] = [[None, loss + 1], *[[1.0, loss]] * rounds]
    return Trial(job.seed, job.setting, status, "", losses, 1)


def far(job: Job) -> float:
    """A loss that is lowest at a rate of 0.01 and 64,000 parameters."""
    return _distance(job.setting)


def test_every_cell_has_as_many_settings_and_begins_alike() -> None:
    search, given, _ = searched(design(["rnn", "gru"]), far)
    best = search.best()
    tried = {cell: [s for c, s in search.trials if c == cell] for cell in ("rnn", "gru")}
    assert tried["rnn"][0] == WIDE.usual
    assert tried["rnn"] == tried["gru"]  # as both lose alike
    assert len({*tried["rnn"]}) == len(tried["rnn"]) == search.asked == 9
    assert best == dict.fromkeys(("rnn", "gru"), min(tried["rnn"], key=_distance))
    assert sum(map(len, given)) == search.expected()


def _distance(of: Setting) -> float:
    return abs(log(of.learning_rate / 0.01)) + abs(log(of.parameters / 64_000)) + of.dropout


def test_the_worse_are_dropped_at_each_rung_and_never_go_on() -> None:
    search, given, dropped = searched(design(["gru"]), far)
    search.best()
    assert [(len(jobs), jobs[0].until) for jobs in given] == [
        (6, 2), (2, 6), (1, None), (3, 2), (1, 6), (1, None)
    ]  # fmt: skip
    assert in_rungs(6) == (6, 2, 1)
    for before, after in pairwise(given[:3]):
        kept = sorted(before, key=far)[: len(after)]
        assert {job.setting for job in after} == {job.setting for job in kept}
    going = {job.setting for job in (*given[2], *given[5])}
    assert not going & {job.setting for job in dropped}


def test_later_settings_are_drawn_near_what_was_good() -> None:
    """Over many spaces of losses the second generation is better than the first, on average."""
    gains = []
    for rate in WIDE.learning_rate:
        for size in WIDE.parameters:

            def loss(setting: Setting, rate: float = rate, size: int = size) -> float:
                return abs(log(setting.learning_rate / rate)) + abs(log(setting.parameters / size))

            sampler = Sampler(WIDE, 0)
            first = sampler.ask(12)
            sampler.tell([(setting, 2, loss(setting)) for setting in first])
            later = sampler.ask(6)
            assert not {*first} & {*later}
            gains.append(sum(map(loss, first)) / 12 - sum(map(loss, later)) / 6)
    assert sum(gains) / len(gains) > 0.3


def test_a_small_space_is_tried_whole_and_once() -> None:
    space = Space((1e-3, 1e-2), (4000,), usual=Setting(1e-2, 4000))
    search, given, _ = searched(design(["gru"], space), far)
    assert search.best() == {"gru": Setting(1e-2, 4000)}
    assert [len(jobs) for jobs in given] == [2, 1, 1]
    assert search.asked == 2
    nothing, given, _ = searched(design(["gru"], Space((1e-3,), (4000,))), far)
    assert nothing.best() == {"gru": Setting(1e-3, 4000)}
    assert (given, nothing.asked, nothing.expected()) == ([], 0, 0)


def test_what_failed_or_diverged_is_not_chosen() -> None:
    one = design(["gru"])
    search, _, _ = searched(one, far)
    search.trials = {
        ("gru", WIDE.first()): (
            one.tuning("gru", WIDE.first()),
            Trial(0, WIDE.first(), "diverged", "", [[None, 1.0], [1.0, 0.0]], 1),
        )
    }
    assert search._best_of("gru") == WIDE.first()  # nothing else was tried
    other = replace(WIDE.first(), learning_rate=3e-4)
    search.trials["gru", other] = (one.tuning("gru", other), _lost(one.tuning("gru", other), 9.0))
    assert search._best_of("gru") == other


def test_without_time_the_best_so_far_is_taken() -> None:
    search, given, _ = searched(design(["rnn", "gru"]), far, most=5)
    best = search.best()
    assert sum(map(len, given)) == 5
    assert search.tried(["rnn", "gru"]) == 2
    assert best["gru"] in {setting for cell, setting in search.trials if cell == "gru"}


def test_in_a_tournament_the_better_half_goes_on() -> None:
    names = sorted(cells())[:16]
    place = {name: k for k, name in enumerate(reversed(names))}
    space = Space((1e-3, 3e-3, 1e-2), (4000,), usual=Setting(3e-3, 4000))
    search, given, _ = searched(design(names, space, entrants=4), lambda job: place[job.cell])
    assert [*search.best()] == names[::-1][:4]
    fields = [{job.cell for job in jobs} for jobs in given[:3]]
    assert [len(field) for field in fields] == [16, 8, 4]
    assert [one["cell"] for one in search.standings] == names[::-1]
    assert [one["rounds"] for one in search.standings] == sorted(
        (one["rounds"] for one in search.standings), reverse=True
    )
    assert "a tournament of 16 cells: 12 fell behind" in search.words()[0]


@pytest.mark.parametrize("entrants", [None, 4])
@pytest.mark.parametrize("space", [WIDE, Space((1e-3, 1e-2), (4000,)), Space((1e-3,), (4000,))])
def test_a_search_costs_the_rounds_that_it_trains(space: Space, entrants: int | None) -> None:
    """What the timetable counts on is what a search then does: nothing where there is no choice."""
    one = design(sorted(cells())[:12], space, entrants)
    search, given, _ = searched(one, far)
    done: dict[tuple[str, Setting], int] = {}
    search.best()
    for job in (job for jobs in given for job in jobs):
        done[job.cell, job.setting] = job.until or job.budget.rounds
    finalists = {standing["cell"] for standing in search.standings[: one.finalists]}
    searching = {key for key in done if not finalists or key[0] in finalists}
    tournament, each = whole_trainings(one, space.generations(one.generations))
    cost = tournament + one.finalists * each
    trained = sum(done.values()) / BUDGET.rounds
    assert (cost == 0) == (trained == 0)
    # Settings of the tournament that are tried again in the search go on from where they were.
    again = one.finalists if entrants else 0
    assert trained - again <= cost <= trained + again + 1e-9
    assert len(searching) >= (one.finalists if trained else 0)


class _Counts(Watcher):
    def __init__(self) -> None:
        self.announced = self.ended = 0

    def begins(self, trials: int) -> None:
        self.announced = trials

    def ends(self, *_: object) -> None:
        self.ended += 1


def test_no_more_trials_end_than_were_announced(tmp_path: Path) -> None:
    """A search is run once, other splits of the data or none."""
    counts = _Counts()
    same: dict[str, Any] = {"cells": ["gru"], "budget": BUDGET, "size": "auto", "resplits": 2}
    run_comparison(sunspots(), tmp_path / "out", seeds=1, watcher=counts, **same)
    assert counts.ended == counts.announced > 0


def test_a_real_search_is_the_same_on_any_number_of_workers(tmp_path: Path) -> None:
    same: dict[str, Any] = {"cells": ["gru"], "seeds": 1, "budget": BUDGET, "size": "auto"}
    one = run_comparison(sunspots(), tmp_path / "one", **same)
    run_comparison(sunspots(), tmp_path / "two", pool=Processes(2), **same)
    assert stored(tmp_path / "one") == stored(tmp_path / "two")
    (gru,) = cells_among(one.contestants)
    assert {trial.status for trial in gru.tuning} == {"finished", "pruned"}
    assert len(gru.tuning) == 9
    assert gru.setting == min(gru.tuning, key=lambda trial: trial.best_loss).setting
    assert gru.structure.dropout == gru.setting.dropout
    left = {path.name for path in (tmp_path / "one" / "trials").rglob("checkpoint*")}
    assert not left  # nobody goes on with what was dropped
    run_comparison(sunspots(), tmp_path / "one", **same)
    assert stored(tmp_path / "one") == stored(tmp_path / "two")

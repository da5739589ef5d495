"""What may be tried on data, and what of it fits into a time."""

import json
import pickle
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comparing import run_comparison

from penstock.comparison import run
from penstock.comparison import timetable as module
from penstock.comparison.request import Request
from penstock.comparison.timetable import Timetable, make_space, make_timetable, timed
from penstock.comparison.trials import pace as trials_pace
from penstock.comparison.trials.design import Design
from penstock.comparison.trials.pace import Pace
from penstock.comparison.trials.schedule import Schedule
from penstock.data import sunspots
from penstock.data.samples import sample
from penstock.data.series import Options
from penstock.errors import ArgumentError
from penstock.record.contestants import cells_among
from penstock.tasks import find_task
from penstock.tasks.task import Task
from penstock.training.loop import Budget


def prepared(name: str, task: str) -> Task:
    kind = find_task(task)
    return kind.prepare(kind.read(sample(name), Options(task=task)))


@pytest.fixture(scope="module")
def spots() -> Task:
    return find_task("forecast").prepare(sunspots())


def timetable(
    one: Design, request: Request, folder: Path, workers: int, busy: float = 1.0
) -> Timetable:
    seconds = None if request.ends is None else request.ends - request.began
    schedule = Schedule(seconds, folder, request.began, len(one.cells), busy)
    return make_timetable(one, request, schedule, workers)


def designed(task: Task, request: Request, budget: Budget | None = None) -> Design:
    budget = budget or Budget()
    space = make_space(task, request, budget)
    return Design(task, request.classes, request.seeds, budget, space, (6, 3))


def test_auto_tries_what_the_data_suffice_for(spots: Task) -> None:
    space = make_space(spots, Request(), Budget())
    assert space.parameters == (4000,)  # of 200 values
    assert (space.layers, space.dropout, space.context) == ((1, 2), (0.0, 0.1, 0.3), (24, 48))
    assert space.learning_rate == (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    assert space.first().learning_rate == 3e-3
    more = make_space(prepared("rhyme", "text"), Request(), Budget())
    assert more.parameters[0] == 4000
    assert len(more.parameters) > 1
    assert more.context == (None,)


def test_a_named_size_leaves_the_rate_alone_to_be_tried(spots: Task) -> None:
    for size, parameters in (("small", 4000), ("medium", 64_000), ("large", 1_000_000)):
        space = make_space(spots, Request(size=size), Budget())
        assert (space.parameters, space.size) == ((parameters,), 5)
    told = Request(parameters=777, layers=3, dropout=0.2, rates=[0.1], context=24)
    space = make_space(spots, told, Budget())
    assert space.size == 1
    assert vars(space.first()) == {
        "learning_rate": 0.1, "parameters": 777, "layers": 3, "dropout": 0.2, "context": 24,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": "huge"}, "one of auto, small, medium, large"),
        ({"parameters": 0}, "parameters is 0"),
        ({"layers": 0}, "layers is 0"),
        ({"dropout": 1.0}, "below 1"),
        ({"dropout": float("nan")}, "below 1"),
        ({"context": -1}, "context is -1"),
        ({"batch_size": 0}, "batch size is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"weight_decay": -1.0}, "0 or more"),
        ({"cells": ["all", "gru"]}, "give it alone"),
    ],
)
def test_what_cannot_be_asked(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        Request(**wrong)


def test_no_forecast_is_read_from_its_end(spots: Task) -> None:
    with pytest.raises(ArgumentError, match="must not see what comes later"):
        make_space(spots, Request(bidirectional=True), Budget())
    assert make_space(prepared("gestures", "classify"), Request(bidirectional=True), Budget())


def test_a_context_is_for_tasks_that_have_one() -> None:
    kind = find_task("classify")
    data = kind.read(sample("gestures"), Options(task="classify"))
    with pytest.raises(ArgumentError, match="for forecasts, text and frames"):
        kind.prepare(data, context=3)
    with pytest.raises(ArgumentError, match="choose a shorter one with --context"):
        find_task("forecast").prepare(sunspots(), context=10_000)
    assert find_task("forecast").prepare(sunspots(), context=30).spec["context"] == 30


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a step take a millisecond at 4,000 parameters, and as much more as there are more."""

    def pace(_: Design, __: str, size: int, ___: float) -> Any:
        return Pace(1e-3 * size / 4000, 0.01)

    monkeypatch.setattr(trials_pace, "measure_pace", pace)


@pytest.mark.usefixtures("paced")
def test_no_time_is_kept_for_a_search_of_nothing(spots: Task, tmp_path: Path) -> None:
    """Where one setting is left, all of the time is for the seeds: five trainings, not seven."""
    fixed = Request(time=60, rates=(0.01,), size="small")
    free = Request(time=60, size="small")
    alone, searched = (
        timetable(designed(spots, request), request, tmp_path / str(k), 1)
        for k, request in enumerate((fixed, free))
    )
    assert (alone.generations, alone.seeds) == ((), 5)
    assert alone.steps > 1.3 * searched.steps


@pytest.mark.usefixtures("paced")
def test_what_fits_into_a_time(spots: Task, tmp_path: Path) -> None:
    before: Timetable | None = None
    for seconds in (20_000, 2000, 200, 60, 30, 20, 15, 8, 4):
        request = Request(time=seconds)
        one = designed(spots, request)
        one = replace(one, space=replace(one.space, parameters=(4000, 16_000, 64_000)))
        made = timetable(one, request, tmp_path / str(seconds), 2)
        if before is not None:
            assert made.steps <= before.steps
            assert max(made.parameters) <= max(before.parameters)
            assert sum(made.generations) <= sum(before.generations)
            assert made.seeds <= before.seeds
        if made.seeds < 5:  # settings go before seeds, and large networks before settings
            assert (made.generations, made.parameters) == ((), (4000,))
        assert bool(made.words) == (made != replace(made, words=()))
        assert timed(one, made).budget.steps == made.steps
        before = made
    assert before is not None
    assert before.steps < 400
    assert any("as time is short" in one for one in before.words)


@pytest.mark.usefixtures("paced")
def test_steps_fill_the_time(spots: Task, tmp_path: Path) -> None:
    """They come in halves, and up to half of the time would go unused."""
    known = []
    for seconds in (100, 110, 120, 130, 140):
        request = Request(time=seconds, steps=10**6, parameters=4000, cells=("gru",))
        one = designed(spots, request, Budget(steps=10**6))
        made = timetable(one, request, tmp_path / str(seconds), 1)
        room = seconds - (0.05 * seconds + 2 + 2.5)
        cost = 1.05 * (made.steps * 1e-3 + made.steps / made.round_steps * 0.01)
        assert 0.9 * room < cost <= 1.01 * room
        known.append(made.steps)
    assert known == sorted({*known})


@pytest.mark.usefixtures("paced")
@pytest.mark.parametrize("seconds", [20, 23, 30, 35])
def test_more_steps_than_usual_fill_the_time_too(
    spots: Task, tmp_path: Path, seconds: float
) -> None:
    request = Request(time=seconds, rates=(0.01,), size="small", cells=("gru",))
    made = timetable(designed(spots, request), request, tmp_path / "one", 1)
    room = seconds - (0.05 * seconds + 2 + min(2.5, 0.1 * seconds))
    cost = 1.05 * 5 * (made.steps * 1e-3 + made.steps / made.round_steps * 0.01)
    assert made.steps > 400
    assert 0.9 * room < cost <= 1.01 * room


@pytest.mark.parametrize(("validation", "rounds"), [(0.1, 20), (1, 20), (5, 14), (8, 8), (100, 8)])
def test_rounds_are_short_where_validation_is_cheap(validation: float, rounds: int) -> None:
    cut = Timetable((), 1, 1400, 175, (4000,))
    paces = {("gru", 4000): Pace(1.0, validation), ("rnn", 4000): Pace(2.0, 0.1)}
    made = module._with_usual_rounds(cut, paces)
    assert made.steps // made.round_steps == rounds
    before, after = (paces["gru", 4000].training(one.steps, one.round_steps) for one in (cut, made))
    assert after <= before


def test_long_trainings_have_as_many_rounds(spots: Task) -> None:
    request = Request(time=10**6)
    whole, paces = Timetable((), 1, 400, 20, (4000,)), {("gru", 4000): Pace(1.0, 1.0)}
    made = module._timetables(whole, paces, grow=True, fixed=True)
    assert [(one.steps, one.round_steps) for one in made][:4] == [
        (6400, 320),
        (3200, 160),
        (1600, 80),
        (800, 40),
    ]
    assert run._budget(replace(request, steps=5000)).round_steps == 100
    assert run._budget(replace(request, steps=300)).round_steps == 20


def test_a_round_takes_as_long_as_its_validation() -> None:
    """Of a few steps between validations that take longer, most of the time would go to these."""
    whole, paces = Timetable((), 1, 400, 20, (4000,)), {("gru", 4000): Pace(1.0, 3.5)}
    made = module._timetables(whole, paces, grow=False, fixed=True)
    rounds = [(one.steps, one.round_steps) for one in made]
    assert rounds == [(400, 20), (200, 20), (100, 12), (50, 6), (25, 4), (12, 4), (6, 4), (3, 3),
                      (1, 1)]  # fmt: skip


@pytest.mark.usefixtures("paced")
def test_on_a_busy_machine_there_is_less_to_do(spots: Task, tmp_path: Path) -> None:
    request = Request(time=45, steps=10**6, parameters=4000, seeds=1, rates=(0.01,))
    one = designed(spots, request, Budget(steps=10**6))
    steps = [timetable(one, request, tmp_path / str(busy), 2, busy).steps for busy in (1, 2, 3)]
    assert steps == sorted(steps, reverse=True)
    assert steps[2] < 0.8 * steps[0]


def test_where_no_time_is_left_nothing_is_measured(
    spots: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials_pace, "measure_pace", lambda *_: pytest.fail("it takes time"))
    request = Request(time=60, began=time.monotonic() - 59)
    made = timetable(designed(spots, request), request, tmp_path, 2)
    assert (made.generations, made.seeds, made.steps, made.parameters) == ((), 1, 1, (4000,))


@pytest.mark.usefixtures("paced")
def test_the_same_command_goes_on_as_it_began(spots: Task, tmp_path: Path) -> None:
    file, request = tmp_path / "timetable.json", Request(time=25)
    first = timetable(designed(spots, request), request, tmp_path, 2)
    later = Request(time=25, began=time.monotonic() - 20)  # less is left, and as much was asked
    assert timetable(designed(spots, later), later, tmp_path, 2) == first
    longer = Request(time=2000)
    assert timetable(designed(spots, longer), longer, tmp_path, 2) != first
    for damaged in ("", "{}", json.dumps({"request": 1, "time": 25, "timetable": {"steps": "x"}})):
        file.write_text(damaged)
        again = timetable(designed(spots, request), request, tmp_path, 2)
        assert again.steps == pytest.approx(first.steps, rel=0.1)  # a little less time is left
        assert (again.generations, again.seeds) == (first.generations, first.seeds)
    whole = Request()
    assert timetable(designed(spots, whole), whole, tmp_path, 2).words == ()


def test_baselines_are_measured_before_the_time_is_shared_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine they take many seconds, which trainings must not have been given."""
    task, made = prepared("sunspots", "forecast"), run.make_timetable
    fitted: list[bool] = []

    def noted(*given: Any) -> Timetable:
        fitted.append(all("measured" in vars(one) for one in vars(task)["baselines"].values()))
        return made(*given)

    monkeypatch.setattr(run, "make_timetable", noted)
    request = Request(time=30, cells=("rnn",), steps=4, seeds=1, size="small", out=tmp_path)
    run.run_comparison(task, request)
    assert fitted == [True]
    assert "baselines" not in vars(pickle.loads(pickle.dumps(task)))


def test_trainings_of_an_hour_in_some_seconds_leave_a_result(tmp_path: Path) -> None:
    began = time.monotonic()
    found = run_comparison(
        sunspots(), tmp_path, cells=["gru", "lstm"], size="medium", time=12,
        budget=Budget(steps=10**6, patience=10**6),
    )  # fmt: skip
    assert time.monotonic() - began < 40  # on a machine with much else to do
    assert any(one.measured for one in cells_among(found.contestants))
    assert any("as time is short" in sentence for sentence in found.cut)


def test_layers_that_read_from_both_ends_and_lie_on_each_other(tmp_path: Path) -> None:
    kind = find_task("classify")
    found = run_comparison(
        kind.read(sample("gestures"), Options(task="classify")), tmp_path, task="classify",
        cells=["gru", "lem"], seeds=1, layers=2, bidirectional=True, dropout=0.1, rates=[0.01],
        budget=Budget(steps=8, round_steps=4), weight_decay=0.01,
    )  # fmt: skip
    for one in cells_among(found.contestants):
        assert (one.structure.layers, one.structure.bidirectional) == (2, True)
        assert 2000 < one.recurrent_parameters < 8000
        assert one.recurrent_parameters < one.parameters
        assert one.model is not None
    assert not found.cut, found.cut

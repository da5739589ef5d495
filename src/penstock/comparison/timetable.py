"""The timetable: what the search may try, and what of all that is asked fits into the time.

Without a time it follows from the request and the data alone, so that it is the same on any
machine. With one, the speed of the cells is measured first, and the timetable is the first of these
that is thought to fit: more steps, where none were asked for; all that is asked; without the
largest networks; fewer settings; fewer seeds; fewer steps. It is kept in a file, so that the same
command goes on as it began.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from penstock.atomic import write_json
from penstock.comparison.request import Request
from penstock.comparison.trials.design import Design
from penstock.comparison.trials.pace import Paces, measure_paces
from penstock.comparison.trials.schedule import Schedule
from penstock.comparison.trials.search import whole_trainings
from penstock.comparison.trials.space import Space
from penstock.errors import ArgumentError, DataError
from penstock.opening import read_json
from penstock.record.checked import conform
from penstock.tasks.task import Task
from penstock.training.loop import Budget

SIZES = {"small": 4_000, "medium": 64_000, "large": 1_000_000}
STEPS = {"small": 400, "medium": 1000, "large": 2000, "auto": 400}
GENERATIONS = 6, 3  # settings of each cell that are tried at a time
FINALISTS = 6  # that a tournament leaves
_TRIED = (4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000)
_LAYERS, _DROPOUT = (1, 2), (0.0, 0.1, 0.3)
_FOR_EACH_STEP = 16  # parameters at most for each step that there is to learn from
_WORK = 3e11  # FLOPs of a training at most, where no time is given
_GROWN = (16, 8, 4, 2)  # times the usual steps
_SLOWER, _CROWDED = 1.05, 1.25  # than was measured: one trial at a time, and several
_MEASURING = 0.08  # of the time at most, for the speed
_FEWEST_ROUNDS, _USUAL_ROUNDS = 8, 20  # of a training whose steps are few; of any other
_VALIDATED = 0.05  # of a training's time at most, for more than the fewest rounds


@dataclass(frozen=True)
class Timetable:
    """What is to be done of all that is asked.

    Attributes:
        generations: settings that the search tries at a time.
        seeds: of each cell that are measured.
        steps, round_steps: of a training at most, and between two validations.
        parameters: the sizes that the search may try.
        measuring: seconds that it takes to measure a cell, where a time is given.
        words: what was left out or added, a sentence each.
    """

    generations: tuple[int, ...]
    seeds: int
    steps: int
    round_steps: int
    parameters: tuple[int, ...]
    measuring: float = 0.0
    words: tuple[str, ...] = ()


def make_space(task: Task, request: Request, budget: Budget) -> Space:
    """Return what the search may try: what is not said, and no size too large for the data.

    Raises:
        ArgumentError: a task cannot have what is asked.
    """
    _check_task(task, request)
    auto = request.size == "auto"
    usual = (task.contexts or (None,))[0]
    contexts = task.contexts if auto and request.context is None else (usual,)
    space = Space(
        request.learning_rates,
        (request.parameters,) if request.parameters else _sizes(task, request, budget),
        (request.layers,) if request.layers else (_LAYERS if auto else (1,)),
        (request.dropout,) if request.dropout is not None else (_DROPOUT if auto else (0.0,)),
        contexts or (None,),
    )
    return replace(space, learning_rate=tuple(sorted(space.learning_rate)), usual=space.first())


def _sizes(task: Task, request: Request, budget: Budget) -> tuple[int, ...]:
    """Return the sizes to try; of "auto" those for which there is enough to learn from.

    And, where no time is given, those that a training of so many steps takes at most `_WORK` FLOPs.
    """
    if request.size != "auto":
        return (SIZES[request.size],)
    most: float = _FOR_EACH_STEP * task.problem.learned_from()
    if request.time is None:
        most = min(most, _WORK / (6 * budget.steps * _positions(task, budget)))
    return tuple(size for size in _TRIED if size <= most) or _TRIED[:1]


def _positions(task: Task, budget: Budget) -> int:
    """Return the steps of all sequences of a batch."""
    count = min(budget.batch_size, task.problem.size("train"))
    first = task.problem.batch("train", torch.arange(count))[0]
    return first.shape[0] * first.shape[1]


def _check_task(task: Task, request: Request) -> None:
    if request.bidirectional and not task.codec.reads_whole:
        raise ArgumentError(
            f"--bidirectional is for tasks that read whole sequences; --task {task.name} must not "
            "see what comes later"
        )


def make_timetable(design: Design, request: Request, schedule: Schedule, workers: int) -> Timetable:
    """Return the timetable for a design and so many trials at a time.

    It is kept in the folder of the trials; one that is there is taken.
    """
    file = schedule.root / "timetable.json"
    whole = Timetable(
        design.space.generations(design.generations), design.seeds, design.budget.steps,
        design.budget.round_steps, design.space.parameters,
    )  # fmt: skip
    asked = json.loads(json.dumps({"cells": [*design.cells], "asked": asdict(whole)}))
    kept = _kept(file, asked, request.time)
    if schedule.seconds is None or kept is not None:
        timetable = kept or whole
    else:
        paces = measure_paces(design, _MEASURING * schedule.left())
        room = schedule.left() - schedule.starting * (workers > 1)
        room *= workers / _CROWDED if workers > 1 else 1 / _SLOWER
        timetable = _first_that_fits(whole, design, request, paces, room)
    write_json(file, {"request": asked, "time": request.time, "timetable": asdict(timetable)})
    return timetable


def _kept(file: Path, asked: dict[str, Any], seconds: float | str | None) -> Timetable | None:
    """Return the timetable in a file, if it is of the same request, and of as much time or of all.

    None where there is none; where time is given for the first time, one that knew none is kept.
    """
    try:
        raw: Any = read_json(file)
        if raw["request"] != asked or raw["time"] not in (None, seconds) or seconds is None:
            return None
        conform(raw["timetable"], Timetable, "the timetable")
    except (DataError, KeyError, TypeError):
        return None  # there is none, or it is damaged
    timetable: Any = {
        k: tuple(v) if isinstance(v, list) else v for k, v in raw["timetable"].items()
    }
    return Timetable(**timetable)


def timed(design: Design, timetable: Timetable) -> Design:
    """Return a design as the timetable has it."""
    budget = replace(design.budget, steps=timetable.steps, round_steps=timetable.round_steps)
    first = design.space.first()
    largest = max(timetable.parameters)
    space = replace(
        design.space,
        parameters=timetable.parameters,
        usual=replace(first, parameters=min(first.parameters, largest)),
    )
    return replace(
        design, budget=budget, seeds=timetable.seeds, generations=timetable.generations, space=space
    )


def _first_that_fits(
    whole: Timetable, design: Design, request: Request, paces: Paces, room: float
) -> Timetable:
    """Return the fullest timetable whose trainings take that many seconds, one after the other."""
    free = request.steps is None
    timetables = list(_timetables(whole, paces, grow=free, fixed=request.parameters is not None))
    before = None
    for timetable in timetables:
        if _cost(timetable, design, paces) <= room:
            break
        before = timetable
    filled = _filled(timetable, before, whole, design, paces, room)
    timetable = _with_usual_rounds(filled, paces)
    last = max(timetable.parameters)
    measuring = max(paces[cell, last].validation for cell in design.cells)
    return replace(timetable, measuring=measuring, words=tuple(_words(whole, timetable)))


def _timetables(whole: Timetable, paces: Paces, *, grow: bool, fixed: bool) -> Iterator[Timetable]:
    """Give timetables, the fullest first; each leaves out more than the one before."""
    timetable = whole
    for times in _GROWN if grow else ():
        yield _with_steps(whole, times * whole.steps, paces)
    yield timetable
    while len(timetable.parameters) > 1 and not fixed:
        timetable = replace(timetable, parameters=timetable.parameters[:-1])
        yield timetable
    for generations in ((6,), (3,), ()):
        if sum(generations) < sum(timetable.generations):
            timetable = replace(timetable, generations=generations)
            yield timetable
    for seeds in (3, 2, 1):
        if seeds < timetable.seeds:
            timetable = replace(timetable, seeds=seeds)
            yield timetable
    while timetable.steps > 1:
        timetable = _with_steps(timetable, max(1, timetable.steps // 2), paces)
        yield timetable


def _filled(
    timetable: Timetable,
    before: Timetable | None,
    whole: Timetable,
    design: Design,
    paces: Paces,
    room: float,
) -> Timetable:
    """Return a timetable with as many steps as fit, where the one before had more and alone more.

    Steps come in halves otherwise, and up to half of the time would go unused.
    """
    cost, steps = _cost(timetable, design, paces), timetable.steps
    alike = before and replace(before, steps=steps, round_steps=timetable.round_steps)
    if before is None or cost > room or alike != timetable:
        return timetable
    more = max(steps, int(0.98 * steps * room / cost))  # as rounds are whole
    usual = replace(timetable, steps=whole.steps, round_steps=whole.round_steps)
    filled = _with_steps(usual, min(more, before.steps), paces)
    return filled if _cost(filled, design, paces) <= room else timetable


def _with_steps(timetable: Timetable, steps: int, paces: Paces) -> Timetable:
    """Return a timetable of so many steps: as many rounds where it has more of them, and shorter
    ones where it has fewer, if there would be less than eight. But a round takes at least as long
    as its validation.
    """
    more = timetable.round_steps * steps // timetable.steps
    fewer = max(steps // _FEWEST_ROUNDS, ceil(_validation_steps(timetable, paces)))
    round_steps = more if steps > timetable.steps else min(timetable.round_steps, fewer, steps)
    return replace(timetable, steps=steps, round_steps=max(1, round_steps))


def _validation_steps(timetable: Timetable, paces: Paces) -> float:
    """Return how many steps take as long as a validation, of networks of the largest size."""
    last = max(timetable.parameters)
    return max(pace.validation / pace.step for (_, size), pace in paces.items() if size == last)


def _with_usual_rounds(timetable: Timetable, paces: Paces) -> Timetable:
    """Return a timetable with rounds shorter than the fewest ask for, where validation is cheap.

    What is done of a round when time is up is lost, and progress is seen at its end alone.
    """
    cheap = int(_VALIDATED * timetable.steps / max(_validation_steps(timetable, paces), 1e-9))
    rounds = min(_USUAL_ROUNDS, cheap)
    if rounds <= timetable.steps // timetable.round_steps:
        return timetable
    steps = max(rounds, int((1 - _VALIDATED) * timetable.steps))
    return replace(timetable, steps=steps, round_steps=max(1, steps // rounds))


def _cost(timetable: Timetable, design: Design, paces: Paces) -> float:
    """Return the seconds of all trainings, one after the other, if none ends early.

    Which cells a tournament leaves is not known: they take as long as cells do on average.
    """
    each = [
        [
            paces[cell, size].training(timetable.steps, timetable.round_steps)
            for size in timetable.parameters
        ]
        for cell in design.cells
    ]
    usual, longest = mean(map(mean, each)), mean(map(max, each))
    tournament, searched = whole_trainings(design, timetable.generations)
    measured = timetable.seeds + design.resplits
    testing = sum(
        max(paces[cell, size].validation for size in timetable.parameters) for cell in design.cells
    )
    trained = tournament * usual + design.finalists * (searched * usual + measured * longest)
    return trained + testing


def _words(whole: Timetable, timetable: Timetable) -> Iterator[str]:
    """Say how a timetable differs from what was asked."""
    if timetable.steps != whole.steps:
        more = timetable.steps > whole.steps
        why = "as there is time for them" if more else "as time is short"
        yield f"Trainings of {timetable.steps:,} steps at most instead of {whole.steps:,}, {why}."
    if timetable.parameters != whole.parameters:
        yield (
            f"Networks of at most {max(timetable.parameters):,} parameters instead of "
            f"{max(whole.parameters):,}, as time is short."
        )
    if timetable.generations != whole.generations:
        yield (
            f"Settings of each cell that are tried: {sum(timetable.generations)} instead of "
            f"{sum(whole.generations)}, as time is short."
        )
    if timetable.seeds != whole.seeds:
        yield f"Seeds of each cell: {timetable.seeds} instead of {whole.seeds}, as time is short."

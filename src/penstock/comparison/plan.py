"""The plan: what the search may try, and what of all that is asked fits into the time.

Without a time the plan follows from the request and the data alone, so that it is the same on any
machine. With one, the speed of the cells is measured first, and the plan is the first of these
that is thought to fit: more steps, where none were asked for; all that is asked; without the
largest networks; fewer settings; fewer seeds; fewer steps. It is kept in a file, so that the same
command goes on with the same plan.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import torch

from penstock.atomic import write_json
from penstock.comparison.request import Request
from penstock.comparison.trials.design import Design
from penstock.comparison.trials.search import RUNGS, in_rungs
from penstock.comparison.trials.space import Space
from penstock.errors import ArgumentError, DataError
from penstock.opening import read_json
from penstock.record.checked import conform
from penstock.tasks.task import Task
from penstock.training.loop import Budget, Training, make_fabric

SIZES = {"small": 4_000, "medium": 64_000, "large": 1_000_000}
STEPS = {"small": 400, "medium": 1000, "large": 2000, "auto": 400}
GENERATIONS = 6, 3  # settings of each cell that are tried at a time
FINALISTS = 6  # that a tournament leaves
_TRIED = (4_000, 16_000, 64_000, 256_000, 1_000_000, 4_000_000)
_LAYERS, _DROPOUT = (1, 2), (0.0, 0.1, 0.3)
_FOR_EACH_STEP = 16  # parameters at most for each step that there is to learn from
_WORK = 3e11  # FLOPs of a training at most, where no time is given
_GROWN = (16, 8, 4, 2)  # times the usual steps
_STARTING, _CROWDED = 6.0, 1.25  # seconds until processes train; how much slower several are
_MEASURING = 0.08  # of the time at most, for the speed
_FEWEST_ROUNDS = 8  # of a training whose steps are few


@dataclass(frozen=True)
class Plan:
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


def make_plan(design: Design, request: Request, file: Path, workers: int) -> Plan:
    """Return the plan for a design, and keep it in the file; one that is kept there is taken."""
    whole = Plan(
        design.generations, design.seeds, design.budget.steps, design.budget.round_steps,
        design.space.parameters,
    )  # fmt: skip
    asked = json.loads(json.dumps({"cells": [*design.cells], "asked": asdict(whole)}))
    kept = _kept(file, asked, request.time)
    if request.ends is None or kept is not None:
        plan = kept or whole
    else:
        seconds = request.ends - time.monotonic()
        paces = _paces(design, _MEASURING * seconds)
        plan = _first_that_fits(whole, design, request, paces, seconds, workers)
    write_json(file, {"request": asked, "time": request.time, "plan": asdict(plan)})
    return plan


def _kept(file: Path, asked: dict[str, Any], seconds: float | str | None) -> Plan | None:
    """Return the plan in a file, if it is one of the same request and of as much time, or of all.

    None where there is none; where time is given for the first time, one that knew none is kept.
    """
    try:
        raw: Any = read_json(file)
        if raw["request"] != asked or raw["time"] not in (None, seconds) or seconds is None:
            return None
        conform(raw["plan"], Plan, "the plan")
    except (DataError, KeyError, TypeError):
        return None  # there is none, or it is damaged
    plan: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in raw["plan"].items()}
    return Plan(**plan)


def planned(design: Design, plan: Plan) -> Design:
    """Return a design as the plan has it."""
    budget = replace(design.budget, steps=plan.steps, round_steps=plan.round_steps)
    first = design.space.first()
    largest = max(plan.parameters)
    space = replace(
        design.space,
        parameters=plan.parameters,
        usual=replace(first, parameters=min(first.parameters, largest)),
    )
    return replace(
        design, budget=budget, seeds=plan.seeds, generations=plan.generations, space=space
    )


@dataclass(frozen=True)
class _Pace:
    """Seconds of a step, and of a validation."""

    step: float
    validation: float

    def training(self, plan: Plan) -> float:
        """Return the seconds of a whole training."""
        return plan.steps * self.step + ceil(plan.steps / plan.round_steps) * self.validation


Paces = Mapping[tuple[str, int], _Pace]  # by cell and size


def _paces(design: Design, seconds: float) -> Paces:
    """Return the pace of each cell at each size, as far as it could be measured in some seconds.

    Each cell is measured at the smallest size, and the first at larger ones while there is time;
    what is missing is thought to grow as that of the first cell did, or else with the size.
    """
    ends, sizes, cells = time.monotonic() + seconds, design.space.parameters, [*design.cells]
    measured: dict[tuple[str, int], _Pace] = {}
    for cell, size in [(cells[0], size) for size in sizes] + [(c, sizes[0]) for c in cells[1:]]:
        if not measured or time.monotonic() < ends:
            measured[cell, size] = _measured(design, cell, size, seconds / 4)
    base = measured[cells[0], sizes[0]]

    def pace(cell: str, size: int) -> _Pace:
        known = measured.get((cell, size))
        if known:
            return known
        small = measured.get((cell, sizes[0]), base)
        large = measured.get((cells[0], size))
        growth = large.step / base.step if large else size / sizes[0]
        return _Pace(small.step * growth, small.validation * growth)

    return {(cell, size): pace(cell, size) for cell in cells for size in sizes}


def _measured(design: Design, cell: str, size: int, limit: float) -> _Pace:
    setting = replace(design.space.first(), parameters=size)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as trials have one
    try:
        network = design.task.network(cell, design.structure(cell, setting))
        training = Training(
            design.task.problem, network, seed=0, budget=design.budget, fabric=make_fabric()
        )
        return _Pace(*training.pace(limit))
    finally:
        torch.set_num_threads(threads)


def _first_that_fits(
    whole: Plan, design: Design, request: Request, paces: Paces, seconds: float, workers: int
) -> Plan:
    cells = [*design.cells]
    free = request.steps is None
    plans = list(_plans(whole, grow=free, fixed=request.parameters is not None))
    ending = 0.05 * seconds + 3 + min(2.5 * len(cells), 0.1 * seconds)
    room = (seconds - ending - _STARTING * (workers > 1)) * workers
    for plan in plans:
        if _cost(plan, design, paces) * _CROWDED <= room:
            break
    last = max(plan.parameters)
    measuring = max(paces[cell, last].validation for cell in cells)
    return replace(plan, measuring=measuring, words=tuple(_words(whole, plan)))


def _plans(whole: Plan, *, grow: bool, fixed: bool) -> Iterator[Plan]:
    """Give plans, the fullest first; each but the first leaves out more than the one before."""
    plan = whole
    for times in _GROWN if grow else ():
        yield _with_steps(whole, times * whole.steps)
    yield plan
    while len(plan.parameters) > 1 and not fixed:
        plan = replace(plan, parameters=plan.parameters[:-1])
        yield plan
    for generations in ((6,), (3,), ()):
        if sum(generations) < sum(plan.generations):
            plan = replace(plan, generations=generations)
            yield plan
    for seeds in (3, 2, 1):
        if seeds < plan.seeds:
            plan = replace(plan, seeds=seeds)
            yield plan
    while plan.steps > 1:
        plan = _with_steps(plan, max(1, plan.steps // 2))
        yield plan


def _with_steps(plan: Plan, steps: int) -> Plan:
    """Return a plan of so many steps, with shorter rounds where there would be few."""
    rounds = max(1, min(plan.round_steps, steps // _FEWEST_ROUNDS))
    return replace(plan, steps=steps, round_steps=rounds)


def _cost(plan: Plan, design: Design, paces: Paces) -> float:
    """Return the seconds of all trainings, one after the other, if none ends early."""
    total = 0.0
    for cell in design.cells:
        sizes = [paces[cell, size].training(plan) for size in plan.parameters]
        total += _searched(plan.generations) * sum(sizes) / len(sizes) + plan.seeds * max(sizes)
    return total


def _searched(generations: tuple[int, ...]) -> float:
    """Return how many whole trainings a search costs."""
    shares = [share - before for before, share in pairwise((0.0, *RUNGS))]
    return sum(
        left * share
        for count in generations
        for left, share in zip(in_rungs(count), shares, strict=True)
    )


def _words(whole: Plan, plan: Plan) -> Iterator[str]:
    """Say how a plan differs from what was asked."""
    if plan.steps != whole.steps:
        more = plan.steps > whole.steps
        why = "as there is time for them" if more else "as time is short"
        yield f"Trainings of {plan.steps:,} steps at most instead of {whole.steps:,}, {why}."
    if plan.parameters != whole.parameters:
        yield (
            f"Networks of at most {max(plan.parameters):,} parameters instead of "
            f"{max(whole.parameters):,}, as time is short."
        )
    if plan.generations != whole.generations:
        yield (
            f"Settings of each cell that are tried: {sum(plan.generations)} instead of "
            f"{sum(whole.generations)}, as time is short."
        )
    if plan.seeds != whole.seeds:
        yield f"Seeds of each cell: {plan.seeds} instead of {whole.seeds}, as time is short."

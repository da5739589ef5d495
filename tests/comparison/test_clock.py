"""Equal wall-clock: a slower cell is measured at what it had reached."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from comparing import QUICK

from penstock.cells import find_cell
from penstock.comparison.judging.clock import round_seconds, same_clock
from penstock.comparison.trials.design import Design
from penstock.comparison.trials.space import Space
from penstock.comparison.trials.trial import Job, attempt
from penstock.data import sunspots
from penstock.record.contestants import Trial
from penstock.tasks.series.forecast import FORECAST
from penstock.training import checkpoint

Pair = tuple[Job, Trial]
BUDGET = replace(QUICK, steps=18)  # four whole rounds and half a one


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Design, Path, dict[str, list[Pair]]]:
    root = tmp_path_factory.mktemp("trials")
    task = FORECAST.prepare(sunspots())
    design = Design(
        task, {n: find_cell(n) for n in ("rnn", "gru")}, 2, BUDGET, Space((1e-2,), (4000,))
    )
    settings = dict.fromkeys(design.cells, design.space.first())
    found: dict[str, list[Pair]] = {cell: [] for cell in design.cells}
    for job in (job for rung in design.testing(settings) for job in rung):
        trial = attempt(task, job, root)
        found[job.cell].append((job, trial))
    return design, root, found


def paced(pairs: list[Pair], seconds: float) -> list[Pair]:
    """Return trials that took so many seconds a round, and a busy moment in one of them."""
    rounds = [9.0, *[seconds] * 4, seconds / 2]
    trials = [replace(t, times={**t.times, "rounds": rounds[: len(t.losses)]}) for _, t in pairs]
    trials[0].times["rounds"][2] *= 5
    return [(job, trial) for (job, _), trial in zip(pairs, trials, strict=True)]


def test_the_pace_is_that_of_the_quickest_whole_round(
    trained: tuple[Design, Path, dict[str, list[Pair]]],
) -> None:
    _, _, found = trained
    assert round_seconds(paced(found["rnn"], 2.0)) == 2.0
    lost = [(job, replace(trial, status="failed", blocks=[])) for job, trial in found["rnn"]]
    assert round_seconds(lost) is None


def test_equal_paces_give_the_same_results(
    trained: tuple[Design, Path, dict[str, list[Pair]]],
) -> None:
    design, root, found = trained
    even = {cell: paced(pairs, 1.0) for cell, pairs in found.items()}
    clock, within = same_clock(design.task, even, root)
    assert clock == 5.0
    for cell, pairs in found.items():
        mean = sum(trial.metrics["MASE"] for _, trial in pairs) / 2
        assert within[cell]["metrics"]["MASE"] == pytest.approx(mean)


def test_a_slower_cell_is_measured_at_the_round_that_it_reached(
    trained: tuple[Design, Path, dict[str, list[Pair]]],
) -> None:
    design, root, found = trained
    uneven = {"rnn": paced(found["rnn"], 1.0), "gru": paced(found["gru"], 2.4)}
    clock, within = same_clock(design.task, uneven, root)
    assert (clock, within["rnn"]["rounds"], within["gru"]["rounds"]) == (5.0, 5, 2)
    scores = []
    for job, trial in found["gru"]:
        reached = [loss for _, loss in trial.losses[:3]]
        best = reached.index(min(reached))  # type: ignore[type-var]
        network = design.task.network(job.cell, job.structure)
        weights, _ = checkpoint.load(job.trail(root) / f"{best}.safetensors")
        network.load_state_dict(weights)
        with torch.inference_mode():
            scores.append(
                design.task.problem.measure(design.task.problem.predict(network)).metrics["MASE"]
            )
    assert within["gru"]["metrics"]["MASE"] == pytest.approx(sum(scores) / 2)
    full = sum(trial.metrics["MASE"] for _, trial in found["gru"]) / 2
    assert within["gru"]["metrics"]["MASE"] != pytest.approx(full)

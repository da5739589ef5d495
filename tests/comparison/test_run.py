import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from comparing import QUICK, RATES, run_comparison, stored, walk
from torch import nn

import penstock
from penstock.cells import cells, find_cell
from penstock.comparison.keeping.files import find_model, load_model
from penstock.comparison.trials import trial as trial_module
from penstock.comparison.trials.budget import (
    count_recurrent,
    flops_per_step,
    structure_of,
)
from penstock.data import read, sunspots
from penstock.errors import ArgumentError, DataError, ModelFileError
from penstock.layers.recurrent import Recurrent
from penstock.record.contestants import cells_among
from penstock.record.reading import load_results
from penstock.record.results import Record
from penstock.record.structure import Setting, Structure
from penstock.tasks.series.classical import CLASSICAL
from penstock.tasks.series.forecast import FORECAST, ForecastProblem
from penstock.tasks.series.naive import NAIVE
from penstock.training.loop import Budget

SAME = {"cells": ["rnn", "gru"], "seeds": 2, "budget": QUICK, "rates": RATES}


def test_the_outputs_and_nothing_half_written(finished: tuple[Record, Path]) -> None:
    _, out = finished
    reports = {"results.json", "results.csv", "report.html", "report.md"}
    assert {p.name for p in out.iterdir()} == reports | {"models", "trials"}
    names = {one.name for one in finished[0].contestants}
    files = {f"{name}{suffix}" for name in names for suffix in (".json", ".safetensors")}
    assert {p.name for p in (out / "models").iterdir()} == files
    assert not list(out.rglob("*.tmp"))
    assert not list(out.rglob("*checkpoint*"))


def test_results_come_back_from_the_file(finished: tuple[Record, Path]) -> None:
    results, out = finished
    loaded = load_results(out / "results.json")
    assert loaded.verdict == results.verdict
    assert [one.name for one in loaded.contestants] == [one.name for one in results.contestants]
    names = [one.name for one in loaded.contestants]
    assert {*names} == {*NAIVE, *CLASSICAL, "rnn", "gru"}
    assert [one.rank for one in loaded.contestants] == [*range(1, len(names) + 1)]


def test_two_runs_differ_in_times_alone(finished: tuple[Record, Path], tmp_path: Path) -> None:
    run_comparison(sunspots(), tmp_path / "b", **SAME)
    assert stored(finished[1]) == stored(tmp_path / "b")


def test_finished_trials_are_not_repeated(
    finished: tuple[Record, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(finished[1], out)

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(trial_module, "Training", forbidden)
    run_comparison(sunspots(), out, **SAME)
    assert stored(out) == stored(finished[1])
    others = run_comparison(sunspots(), out, **{**SAME, "budget": Budget(steps=8)})
    failed = [trial for one in cells_among(others.contestants) for trial in one.trials]
    assert {(trial.status, trial.ended) for trial in failed} == {
        ("failed", "AssertionError: trained again")
    }


@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_beats_the_last_value_on_a_random_walk(tmp_path: Path, seed: int) -> None:
    same = {**SAME, "budget": Budget(steps=60)}
    found = run_comparison(walk(seed), tmp_path, horizon=2, **same)
    assert found.verdict.recommended is None
    assert found.verdict.best in ("last value", "theta", "ridge on the context")
    assert found.verdict.kind in ("nothing beats the baselines", "a baseline is better")


def test_a_cell_wins_where_there_is_something_to_learn(tmp_path: Path) -> None:
    x = [0.1, 0.1, 0.1]
    for _ in range(397):
        x.append(1.76 - x[-2] ** 2 - 0.1 * x[-3])  # Hénon's map of three dimensions
    data = read(pl.DataFrame({"ds": np.arange(400), "x": x}))
    same = {**SAME, "cells": ["rnn"], "seeds": 3, "budget": Budget(steps=100)}
    found = run_comparison(data, tmp_path, horizon=1, **same)
    assert (found.verdict.kind, found.verdict.recommended) == ("winner", "rnn")


def test_a_diverged_trial_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ForecastProblem.loss

    def broken(self: ForecastProblem, network: nn.Module, batch: Any) -> torch.Tensor:
        loss = whole(self, network, batch)
        is_gru = type(network.recurrent.cell).__name__ == "GRU"  # type: ignore[union-attr]
        return loss * float("nan") if is_gru else loss

    monkeypatch.setattr(ForecastProblem, "loss", broken)
    found = run_comparison(sunspots(), tmp_path, **SAME)
    gru = found.contestants[-1]
    assert (gru.name, gru.rank, gru.trials[0].status) == ("gru", None, "diverged")
    for report in ("report.html", "report.md", "results.csv"):
        assert (tmp_path / report).read_text("utf-8").count("diverged") >= len(gru.trials)
    assert load_results(tmp_path / "results.json").contestants[-1].name == "gru"


def test_a_cell_of_ones_own_is_compared(tmp_path: Path) -> None:
    class Leaky(penstock.Cell):
        n = penstock.Gate()

        def step(self, x, h):  # type: ignore[no-untyped-def]
            return 0.5 * h + 0.5 * torch.tanh(self.n(x, h))

    found = run_comparison(sunspots(), tmp_path, **{**SAME, "cells": ["leaky"]})
    assert "leaky" in {one.name for one in found.contestants}


@pytest.mark.parametrize("cell", [name for name in cells() if name != "leaky"])
def test_every_cell_gets_the_same_number_of_parameters(cell: str) -> None:
    task = FORECAST.prepare(sunspots())

    def apart(width: int, asked: int) -> int:
        return abs(count_recurrent(task.network(cell, Structure(width))) - asked)

    for asked in (4000, 64_000):
        width = structure_of(task, cell, Setting(1e-3, asked)).width
        nearest = min(range(max(width - 12, 1), width + 13), key=lambda w: apart(w, asked))
        if apart(width, asked) > 0.05 * asked:
            assert width == nearest
        whole = [w for w in range(8, nearest + 17, 8) if apart(w, asked) <= 0.05 * asked]
        assert not whole or width in whole


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_flops_of_a_step_by_hand(cell: str, gates: int) -> None:
    layer = Recurrent(cell, 3, 7)
    assert flops_per_step(nn.Sequential(layer)) == 2 * gates * 7 * (3 + 7)
    assert flops_per_step(nn.Sequential(Recurrent(cell, 3, 7, batch_first=True))) == 140 * gates


def test_models_are_those_of_the_best_seed_by_validation(finished: tuple[Record, Path]) -> None:
    results, out = finished
    network, about = load_model(out / "models" / "gru.safetensors")
    gru = next(one for one in results.contestants if one.name == "gru")
    best = min(gru.trials, key=lambda one: one.best_loss)
    assert about["seed"] == best.seed
    task = FORECAST.prepare(sunspots())
    assert task.problem.measure(task.problem.predict(network)).metrics == best.metrics


def test_the_model_of_a_folder_is_the_one_to_take(finished: tuple[Record, Path]) -> None:
    results, out = finished
    assert find_model(out).stem == results.verdict.best
    assert find_model(out, of_cell=True).stem == cells_among(results.contestants)[0].name
    with pytest.raises(ModelFileError, match="does not exist"):
        find_model(out / "models" / "lstm.json")
    with pytest.raises(ArgumentError, match="no model"):
        find_model(out / "models" / "lstm.bin")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "penstock.model/9"}, "penstock.model/9"),
        ({"structure": asdict(Structure(3))}, "size mismatch|cannot be used"),
        ({"name": "gruu"}, "did you mean 'gru'"),
        ({"spec": {}}, "cannot be used"),
        ({"task": "forcast"}, "did you mean 'forecast'"),
    ],
)
def test_models_that_do_not_fit_are_named(
    finished: tuple[Record, Path], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    for file in (finished[1] / "models").iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / "gru.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises((ModelFileError, ArgumentError), match=words):
        load_model(path)


@pytest.mark.parametrize("content", [None, "{", '{"schema": "other/1"}', '{"a": 1}'])
def test_results_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(DataError, match=r"results\.json"):
        load_results(tmp_path / "results.json")


def test_threads_are_left_as_they_were(finished: tuple[Record, Path], tmp_path: Path) -> None:
    before = torch.get_num_threads()
    run_comparison(sunspots(), Path(shutil.copytree(finished[1], tmp_path / "out")), **SAME)
    assert torch.get_num_threads() == before


def test_wrong_arguments_make_no_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ArgumentError, match="did you mean"):
        run_comparison(sunspots(), out, cells=["gruu"])
    with pytest.raises(ArgumentError, match="at least 1"):
        run_comparison(sunspots(), out, seeds=0)
    with pytest.raises(ArgumentError, match="horizon"):
        run_comparison(sunspots(), out, horizon=900)
    assert not out.exists()
    assert find_cell("gru")

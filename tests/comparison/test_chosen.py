"""What is made of the best trials: an error or a lack of time costs that alone, and is said."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import QUICK, RATES, run_comparison, stored
from torch import nn

from penstock.comparison import finish
from penstock.comparison import run as module
from penstock.comparison.keeping.chosen import of_each
from penstock.comparison.trials.trial import Job
from penstock.data import sunspots
from penstock.record.checked import parsed
from penstock.record.contestants import Trial
from penstock.record.results import Record
from penstock.record.structure import Setting, Structure
from penstock.training import checkpoint
from penstock.training.loop import Budget

SETTING = Setting(1e-3, 4000)

SAME: dict[str, Any] = {"cells": ["rnn", "gru"], "seeds": 2, "rates": RATES}


@pytest.fixture
def out(finished: tuple[Record, Path], tmp_path: Path) -> Path:
    """A copy of the folder of a comparison, to be made again with the trials that are there."""
    return Path(shutil.copytree(finished[1], tmp_path / "out"))


def trail(out: Path) -> Path:
    """Return where the weights of gru's best trial are."""
    folders = [p.parent for p in out.glob("trials/*/gru-*/trial.json") if "1000000" not in str(p)]
    trials = {p: parsed(Trial, (p / "trial.json").read_bytes()) for p in folders}
    best = min(folders, key=lambda p: trials[p].best_loss)
    return best / "trail" / f"{trials[best].best_round}.safetensors"


def of_others(record: Any) -> Any:
    """Return what gru's model and diagnosis have no part in."""
    for one in record["contestants"]:
        one.pop("health" if one["name"] == "gru" else "", None)
        one.pop("model")
    record["verdict"] = [s for s in record["verdict"]["sentences"] if "step" not in s]
    return {name: value for name, value in record.items() if name != "cut"}


def again(out: Path, finished: tuple[Record, Path], *, cut: int) -> Record:
    """Make the results again: all but gru's diagnosis is as it was, and the report says why."""
    results = run_comparison(sunspots(), out, budget=QUICK, **SAME)
    assert of_others(stored(out)) == of_others(stored(finished[1]))
    health = {one.name: one.health for one in results.contestants if one.kind == "cell"}
    assert health["gru"] == {}
    assert health["rnn"]["steps"]
    assert len(results.cut) == cut
    assert results.cut[-1].startswith("Memory span and gradients of gru: left out because of an")
    for report in ("report.md", "report.html"):
        assert "Memory span and gradients of gru: left out" in (out / report).read_text("utf-8")
    return results


def test_an_error_in_a_diagnosis(
    finished: tuple[Record, Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finish.diagnose

    def look(task: Any, network: nn.Module) -> finish.Health:
        if type(network.recurrent.cell).__name__ == "GRU":  # type: ignore[union-attr]
            raise RuntimeError("no such luck\nat all")
        return whole(task, network)

    monkeypatch.setattr(finish, "diagnose", look)
    results = again(out, finished, cut=1)
    assert "(RuntimeError: no such luck)" in results.cut[0]


def test_a_model_of_nan(finished: tuple[Record, Path], out: Path) -> None:
    path = trail(out)
    weights, about = checkpoint.load(path)
    checkpoint.save(path, {k: torch.full_like(v, torch.nan) for k, v in weights.items()}, about)
    assert "not a number" in again(out, finished, cut=1).cut[0]


def test_a_file_that_is_gone_by_then(
    finished: tuple[Record, Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "discard_damaged", lambda *_: "")
    trail(out).unlink()
    results = again(out, finished, cut=2)
    assert results.cut[0].startswith("The model of gru: left out because of an error (ModelFile")
    assert [one.model for one in results.contestants if one.name == "gru"] == [None]


def test_no_diagnosis_begins_without_time(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        raise AssertionError("looked into")

    monkeypatch.setattr(finish, "diagnose", forbidden)
    found = run_comparison(sunspots(), out, budget=QUICK, time=0.01, **SAME)
    words = [
        f"Memory span and gradients of {c}: left out, as time was short." for c in SAME["cells"]
    ]
    assert found.cut[-2:] == words
    assert "looked into" not in (out / "report.md").read_text("utf-8")
    assert found.verdict.kind != "failed"  # the trials were there


def test_none_begins_that_would_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    job = Job("gru", Structure(3), 0, Budget(), "test", 4000, "")
    chosen = {cell: (job, Trial(0, SETTING, "finished", "")) for cell in "abcd"}

    def slow(*_: Any) -> float:
        now[0] += 4
        return now[0]

    found, left = of_each(chosen, "It", slow, 10.0)
    assert found == {"a": 4.0, "b": 8.0}
    assert left == {cell: f"It of {cell}: left out, as time was short." for cell in "cd"}

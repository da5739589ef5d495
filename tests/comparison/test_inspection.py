"""An inspection of a comparison's model: its numbers are those of the model, and its page draws."""

import json
import math
import re
from dataclasses import replace

import pytest
import torch

from penstock.cli.main import run
from penstock.comparison.inspection import inspect_model
from penstock.comparison.judging.wording import _health_words
from penstock.comparison.report.inspection_page import render, summary
from penstock.data.samples import sample
from penstock.errors import ArgumentError


@pytest.fixture(scope="module")
def inspected(finished):
    return inspect_model(finished[1] / "models" / "gru.json", sample("sunspots"), window=1)


def test_the_numbers_are_those_of_the_model(finished, inspected):
    about = json.loads((finished[1] / "models" / "gru.json").read_text())
    assert inspected.pruned[0].quality == pytest.approx(about["metrics"]["MASE"], rel=1e-6)
    context = about["structure"]["context"]
    assert len(inspected.flow.norms) == len(inspected.effects.effects) == context
    (gates,) = inspected.gates
    assert list(gates) == ["r", "z", "n", "h"]
    assert {tuple(v.shape) for v in gates.values()} == {(context, about["structure"]["width"])}
    before = torch.cat([torch.zeros(1, about["structure"]["width"]), gates["h"][:-1]])
    new = (1 - gates["z"]) * gates["n"] + gates["z"] * before
    torch.testing.assert_close(gates["h"], new)
    assert len(inspected.descent.norms) == 50


def test_the_verdict_tells_memory_and_gradients(finished):
    results, _ = finished
    cells = [one for one in results.contestants if one.kind == "cell"]
    words = " ".join(results.verdict.sentences)
    assert "less than 1 % after (steps): " in words
    for one in cells:
        assert one.health["steps"] == one.structure.context - 1
        assert f"{one.name} {one.health['growth']:.3g}" in words
    healthy = replace(cells[0], health={"span": None, "steps": 23, "growth": None})
    assert _health_words([healthy]) == [
        f"An input counts for less than 1 % after (steps): {healthy.name} over 23."
    ]


def test_the_page_stands_alone(inspected):
    page = render(inspected)
    assert not re.search(r"<(script|img|iframe)[^>]* src|<link|@import", page)
    figures = [json.loads(t) for t in re.findall(r'application/json">(.*?)</script>', page)]
    assert len(figures) == 4 + 4  # curves, and r, z, n, h
    assert sum(f["data"][0]["type"] == "heatmap" for f in figures) == 4
    assert "<title>Penstock: What gru does</title>" in page
    words = dict(summary(inspected))
    assert words["memory span, to 1/e"].endswith(" steps")
    assert math.isfinite(inspected.flow.growth)


def test_what_cannot_be_inspected(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = finished[1] / "models" / "gru.json"
    with pytest.raises(ArgumentError, match="window is 9999"):
        inspect_model(model, sample("sunspots"), window=9999)
    (tmp_path / "other.csv").write_text(
        "YEAR,SUNACTIVITY\n" + "\n".join(f"{1700 + i},{i % 4}" for i in range(70))
    )
    assert run(["inspect", str(model), str(tmp_path / "other.csv")]) == 2
    assert "not the data that this model learned from" in capsys.readouterr().err
    assert run(["inspect", str(model), "--out", str(tmp_path)]) == 2
    assert "--out" in capsys.readouterr().err
    lone = tmp_path / "models" / "gru.json"
    lone.parent.mkdir()
    for suffix in (".json", ".safetensors"):
        lone.with_suffix(suffix).write_bytes(model.with_suffix(suffix).read_bytes())
    assert run(["inspect", str(lone)]) == 2
    assert "name its data" in capsys.readouterr().err

"""`penstock export`: a trained model for other programs, from the command line."""

import numpy as np
import polars as pl
import pytest
import torch

import penstock
from penstock.cli.main import run
from penstock.comparison import compare as command
from penstock.comparison import run as compare_module
from penstock.comparison.trials.workers import Here
from penstock.training.loop import Budget

OWN = """
import torch, penstock

class Exported(penstock.Cell):
    f = penstock.Gate()

    def step(self, x, h):
        return torch.tanh(self.f(x, h))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A folder in which a comparison was made, of a cell of ours and one of a user's own."""
    folder = tmp_path_factory.mktemp("exported")
    values = np.sin(np.arange(300) / 5) + np.arange(300) / 100
    pl.DataFrame({"t": range(300), "y": values}).write_csv(folder / "data.csv")
    (folder / "own.py").write_text(OWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare_module, "_budget", lambda _: Budget(steps=8, round_steps=4))
        patch.setattr(compare_module, "GENERATIONS", (2,))
        patch.setattr(command, "_pool", lambda _workers, _ray: Here())
        cells = ["gru", f"{folder / 'own.py'}:Exported"]
        penstock.compare(
            folder / "data.csv", cells, target="y", time_column="t", horizon=3, size="small",
            seeds=1, rates=[0.02], out=folder / "found",
        )  # fmt: skip
    return folder


def forecast(folder, model):
    """Return what a model predicts beyond the data."""
    frame = penstock.load(folder / "found" / "models" / f"{model}.json").predict(
        folder / "data.csv"
    )
    return frame.select("low", "forecast", "high").to_numpy()


def values(folder):
    return torch.from_numpy(pl.read_csv(folder / "data.csv")["y"].to_numpy().copy())[None]


def test_a_models_file(found, tmp_path, capsys):
    path = tmp_path / "gru.pt2"
    assert run(["export", str(found / "found" / "models" / "gru.json"), str(path)]) == 0
    printed = capsys.readouterr()
    size = f"{path.stat().st_size:,}"
    assert printed.out == f"Written to {path}, {size} bytes: values [N, T] → forecast [N, 3, 3]\n"
    assert printed.err == ""
    program = torch.export.load(path).module()
    np.testing.assert_allclose(program(values(found))[0], forecast(found, "gru"), rtol=1e-6)


def test_of_a_folder_the_best_cell(found, tmp_path, capsys):
    given = ["--cell", f"{found / 'own.py'}:Exported"]
    assert run(["export", str(found / "found"), str(tmp_path / "m.pt2"), *given]) == 0
    printed = capsys.readouterr()
    names = ("gru", "exported")
    chosen = [name for name in names if f"penstock: exported is {name}, " in printed.err]
    assert len(chosen) == 1
    taken = penstock.load(found / "found").name
    assert ("which the verdict says to take" in printed.err) == (taken == chosen[0])
    program = torch.export.load(tmp_path / "m.pt2").module()
    np.testing.assert_allclose(
        program(values(found))[0], forecast(found, chosen[0]), rtol=1e-6, atol=1e-6
    )


def test_options_go_to_the_format(found, tmp_path, capsys):
    file = str(found / "found" / "models" / "gru.json")
    assert run(["export", file, str(tmp_path / "m.pt2"), "--equations"]) == 0
    ops = {str(n.target) for n in torch.export.load(tmp_path / "m.pt2").graph.nodes}
    assert "scan" in ops
    assert not any("penstock" in op for op in ops)
    capsys.readouterr()
    for option, name in (("--states", "states"), ("--int8", "int8"), ("--lengths", "lengths")):
        assert run(["export", file, str(tmp_path / "n.pt2"), option]) == 2
        said = f"penstock: .pt2 has no option '{name}'; its options: equations, package\n"
        assert capsys.readouterr().err == said
    assert not (tmp_path / "n.pt2").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("MODELS/drift.json m.pt2", "'drift' is a baseline, and no recurrent network"),
        ("MODELS/gru.json m.pt3", "no format has the ending of 'm.pt3'; give one such as model."),
        ("MODELS/gru.json m", "no format has the ending of 'm'"),
        ("MODELS/gru.json nowhere/m.pt2", "give the name of a file as PATH"),
        ("MODELS/none.json m.pt2", "none.json"),
        ("data.csv m.pt2", "data.csv is no model"),
        ("MODELS/gru.json", "Missing argument"),
    ],
)
def test_mistakes(words, said, found, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = words.replace("MODELS", str(found / "found" / "models")).split()
    assert run(["export", *given]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert len(printed.err.splitlines()) <= 3
    assert not list(tmp_path.iterdir())

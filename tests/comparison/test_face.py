"""The Python face: any dataframe in and the same kind out; cells of one's own, in any process."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import penstock
from penstock.cells.own import equations_digest, packed, unpack
from penstock.comparison import compare as module
from penstock.comparison.inspection import inspect_model
from penstock.comparison.trials.workers import Here
from penstock.data.understanding.describe import source_of
from penstock.errors import ArgumentError, ModelFileError, UnknownCellError

COLUMNS = {"day": list(range(120)), "sold": [t % 7 + 0.1 * (t % 11) for t in range(120)]}
QUICK: dict[str, Any] = {"seeds": 1, "steps": 8, "rates": [0.01], "horizon": 2, "size": "small"}
MINE = """
import torch, penstock
from torch import tanh

class Leaky(penstock.Cell):
    n = penstock.Gate()
    leak: float = 0.1

    def step(self, x, h):
        return (1 - self.leak) * h + self.leak * tanh(self.n(x, h))
"""


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials in this process: starting others takes seconds."""
    monkeypatch.setattr(module, "_pool", lambda _workers, _ray: Here())


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(MINE)
    return f"{tmp_path / 'mine.py'}:Leaky"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, pa.table])
def test_the_kind_of_dataframe_that_comes_goes_back(make: Any) -> None:
    data = make(COLUMNS)
    results = penstock.compare(data, ["gru"], **QUICK)
    table, model = results.table(), results.model("gru")
    assert type(table) is type(data)
    assert type(model.predict(data)) is type(data)
    assert type(model.predict(COLUMNS)) is type(data)
    names = table["contestant"].to_pylist() if make is pa.table else list(table["contestant"])
    assert names == [one.name for one in results.record.contestants]
    assert results.verdict.sentences[0] in repr(results)
    assert "<strong>" in results._repr_html_()
    assert results.plot().data


@pytest.mark.usefixtures("here")
def test_a_path_gives_polars_and_the_folder_stays(tmp_path: Path) -> None:
    pl.DataFrame(COLUMNS).write_csv(tmp_path / "a.csv")
    out = tmp_path / "out"
    results = penstock.compare(tmp_path / "a.csv", ["gru"], out=out, **QUICK)
    assert isinstance(results.table(), pl.DataFrame)
    wanted = results.model("gru").predict(tmp_path / "a.csv")
    del results
    assert penstock.load(str(out), "gru").predict(str(tmp_path / "a.csv")).equals(wanted)
    with pytest.raises(ModelFileError, match="lstm"):
        penstock.load(out, "lstm")


@pytest.mark.usefixtures("here")
def test_a_folder_of_its_own_goes_with_the_results() -> None:
    results = penstock.compare(COLUMNS, ["gru"], **QUICK)
    folder = results.folder
    assert (folder / "results.json").is_file()
    del results
    assert not folder.exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"rates": [-1.0]}, "'-1'"),
        ({"time": -3}, "time is -3"),
        ({"time": "soon"}, "give a duration"),
        ({"seeds": 0}, "number of seeds"),
        ({"cells": ["gru", "gru"]}, "named twice"),
        ({"cells": []}, "no cell"),
        ({"cells": ["gruu"]}, "gru"),
        ({"cells": ["none.py:Leaky"]}, "none.py does not exist"),
        ({"skip_checks": ["leek"]}, "leak"),
    ],
)
def test_arguments_that_cannot_work(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        penstock.compare(COLUMNS, **{**QUICK, **options})


def test_what_is_wrong_with_a_class_is_said_before_the_data_are_read(mine: str) -> None:
    file = mine.partition(":")[0]
    wrong = {
        "int is no cell": [int],
        "has no cell 'Leeky'": [f"{file}:Leeky"],
        "named twice in leaky,gru,leaky": [mine, "gru", penstock.cells.find_cell(mine)],
    }
    for words, cells in wrong.items():
        with pytest.raises(ArgumentError, match=words):
            penstock.compare("missing.csv", cells)  # type: ignore[arg-type]


def test_a_class_of_a_script_is_trained_in_processes(tmp_path: Path, mine: str) -> None:
    """In a script that does not guard its main part, as a notebook does not."""
    script = MINE.replace("Leaky", "Drowsy") + (
        "data = {'day': list(range(120)), 'sold': [t % 7 + 0.1 * (t % 11) for t in range(120)]}\n"
        f"results = penstock.compare(data, [Drowsy, {mine!r}, 'gru'], seeds=1, steps=8, "
        "rates=[0.01], horizon=2, workers=2, size='small')\n"
        "cells = [one for one in results.record.contestants if one.kind == 'cell']\n"
        "print([(one.name, trial.ended) for one in cells for trial in one.trials])\n"
    )
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ended = dict(eval(done.stdout))
    assert ended == dict.fromkeys(["drowsy", "leaky", "gru"], "steps")


@pytest.mark.usefixtures("here")
def test_a_model_says_which_class_to_import(tmp_path: Path, mine: str) -> None:
    penstock.compare(COLUMNS, [mine], out=tmp_path / "out", **QUICK)
    script = f"import penstock; penstock.load({str(tmp_path / 'out')!r}, 'leaky')"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "'leaky' is the class Leaky of mine.py" in done.stderr
    assert penstock.load(tmp_path / "out", "leaky").name == "leaky"


OWN = """
import sys
from penstock.cli.main import run
model, data, cell = sys.argv[1:]
uses = [["predict", model, data], ["evaluate", model, data], ["inspect", model, data]]
print([run(use) for use in uses], [run([*use, "--cell", cell]) for use in uses])
"""


@pytest.mark.usefixtures("here")
def test_the_command_line_takes_the_cell_of_a_model(tmp_path: Path, mine: str) -> None:
    penstock.compare(COLUMNS, [mine], out=tmp_path / "out", **QUICK)
    pl.DataFrame(COLUMNS).write_csv(tmp_path / "data.csv")
    command = [sys.executable, "-c", OWN, "out/models/leaky.json", "data.csv", mine]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[2, 2, 2] [0, 0, 0]", done.stderr
    assert done.stderr.count("import it first, or give the command --cell mine.py:Leaky") == 3


@pytest.mark.usefixtures("here")
def test_a_model_runs_no_file(tmp_path: Path, mine: str) -> None:
    penstock.compare(COLUMNS, ["gru"], out=tmp_path / "out", **QUICK)
    about = tmp_path / "out" / "models" / "gru.json"
    (tmp_path / "bad.py").write_text("raise SystemExit('it was run')")
    about.write_text(about.read_text().replace('"gru"', f'"{tmp_path}/bad.py:Leaky"'))
    with pytest.raises(ModelFileError, match="must not run"):
        penstock.load(about)


def test_a_file_is_a_cell_wherever_a_cell_is(mine: str) -> None:
    layer = penstock.Recurrent(mine, 3, 4)
    assert layer(torch.zeros(2, 1, 3))[0].shape == (2, 1, 4)
    assert penstock.Recurrent(mine, 3, 4).cell.__class__ is layer.cell.__class__


def test_a_packed_cell_is_defined_anew(mine: str) -> None:
    cell = penstock.cells.find_cell(mine)
    unpack(packed([cell]))
    again = penstock.cells.find_cell("leaky")
    assert again is not cell
    one, other = (penstock.Recurrent(kind, 3, 4) for kind in (cell, again))
    other.load_state_dict(one.state_dict())
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(one(x)[0], other(x)[0])


def test_an_equation_changed_is_another_cell(tmp_path: Path) -> None:
    digests = set()
    for text in (MINE, MINE.replace("tanh(self", "-tanh(self"), MINE.replace("0.1", "0.2")):
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(text, scope)  # no source can be found, as in a notebook
        digests.add(equations_digest(scope["Leaky"]))
        scope = {"__name__": "__main__"}
        exec("\n\n" + text, scope)
        digests.add(equations_digest(scope["Leaky"]))
    assert len(digests) == 3


@pytest.mark.usefixtures("here")
def test_two_classes_of_one_name_are_told(mine: str) -> None:
    cell = penstock.cells.find_cell(mine)
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(MINE, scope)
    with pytest.raises(ArgumentError, match="another cell is named leaky"):
        penstock.compare(COLUMNS, [cell], **QUICK)
    del scope


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(UnknownCellError):
        penstock.compare(COLUMNS, ["nobody"])


@pytest.mark.usefixtures("here")
def test_data_are_understood_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("penstock.data.understanding.understand")
    calls, whole = [], module._understood
    monkeypatch.setattr(module, "_understood", lambda *given: calls.append(given) or whole(*given))
    penstock.compare(COLUMNS, ["gru"], **QUICK)
    assert len(calls) == 1


@pytest.mark.usefixtures("here")
def test_a_notebook_shows_how_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    penstock.compare(COLUMNS, ["gru"], **QUICK)
    assert capsys.readouterr().out == ""
    shell = type("ZMQInteractiveShell", (), {})
    monkeypatch.setattr("builtins.get_ipython", shell, raising=False)
    penstock.compare(COLUMNS, ["gru"], **QUICK)
    shown = capsys.readouterr().out
    assert "\n" not in shown
    lines = [line.rstrip() for line in shown.split("\r")]
    assert lines[1] == "0 of 1 trials; gru, seed 0, round 1 of 1"
    assert lines[-1] == "1 of 1 trials; gru, seed 0 finished"


@pytest.mark.usefixtures("here")
def test_a_naive_method_is_a_model_as_a_cell_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    results = penstock.compare(COLUMNS, ["gru"], out=out, **QUICK)
    assert results.verdict.recommended is None  # eight steps teach nothing
    taken = penstock.load(out)
    assert taken.name == results.verdict.best
    ahead = taken.predict(COLUMNS)
    assert ahead.columns == results.model("gru").predict(COLUMNS).columns
    last = penstock.load(out, "last value").predict(COLUMNS)
    with pytest.warns(UserWarning, match="of all that is given"):
        found = taken.evaluate(COLUMNS)
    assert [*found] == ["MASE", "MAE", "RMSE", "MSE", "sMAPE", "skill", "pinball", "80 % coverage"]
    assert found == taken.measure(source_of(COLUMNS))[0]
    assert last["forecast"].to_list() == pytest.approx([COLUMNS["sold"][-1]] * 2)  # horizon 2
    with pytest.raises(ArgumentError, match="inspect looks into cells"):
        inspect_model(out / "models" / "drift.json", source_of(COLUMNS))


@pytest.mark.usefixtures("here")
def test_a_cell_is_not_named_as_a_naive_method(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE.replace("Leaky", "Drift"))
    with pytest.raises(ArgumentError, match="'drift' is a baseline too"):
        penstock.compare(COLUMNS, [f"{tmp_path}/mine.py:Drift"], **QUICK)

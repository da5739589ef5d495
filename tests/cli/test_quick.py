"""What needs no torch is answered without it: importing torch takes longer than all the rest."""

import json
import subprocess
import sys
from weakref import WeakKeyDictionary

import pytest

import penstock
from penstock.cells import find_cell
from penstock.cli.main import run
from penstock.compiler.runtime import build, made

HEAVY = ("torch", "scipy", "sympy", "torchmetrics")

# Command lines that torch has nothing to do with, and the exit code of each.
LINES = {
    "--help": 0, "--version": 0, "": 0, "nonsense": 2, "compare --nonsense": 2,
    "compare --help": 0, "describe --help": 0, "predict --help": 0, "doctor --help": 0,
    "compare missing.csv": 2, "compare folder/missing.csv": 2, "compare sunspot": 2,
    "compare --cells lstn": 2, "compare --cells missing.py:Mine": 2,
    "compare --seeds 0": 2, "compare --steps 0": 2, "compare --rates fast": 2,
    "compare --workers 0": 2, "compare --horizon 0": 2, "compare --time soon": 2,
    "compare --out taken": 2, "compare empty.csv": 2,
    "compare --task nonsense": 2, "compare --skip-check nonsense": 2, "compare --rates -1": 2,
    "compare --rates nan": 2, "compare --cells ,": 2, "compare --cells gru,gru": 2,
    "compare --cells gru,lstn": 2,
    "compare --cells mine.py": 2, "compare --target nonsense": 2, "compare --id nonsense": 2,
    "compare --split nonsense": 2, "compare --test missing.csv": 2, "compare --known nonsense": 2,
    "compare --test-windows nonsense": 2, "compare --group YEAR": 2,
    "compare gestures --task regress": 2, "compare --task text": 2, "compare --frequency 1x": 2,
    "describe --test-windows nonsense": 2, "describe --test-windows last": 0,
    "describe": 0, "describe missing.csv": 2, "describe --task nonsense": 2,
    "explain lstn": 2, "show lstn": 2, "explain missing.py:Mine": 2, "show gru --stage nonsense": 2,
    "report": 2, "report missing": 2, "report broken": 2,
    "predict missing.json data.csv": 2, "predict missing data.csv": 2, "predict broken data.csv": 2,
    "evaluate --help": 0, "evaluate missing.json data.csv": 2, "evaluate missing data.csv": 2,
    "evaluate broken data.csv": 2, "evaluate model.json missing.csv": 2,
    "predict model.json missing.csv": 2, "forecast model.json missing.csv": 2,
    "predict model.json data.csv --cell gru": 2,
    "evaluate model.json data.csv --cell missing.py:Mine": 2,
    "inspect model.json --cell gru": 2, "inspect missing.json": 2,
    "inspect model.json missing.csv": 2,
    "export --help": 0, "export model.json": 2, "export model.json model.pt3": 2,
    "export missing.json model.pt2": 2, "export missing model.pt2": 2,
    "export broken model.pt2": 2, "export model.json missing/model.pt2": 2,
    "export model.json model.pt2 --cell gru": 2,
}  # fmt: skip

WATCHED = """
import json, sys
from penstock.cli.main import run
codes = {}
for line in json.loads(sys.argv[1]):
    code = run(line.split())
    codes[line] = [code, [name for name in json.loads(sys.argv[2]) if name in sys.modules]]
open(sys.argv[3], "w").write(json.dumps(codes))
"""


def test_what_needs_no_torch_imports_none(tmp_path):
    (tmp_path / "taken").write_text("")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "data.csv").write_text("a\n1\n")
    (tmp_path / "model.json").write_text("{}")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "results.json").write_text('{"schema": ')
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, json.dumps([*LINES]), json.dumps(HEAVY), "codes.json"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "codes.json").read_text())
    assert {line: [code, []] for line, code in LINES.items()} == found
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("line", ["cells", "explain lstm", "explain lstm --latex"])
def test_cells_and_explain_do_without_torchs_compiler(line):
    """torch imports it at the first sum of tensors on the device "meta"; it takes two seconds."""
    code = (
        "import sys; from penstock.cli.main import run; code = run(sys.argv[1:]); "
        "sys.exit(code or 'torch._dynamo' in sys.modules)"
    )
    command = [sys.executable, "-c", code, *line.split()]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """Return how many kernels there are in a new cache; doctor then knows the GRU alone."""
    gru = find_cell("gru")
    monkeypatch.setenv("PENSTOCK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(penstock, "cells", lambda: {"gru": gru})
    monkeypatch.setattr(made, "_MADE", WeakKeyDictionary())
    return lambda: len([*(tmp_path / "cache").glob("*.so")])


def test_doctor_builds_only_when_told(kernels, capsys):
    assert run(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "CPU: c, once its kernel is built;" in said
    assert "penstock doctor --build makes all now" in said
    assert kernels() == 0
    assert run(["doctor", "--build"]) == 0
    assert "CPU: c;" in capsys.readouterr().out
    assert kernels() == 1
    assert run(["doctor"]) == 0
    assert "CPU: c;" in capsys.readouterr().out


def test_doctor_foresees_that_there_is_no_compiler(kernels, capsys, monkeypatch):
    monkeypatch.setattr(build, "compiler", lambda: None)
    assert run(["doctor"]) == 0
    assert "CPU: eager, because there is no C compiler" in capsys.readouterr().out
    assert kernels() == 0

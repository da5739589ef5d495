"""`penstock cells` and `penstock explain`, as typed."""

import json
import re
from pathlib import Path

import pytest
from shipped import CELLS

import penstock
from penstock.cells import Cell, Gate, cells
from penstock.cli.main import run
from penstock.explain.about import about

MINE = """
import torch
from penstock import Cell, Gate

class MyCell(Cell):
    '''My own (Me 2026).'''
    f = Gate()

    def step(self, x, h):
        new = torch.sigmoid(self.f(x, h))
        return new * h
"""


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_explained_in_80_columns(name, capsys):
    assert run(["explain", name]) == 0
    printed = capsys.readouterr().out
    assert all(len(line) <= 80 for line in printed.splitlines())
    for part in ("Equations", "Recurrence", "Parameters", "FLOPs", "Bytes", " = ", "forward"):
        assert part in printed


def test_the_figures_follow_the_sizes(capsys):
    sizes = ["--input-size", "3", "--hidden-size", "5", "--batch", "7"]
    assert run(["explain", "rnn", *sizes]) == 0
    printed = capsys.readouterr().out
    layer = penstock.Recurrent("rnn", 3, 5)
    assert re.search(rf"all .* {sum(p.numel() for p in layer.parameters())}\n", printed)
    assert re.search(r"forward +2H² \+ 2H·I \+ 3H +95\n", printed)  # 2·25 + 2·15 + 3·5
    assert "I = 3, H = 5, B = 7" in printed


def test_latex(capsys):
    assert run(["explain", "gru", "--latex"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == r"\begin{aligned}"
    assert lines[-2] == r"h_t &= \left(1 - z_t\right) \odot n_t + z_t \odot h_{t-1}"
    assert all(line.endswith(r"\\") for line in lines[1:-2])


def test_cells_as_json(capsys):
    assert run(["cells", "--json", "--input-size", "3", "--hidden-size", "5"]) == 0
    found = {cell["name"]: cell for cell in json.loads(capsys.readouterr().out)}
    assert list(found) == list(cells())
    for name in CELLS:
        layer = penstock.Recurrent(CELLS[name], 3, 5)
        assert found[name]["parameters"] == sum(p.numel() for p in layer.parameters())
        assert found[name]["states"] == list(layer.cell.states)
    assert (found["lstm"]["gates"], found["gru"]["gates"]) == (4, 3)
    assert found["lstm"]["recurrence"] == "1 product"


@pytest.mark.parametrize("command", ["explain", "show"])
def test_a_cell_in_a_file(command, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    assert run([command, f"{file}:MyCell"]) == 0
    assert ("h = new ⊙ h₋" if command == "explain" else "sigmoid(%") in capsys.readouterr().out


def cases():
    return {
        "missing": (None, "MyCell", "does not exist"),
        "other": (MINE, "Mine", "has no cell 'Mine': known: MyCell."),
        "syntax": ("class :", "MyCell", "line 1: SyntaxError"),
        "raises": ("x = 1\ny = x / 0\n", "MyCell", "line 2: ZeroDivisionError"),
        "bad cell": (MINE.replace("x, h))", "x))"), "MyCell", "gate f was called with 1"),
    }


@pytest.mark.parametrize("case", cases())
def test_what_is_wrong_with_a_file(case, tmp_path, capsys):
    text, name, message = cases()[case]
    file = Path(tmp_path, "mine.py")
    if text is not None:
        file.write_text(text)
    assert run(["explain", f"{file}:{name}"]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) <= 3


def test_a_cell_that_the_compiler_has_no_op_for(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(MINE.replace("torch.sigmoid", "torch.sinc"))
    assert run(["explain", f"{file}:MyCell"]) == 0
    printed = capsys.readouterr().out
    assert "new = sinc(W x + U h₋ + b)" in printed
    assert re.search(r"Nothing is counted, because .* no op for torch's sinc", printed)
    assert run(["cells"]) == 0
    assert re.search(r"my_cell .*unknown", capsys.readouterr().out)


def test_an_unknown_cell(capsys):
    assert run(["explain", "lstn"]) == 2
    assert "did you mean 'lstm'" in capsys.readouterr().err


def test_what_a_docstring_says():
    class Told(Cell):
        """Long title, with commas (van Xy and Z 1997, Journal 9(8)).

        Equations:
            h = W x

        A remark on ``"lstm"``
        over two lines.

        Shapes: none.
        """

        w = Gate()

        def step(self, x, h):
            return self.w(x, h)

    said = about(Told)
    assert (said.title, said.year) == ("Long title, with commas", 1997)
    assert said.paper == "van Xy and Z 1997, Journal 9(8)"
    assert said.first_author == "van Xy"
    assert said.remarks == ('A remark on `"lstm"` over two lines.',)
    Told.__doc__ = """A title.

    Reference: Elman (1990), Finding structure in time."""
    said = about(Told)
    assert (said.title, said.year, said.first_author) == ("A title", 1990, "Elman")
    Told.__doc__ = None
    said = about(Told)
    assert (said.title, said.paper, said.year, said.first_author) == ("Told", "", None, "")

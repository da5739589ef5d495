"""A disk that fills up costs reports, not results; a user's own files are not written over."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from comparing import QUICK, run_comparison

from penstock.cli.main import run
from penstock.data import sunspots
from penstock.record.reading import load_results
from penstock.record.results import Record

SCRIPT = """
import resource, sys
from penstock.comparison import compare as command
from penstock.cli.main import run
from penstock.comparison import run as module
from penstock.comparison.trials.workers import Here
from penstock.training.loop import Budget
module._budget = lambda _: Budget(steps=4, round_steps=4)
command._pool = lambda *_: Here()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)  # as of a disk with no more room
sys.exit(run(["compare", *sys.argv[2:]]))
"""


def on_a_small_disk(size: int, out: Path) -> tuple[int, list[str]]:
    options = [
        "--cells",
        "rnn",
        "--seeds",
        "1",
        "--rates",
        "1e-2",
        "--size",
        "small",
        "--out",
        str(out),
    ]
    command = [sys.executable, "-c", SCRIPT, str(size), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.splitlines()


def test_reports_that_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    code, said = on_a_small_disk(2**20, out)
    assert code == 1
    assert said[0].startswith("Task forecast: ")
    assert said[-1].startswith(f"penstock: {out / 'report.html'}: File too large; make room")
    assert load_results(out / "results.json").contestants
    assert not (out / "report.html").exists()
    assert not list(out.rglob("*.tmp"))
    assert run(["report", str(out)]) == 0
    assert (out / "report.html").stat().st_size > 2**20


def test_nothing_fits(tmp_path: Path) -> None:
    code, said = on_a_small_disk(2**11, tmp_path / "out")
    assert code == 1
    assert "File too large; make room" in said[-1]
    assert not list((tmp_path / "out").rglob("*.tmp"))


OWN = ["results.json", "report.html", "report.md", "results.csv", "models/mine.pt", "trials/1.txt"]


@pytest.mark.parametrize("name", OWN)
def test_a_users_own_file_is_not_written_over(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    assert run(["compare", "--out", "."]) == 2
    said = capsys.readouterr().err
    assert path.parts[0] in said
    assert "is not of penstock compare" in said
    assert len(said.splitlines()) == 1
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / name]
    assert path.read_text() == "mine"


def test_the_data_themselves_are_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("results.csv").write_text("a,b\n1,2\n")
    assert run(["compare", "results.csv", "--out", "."]) == 2
    assert Path("results.csv").read_text() == "a,b\n1,2\n"


def test_a_folder_of_other_things_is_shared(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("mine")
    (tmp_path / "models").mkdir()  # empty
    same: dict[str, Any] = {"cells": ["rnn"], "seeds": 1, "rates": (1e-2,)}
    for _ in range(2):  # the second time it is ours
        run_comparison(sunspots(), tmp_path, budget=QUICK, **same)
    assert (tmp_path / "data.csv").read_text() == "mine"


def test_a_comparison_whose_trials_are_gone_says_what_to_do(
    finished: tuple[Record, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(shutil.copytree(finished[1], tmp_path / "out"))
    shutil.rmtree(out / "trials")
    assert run(["compare", "--out", str(out)]) == 2
    said = capsys.readouterr().err
    mark = Path("trials", "of-penstock.txt")
    assert f"is not of penstock compare, or {out / mark} is gone" in said
    assert "move it away, or choose another folder with --out" in said


@pytest.mark.parametrize("name", ["n" * 300, f"{'n' * 200}/" * 30 + "n"])
def test_names_that_are_too_long(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    commands = (
        ["compare", "--out", name], ["compare", f"{name}.csv"], ["report", name],
        ["predict", name, "sunspots"], ["predict", f"{name}.json", "sunspots"],
        ["inspect", name], ["inspect", f"{name}.json", "sunspots"], ["explain", f"{name}.py:A"],
        ["show", f"{name}.py:A"], ["inspect", "x.json", "--out", name],
        ["predict", "x.json", "x.csv", "--out", name], ["predict", "x.json", f"{name}.csv"],
        ["compare", "--cells", f"{name}.py:A"], ["explain", name], ["compare", name],
    )  # fmt: skip
    for command in commands:
        assert run(command) == 2, command
        assert len(capsys.readouterr().err.splitlines()) == 1, command


@pytest.mark.parametrize("command", ["predict", "inspect"])
def test_out_is_no_input_and_no_device(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, link = tmp_path / "data.csv", tmp_path / "link.csv"
    data.write_text("mine")
    link.symlink_to(data)
    os.mkfifo(tmp_path / "pipe")
    for out in (data, link, tmp_path / "pipe", Path("/dev/null"), tmp_path, tmp_path / "a" / "b"):
        assert run([command, "gru.json", str(data), "--out", str(out)]) == 2
        said = capsys.readouterr().err
        assert "--out" in said
        assert len(said.splitlines()) == 1
    assert data.read_text() == "mine"

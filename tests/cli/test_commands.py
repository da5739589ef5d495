import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from inspect import signature
from pathlib import Path

import polars as pl
import pytest

import penstock
from penstock.cells import cells
from penstock.cli.comparing._reading import ReadingOptions
from penstock.cli.main import run, subcommands
from penstock.comparison import compare as command
from penstock.comparison import run as compare_module
from penstock.comparison.report import table
from penstock.comparison.trials.workers import Here
from penstock.data import samples
from penstock.record.reading import load_results
from penstock.tasks import tasks
from penstock.training.loop import Budget

SUNSPOTS = str(Path(samples.__file__).with_name("sunspots.csv"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps, in this process: starting others takes seconds."""
    monkeypatch.setattr(compare_module, "_budget", lambda _: Budget(steps=8, round_steps=4))
    monkeypatch.setattr(compare_module, "GENERATIONS", (2,))
    monkeypatch.setattr(command, "_pool", lambda _workers, _ray: Here())


@pytest.mark.usefixtures("quick")
def test_compare_then_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(["compare", "--cells", "rnn,gru", "--seeds", "2", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert all(len(line) <= 80 for line in printed.out.splitlines() if str(out) not in line)
    for word in ("MASE", "MAE", "±", "rnn", "seasonal naive", "drift", "last value", "season 11"):
        assert word in printed.out
    assert re.search(r"(Winner|No clear winner|Nothing beats|The baseline)", printed.out)
    written = {"results.json", "results.csv", "report.html", "report.md", "models"}
    assert written <= {p.name for p in out.iterdir()}
    before = (out / "report.html").read_text()
    (out / "report.html").unlink()
    assert run(["report", str(out)]) == 0
    assert "report.html" in capsys.readouterr().out
    assert len((out / "report.html").read_text()) == len(before)

    assert run(["forecast", str(out), SUNSPOTS]) == 0
    to_screen = capsys.readouterr().out
    assert to_screen.splitlines()[0] == "unique_id,step,ds,forecast,low,high"
    file = tmp_path / "ahead.csv"
    assert run(["forecast", str(out), SUNSPOTS, "--out", str(file)]) == 0
    assert file.read_text() == to_screen
    assert pl.read_csv(file)["ds"].to_list() == list(range(2009, 2021))


PREDICTED = {
    "forecast": ["unique_id", "step", "ds", "forecast", "low", "high"],
    "classify": ["id", "predicted", "p_left turn", "p_right turn", "p_to and fro"],
    "regress": ["id", "predicted"],
    "tag": ["id", "step", "predicted", "probability"],
    "text": ["step", "character", "probability"],
    "frames": ["id", *(f"p_{k}" for k in range(12))],
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", sorted(samples.samples()))
def test_every_sample_from_file_to_prediction(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert run(["compare", name, "--cells", "rnn", "--seeds", "1", "--out", out]) == 0
    said = re.match(r"Task (\w+): ", capsys.readouterr().err)
    assert said
    results = load_results(tmp_path / "out" / "results.json")
    baselines = [one.name for one in results.contestants if one.kind != "cell"]
    assert results.task == said[1]
    assert len(baselines) >= 2
    assert all(name in (tmp_path / "out" / "report.html").read_text("utf-8") for name in baselines)
    assert run(["predict", out, name]) == 0
    assert capsys.readouterr().out.splitlines()[0].split(",") == PREDICTED[said[1]]
    assert run(["evaluate", out, name]) == 0
    printed = capsys.readouterr()
    found = penstock.load(out).measure(samples.sample(name))[0]
    lines = [re.split(r" {2,}", line) for line in printed.out.splitlines()]
    assert lines == [[metric, table.number(value)] for metric, value in found.items()]
    assert {*found} == {*results.contestants[0].metrics}
    assert "which the verdict says to take" in printed.err
    page = str(tmp_path / "inspect.html")
    assert run(["inspect", out, "--out", page]) == 0
    printed = capsys.readouterr().out
    assert "memory span, to 1/e" in printed
    assert all(len(line) <= 80 for line in printed.splitlines() if page not in line)
    for other in {*samples.samples()} - {name}:  # a model is told what it did not learn from
        for words in ("predict", "evaluate"):
            assert run([words, out, other]) == 2
            printed = capsys.readouterr()
            assert (printed.out, len(printed.err.splitlines())) == ("", 1), other
        assert run(["inspect", out, other, "--out", page]) == 2
        assert len(capsys.readouterr().err.splitlines()) <= 3


@pytest.mark.usefixtures("quick")
def test_compare_of_a_file_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{i},{i % 7},{'' if i == 50 else i * i % 11},3" for i in range(120)]
    (tmp_path / "data.csv").write_text("\n".join(["t,a,b,flat", *rows]))
    options = ["--time-column", "t", "--cells", "rnn", "--seeds", "1"]
    assert run(["compare", str(tmp_path / "data.csv"), *options, "--out", str(tmp_path / "o")]) == 0
    printed = capsys.readouterr().out
    assert "1 of 3 series left out, constant: flat" in printed
    assert "1 missing values carried forward" in printed
    assert "one seed" in printed


def test_forecast_of_too_short_data_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quick: None
) -> None:
    assert run(["compare", "--cells", "rnn", "--seeds", "1", "--out", str(tmp_path / "o")]) == 0
    (tmp_path / "short.csv").write_text("YEAR,SUNACTIVITY\n1700,5\n1701,11\n")
    capsys.readouterr()
    assert run(["forecast", str(tmp_path / "o"), str(tmp_path / "short.csv")]) == 2
    assert "last 48 values" in capsys.readouterr().err


def test_cells_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cells"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in listed)
    table = listed[2 : listed.index("")]  # below the heads
    assert [line.split()[0] for line in table if line.split(" ")[0]] == list(cells())


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "compare" in capsys.readouterr().out
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"{penstock.__version__}\n"


def test_every_command_is_shown_on_a_page() -> None:
    """The examples of the pages are run, so that a command that stands there is tried too."""
    root = Path(__file__).parents[2]
    pages = "".join(p.read_text("utf-8") for p in (root / "README.md", *root.glob("docs/*.md")))
    assert {"cells", "compare", "predict"} < {*subcommands()}
    assert not [name for name in subcommands() if f"penstock {name}" not in pages]


def test_every_task_is_shown_on_a_page() -> None:
    page = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    assert not [name for name in tasks() if f"`{name}`" not in page]


def test_describe_and_compare_ask_for_data_in_the_same_words() -> None:
    """Their signatures are written out, for those who read them; so here they are held equal."""
    described = signature(penstock.describe).parameters
    compared = signature(penstock.compare).parameters
    shared = [*described]
    assert [name for name in compared if name in described] == shared
    assert all(described[name].default == compared[name].default for name in shared)
    assert [one.name for one in fields(ReadingOptions)] == shared[1:]  # behind the data


def test_help_does_not_wait_for_torch() -> None:
    script = (
        "import sys; from penstock.cli.main import run, subcommands; run(['compare', '--help']); "
        "assert not {'torch', 'polars', 'plotly'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_an_interrupt_exits_130_and_leaves_what_is_done(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from penstock.cli.main import main; main()"
    )
    command = [sys.executable, "-c", script, "compare", "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    while not list(out.rglob("checkpoint.safetensors")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate()
    assert process.returncode == 130
    assert printed.startswith("Task forecast: ")
    assert printed.endswith("\npenstock: interrupted; the same command goes on from here\n")
    assert not (out / "results.json").exists()
    assert not list(out.rglob("*.tmp"))

"""--time: how durations are written, and that they count from the start of the process."""

import ast
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock.cli.main import run
from penstock.cli.started import process_start
from penstock.comparison import run as run_module
from penstock.comparison.duration import seconds
from penstock.comparison.trials.schedule import Schedule
from penstock.errors import ArgumentError

WRITTEN = {
    "90": 90, "45s": 45, "10m": 600, "90m": 5400, "1h30m": 5400, "1h30": 5400, "1.5h": 5400,
    "2 h": 7200, "1H 30": 5400, "1h30m20": 5420, "10m30": 630, "1h30s": 3630, "5 min": 300,
}  # fmt: skip
NONE = [
    "", "0", "0s", "-5m", "1h-5m", "nan", "inf", "1e3", "1h1h", "1m1h", "10s5", "1 2", "1:30",
    "1,5h", "h", "1d", "9" * 400,
]  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_durations(text: str) -> None:
    assert seconds(text) == WRITTEN[text]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ArgumentError, match="give a duration such as"):
        seconds(text)


def test_a_process_knows_when_it_began() -> None:
    script = (
        "import time; time.sleep(1.2); from penstock.cli.started import process_start; "
        "print(time.monotonic() - process_start())"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert 1.2 <= float(done.stdout) <= time.monotonic() - started + 0.02  # a tick is 10 ms


@pytest.mark.parametrize("stat", ["", "1 (a) b) S", "7 (x) S" + " 0" * 40])
def test_where_the_system_does_not_say(stat: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: stat)
    assert 0 <= time.monotonic() - process_start() < 1e6
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    assert process_start() <= time.monotonic()


def test_start_and_reading_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    def stop(seconds: float, *_: Any) -> None:
        told.append(seconds)
        raise ArgumentError("enough")

    monkeypatch.setattr(run_module, "Schedule", stop)
    began = time.monotonic() - 100
    assert run(["compare", "--time", "10m", "--out", str(tmp_path / "o")], began) == 2
    assert 480 < told[0] <= 500


def test_a_wall_clock_that_is_set_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    schedule = Schedule(60.0, tmp_path, cells=3)
    monkeypatch.setattr(time, "time", lambda: 1e12)
    assert list(schedule.testing([[], []])) == []


def test_only_the_age_of_files_is_by_the_wall_clock() -> None:
    """It may be set while we wait; how old a file is, no other clock tells."""
    source = Path(penstock.__file__).parent
    uses = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in ("time.time", "datetime.now"))
        or (isinstance(node, ast.ImportFrom) and node.module == "time"
            and any(alias.name == "time" for alias in node.names))
    }  # fmt: skip
    assert uses == {"compiler/runtime/cache.py"}


def test_where_the_clocks_do_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that was moved: a start a year ago is none."""
    monkeypatch.setattr(time, "clock_gettime", lambda _: 1e9)
    assert time.monotonic() - process_start() < 3600

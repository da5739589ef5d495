"""The calibration goes on where it was cut off, and its intervals are Wilson's."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import calibration  # noqa: E402


def test_wilsons_interval():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, and 0 of 20
    assert calibration.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert calibration.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_a_run_that_was_cut_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trained: list[int] = []

    def one_number(number: int):
        trained.append(number)
        return [{"row": "a", "happened": number == 1}]

    monkeypatch.setattr(calibration, "one_number", one_number)
    path = tmp_path / "kept.jsonl"
    assert calibration.trainings(2, path) == {"a": [1, 2]}
    path.write_text(path.read_text() + json.dumps({"number": 2, "happened": []})[:9])  # cut off
    assert calibration.trainings(3, path) == {"a": [1, 3]}
    assert trained == [0, 1, 2]


def test_made_tables_are_judged():
    counts = calibration.tables(4, cells=(2,), seeds=(1, 3))
    assert all(tally[1] for tally in counts.values())
    assert counts["made tables, S=1, 2 cells: a winner"][0] == 0

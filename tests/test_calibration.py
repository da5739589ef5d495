"""The calibration goes on where it was cut off, and its page is that of the results kept."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import calibration  # noqa: E402
from calibrating import judging, page, shares, tables, trained  # noqa: E402


def test_wilsons_interval():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, and 0 of 20
    assert shares.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert shares.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_a_run_that_was_cut_goes_on(tmp_path: Path):
    trained: list[tuple[str, int]] = []

    def one(name: str, number: int):
        trained.append((name, number))
        return shares.Tally({(name, 3, 2, "a winner"): [number == 1, 1]})

    path, kinds = tmp_path / "kept.jsonl", ["a", "b"]
    first = calibration.trainings(2, path, kinds, one)
    assert first.counts == {(name, 3, 2, "a winner"): [1, 2] for name in kinds}
    path.write_text(path.read_text()[:-9])  # the last line, of b and 1, is cut off
    again = calibration.trainings(3, path, kinds, one)
    assert again.counts == {(name, 3, 2, "a winner"): [1, 3] for name in kinds}
    assert trained == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert calibration.trainings(3, path, kinds, one).counts == again.counts


def test_made_tables_are_judged():
    counts = tables.equals(4, ["even"], 2, 1).counts
    assert counts["even", 1, 2, judging.WINNER] == [0, 4]
    counts = tables.power(4, 2, 10).counts
    assert counts["better by 8 seed SD", 10, 2, "found"][0] > 2


def test_trained_twins_are_judged(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trained, "NETWORKS", 6)
    monkeypatch.setattr(trained, "GROUPS", ((1, 2), (3, 2)))
    counts = trained.one("classify: random labels", 0).counts
    rows = {(seeds, cells, claim) for _, seeds, cells, claim in counts}
    assert (3, 2, judging.WINNER) in rows
    assert (3, 2, judging.USEFUL) in rows
    assert (3, 1, judging.HELD) in rows
    assert (3, 1, judging.OTHER_SEEDS) in rows


def test_the_page_is_that_of_the_results():
    latest = max((ROOT / "benchmarks" / "results").glob("calibration-*.json"))
    results = json.loads(latest.read_text("utf-8"))
    assert (ROOT / "docs" / "calibration.md").read_text("utf-8") == page.page(results, latest.name)


def test_what_is_kept_is_as_rare_as_it_says():
    """What a verdict claims falsely of made tables and trained twins, from three seeds on."""
    latest = max((ROOT / "benchmarks" / "results").glob("calibration-*.json"))
    results = json.loads(latest.read_text("utf-8"))
    false = (judging.WINNER, judging.USEFUL, judging.APART)
    for row in (*results["tables"], *results["trained"]):
        if row["seeds"] >= 3 and row["claim"] in false:
            assert row["count"] <= 0.05 * row["of"], row

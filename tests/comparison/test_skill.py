"""Many data sets together: win rates and skill, by hand and by their own definitions."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import gmean

from penstock.cli.main import run
from penstock.comparison.judging.skill import skills
from penstock.errors import ArgumentError
from penstock.record.results import Record


def scored(record: Record, scores: dict[str, float]) -> Record:
    """Return a comparison whose contestants have these scores, and no others."""
    kept = [
        replace(one, metrics={**one.metrics, record.metrics[0]: scores[one.name]})
        for one in record.contestants
        if one.name in scores
    ]
    return replace(record, contestants=kept)


def test_wins_and_skill_by_hand(finished: tuple[Record, Path]) -> None:
    first = scored(finished[0], {"gru": 1.0, "rnn": 2.0, "seasonal naive": 4.0})
    second = scored(finished[0], {"gru": 3.0, "rnn": 3.0, "seasonal naive": 1.5, "drift": 9.0})
    found = skills({"a": first, "b": second})
    assert (found.score, found.beside, found.left_out) == ("MASE", "seasonal naive", ["drift"])
    wins = {one.name: one.wins for one in found.contestants}
    assert wins == {"gru": (1 + 0.25) / 2, "rnn": (0.5 + 0.25) / 2, "seasonal naive": 0.5}
    skill = {one.name: one.skill for one in found.contestants}
    assert skill["gru"] == pytest.approx(1 - (1 / 4 * 2) ** 0.5)
    assert skill["rnn"] == pytest.approx(1 - (2 / 4 * 2) ** 0.5, abs=1e-12)
    assert skill["seasonal naive"] == 0.0
    assert found.contestants[0].name == "gru"
    assert found.contestants[0].skill_interval is None  # of two data sets nobody can tell


def test_intervals_are_of_other_data_sets(finished: tuple[Record, Path]) -> None:
    draw = np.random.default_rng(0)
    table = draw.lognormal(0, 0.5, (12, 2))
    records = {
        str(k): scored(finished[0], {"gru": a, "seasonal naive": b})
        for k, (a, b) in enumerate(table.tolist())
    }
    found = {one.name: one for one in skills(records).contestants}["gru"]
    ratios = table[:, 0] / table[:, 1]
    again = 1 - gmean(draw.choice(ratios, (20_000, 12)), axis=1)
    assert found.skill == pytest.approx(1 - gmean(ratios))
    assert found.skill_interval == pytest.approx(np.quantile(again, [0.025, 0.975]), abs=0.02)
    low, high = found.wins_interval or (2, -1)
    assert 0 <= low < found.wins == (ratios < 1).mean() < high <= 1


def test_no_data_set_decides_alone_and_zero_is_no_better_than_zero(
    finished: tuple[Record, Path],
) -> None:
    solved = scored(finished[0], {"gru": 0.0, "seasonal naive": 1.0})
    same = scored(finished[0], {"gru": 0.0, "seasonal naive": 0.0})
    found = {one.name: one for one in skills({"a": solved, "b": same}).contestants}
    assert found["gru"].skill == pytest.approx(1 - 0.01**0.5)
    assert found["gru"].wins == 0.75


def test_other_tasks_are_not_put_together(finished: tuple[Record, Path]) -> None:
    other = replace(finished[0], metrics=["error"])
    with pytest.raises(ArgumentError, match="a compares by MASE, and b by error"):
        skills({"a": finished[0], "b": other})
    gone = scored(finished[0], {"gru": 1.0})
    with pytest.raises(ArgumentError, match="no baseline in common"):
        skills({"a": finished[0], "b": gone})


def test_the_command(
    finished: tuple[Record, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / name for name in "abcde"]
    for folder in folders:
        folder.mkdir()
        shutil.copy(finished[1] / "results.json", folder)
    assert run(["report", *map(str, folders)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "5 data sets, by MASE" in said
    assert "seasonal naive" in said
    assert "0.00 (0.00 to 0.00)" in said
    assert sorted(tmp_path.rglob("report*")) == []
    (folders[1] / "results.json").unlink()
    assert run(["report", *map(str, folders)]) == 2
    assert str(folders[1]) in capsys.readouterr().err


def test_tasks_whose_scores_have_one_name_are_not_put_together(
    finished: tuple[Record, Path],
) -> None:
    other = replace(finished[0], task="tag")
    with pytest.raises(ArgumentError, match="a is of the task forecast, and b of tag"):
        skills({"a": finished[0], "b": other})


def test_beside_an_error_of_zero(finished: tuple[Record, Path]) -> None:
    one = scored(finished[0], {"gru": 1e3, "seasonal naive": 0.0})
    found = {of.name: of for of in skills({"a": one, "b": one}).contestants}
    assert found["gru"].skill == pytest.approx(1 - 100)


def test_a_comparison_counts_once(
    finished: tuple[Record, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for again in (finished[1], finished[1] / "models" / ".."):
        assert run(["report", str(finished[1]), str(again)]) == 2
        assert "a folder is given twice" in capsys.readouterr().err

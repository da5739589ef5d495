"""Other splits of the same data, for claims about new data."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from comparing import QUICK, run_comparison, stored, walk
from scipy.stats import t as student

from penstock.comparison import resplits
from penstock.comparison.judging.resplitting import judge_resplits
from penstock.comparison.judging.statistics import over_resplits
from penstock.comparison.report import table
from penstock.comparison.request import Request
from penstock.data import Options, Source
from penstock.data.forecasting.stretches import stretch
from penstock.data.reading import read_source
from penstock.data.splits import divide
from penstock.errors import ArgumentError
from penstock.record.reading import load_results
from penstock.tasks import find_task


def sums(count: int = 80, **columns: Any) -> Source:
    """Sequences whose class is the sign of their sum."""
    x = np.random.default_rng(0).standard_normal((count, 6))
    frame = pl.DataFrame(
        {
            "id": np.repeat(np.arange(count), 6).astype(str),
            "step": np.tile(np.arange(6), count),
            "x": x.ravel(),
            "label": np.repeat(np.where(x.sum(axis=1) > 0, "up", "down"), 6),
        }
    )
    return Source("sums", table=frame.with_columns(**columns))


def signs(count: int) -> Source:
    """Sequences each of whose steps is labelled by its sign."""
    label = pl.when(pl.col("x") > 0).then(pl.lit("up")).otherwise(pl.lit("down"))
    return sums(count, label=label)


def read(source: Source, **options: Any) -> Any:
    return find_task("classify").read(source, Options(target=("label",), **options))


def test_the_variance_by_hand() -> None:
    d, ratio = np.array([0.1, 0.3, -0.1, 0.2, 0.4]), 1 / 3
    found = over_resplits(d, ratio)
    error = ((1 / 5 + ratio) * d.var(ddof=1)) ** 0.5
    assert found.p == pytest.approx(2 * student.sf(d.mean() / error, 4))
    half = student.ppf(0.975, 4) * error
    assert found.interval == pytest.approx((d.mean() - half, d.mean() + half))
    assert over_resplits(np.full(4, 0.1), ratio).interval is None


def test_a_split_is_the_same_each_time() -> None:
    task = find_task("classify").prepare(read(sums()))
    first, again = (task.resplit(1).problem.members("test") for _ in range(2))
    assert first == again
    assert len(first) == len(task.problem.members("test"))


@pytest.mark.parametrize("grouped", [False, True])
def test_parts_that_were_told_keep_their_sizes(grouped: bool) -> None:
    told = np.repeat(["train", "validation", "test"], [24, 6, 10])
    strata = np.arange(40) % 2
    groups = np.repeat(np.arange(20), 2) if grouped else None
    first, again = (divide(strata, told, groups, number) for number in (0, 1))
    assert {part: len(of) for part, of in again.items()} == {
        "train": 24,
        "validation": 6,
        "test": 10,
    }
    assert set(first["test"]) == set(range(30, 40)) != set(again["test"])
    if groups is None:
        assert np.bincount(strata[again["test"]]).tolist() == [5, 5]
    else:
        assert not set(groups[again["test"]]) & set(groups[again["train"]])


@pytest.mark.parametrize(
    ("task", "words"),
    [("text", "--task text has one text"), ("tag", "--resplits: 4 sequences .* give 10 or more")],
)
def test_what_is_not_drawn_has_none(task: str, words: str, tmp_path: Path) -> None:
    few = signs(4) if task == "tag" else Source("text", text=b"to be or not to be " * 60)
    data = find_task(task).read(few, Options(target=("label",) if task == "tag" else ()))
    with pytest.raises(ArgumentError, match=words):
        run_comparison(data, tmp_path, task=task, resplits=2)
    assert not [*tmp_path.iterdir()]


def test_series_are_cut_to_stretches_of_half_their_time() -> None:
    whole = walk(0)
    task = find_task("forecast").prepare(whole, 3)
    again = task.resplit(1)
    assert again.settings["horizon"] == 3
    assert again.settings["context"] == task.settings["context"]
    for one, half in zip(whole.series, again.data.series, strict=True):
        assert len(half) == pytest.approx(len(one) / 2, abs=1)
        start = one.times.to_list().index(half.times[0])
        np.testing.assert_array_equal(half.values, one.values[start : start + len(half)])
    assert len({task.resplit(number).data.series[0].times[0] for number in range(1, 9)}) > 4
    assert resplits._ratio(again) == pytest.approx(0.25 / 0.75, rel=0.1)


def test_stretches_share_less_of_their_tests_than_the_variance_allows_for() -> None:
    starts = np.random.default_rng(0).random((100_000, 2)) / 2
    shared = np.clip(1 - np.abs(starts[:, 0] - starts[:, 1]) / 0.125, 0, None).mean()
    assert shared == pytest.approx(0.229, abs=0.005)  # 0.25 of parts that are drawn by chance
    assert shared / (1 - shared) < 0.25 / 0.75


def test_missing_values_at_the_ends_of_a_stretch_are_cut_off() -> None:
    y = np.random.default_rng(0).standard_normal(200).cumsum()
    gaps = pl.Series("y", [v if k % 3 == 0 else None for k, v in enumerate(y)])
    frame = pl.DataFrame({"ds": np.arange(200), "y": gaps})
    data = find_task("forecast").read(Source("gaps", table=frame), Options())
    for number in range(1, 9):
        (half,) = stretch(data, number).series
        assert half.observed[0]
        assert half.observed[-1]


def test_series_whose_parts_were_told_are_not_cut() -> None:
    part = np.repeat(["train", "validation", "test"], [60, 20, 20])
    frame = pl.DataFrame({"ds": np.arange(100), "y": np.arange(100.0) % 7, "part": part})
    data = find_task("forecast").read(Source("told", table=frame), Options(split="part"))
    with pytest.raises(ArgumentError, match="--resplits: the parts of told were told"):
        find_task("forecast").prepare(data, 1).resplit(1)


@pytest.mark.parametrize("number", [-1, 1])
def test_one_split_tells_nothing(number: int) -> None:
    with pytest.raises(ArgumentError, match=f"resplits is {number}; it must be 0, or 2"):
        Request(resplits=number)


def test_twins_and_others_are_judged() -> None:
    rng = np.random.default_rng(0)
    scores = [{"a": x, "b": x + 1 + 0.1 * y, "mean": 5.0} for x, y in rng.random((10, 2))]
    scores[3].pop("mean")  # what lacks a split is left out
    found = judge_resplits(scores, 1 / 3)
    assert [*found.scores] == ["a", "b"]
    (down, up) = found.comparisons
    assert (down.first, down.second, up.first) == ("a", "b", "b")
    assert (
        down.difference
        == -up.difference
        == pytest.approx(-np.mean([s["b"] - s["a"] for s in scores]))
    )
    assert (down.p or 1) < 0.001


def frames() -> Source:
    """Sequences of frames in which a one moves on by a column."""
    rng = np.random.default_rng(0)
    rolls = {}
    for number in range(12):
        at = (rng.integers(4) + np.arange(20)) % 4
        rolls[str(number)] = (np.eye(4)[at] > rng.random((20, 4)) / 5).astype(float)
    return read_source(rolls)


DATA: dict[str, Callable[[], Any]] = {
    "forecast": lambda: walk(0),
    "classify": lambda: read(sums()),
    "regress": lambda: find_task("regress").read(
        sums(label=pl.col("x").sum().over("id")), Options(target=("label",))
    ),
    "tag": lambda: find_task("tag").read(signs(40), Options(target=("label",))),
    "frames": lambda: find_task("frames").read(frames(), Options()),
}


@pytest.mark.parametrize("name", DATA)
def test_each_split_tests_on_others(name: str) -> None:
    task = find_task(name).prepare(DATA[name]())
    splits = [task, *(task.resplit(number) for number in (1, 2))]
    assert len({frozenset(one.problem.members("test")) for one in splits}) == 3
    assert len({one.data.fingerprint() for one in splits}) == 3
    for one in splits[1:]:
        assert not {*one.problem.members("test")} & {*one.problem.members("train")}
        assert one.spec.keys() == task.spec.keys()


@pytest.mark.parametrize("task", DATA)
def test_from_end_to_end(task: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"cells": ["rnn", "gru"], "seeds": 2, "rates": (1e-2,), "resplits": 3}
    budget = replace(QUICK, steps=40, round_steps=10)
    found = run_comparison(DATA[task](), tmp_path, task=task, budget=budget, **asked)
    assert found.resplits is not None
    assert {"rnn", "gru"} < {*found.resplits.scores}
    assert {len(of) for of in found.resplits.scores.values()} == {3}
    assert found.resplits.ratio == pytest.approx(0.25 / 0.75, rel=0.15)
    words = found.verdict.sentences[-1]
    assert words.startswith("On 3 new splits of this data")
    assert load_results(tmp_path / "results.json").resplits == found.resplits
    assert "On 3 new splits of this data" in (tmp_path / "report.md").read_text("utf-8")
    assert "On 3 new splits of this data" in (tmp_path / "report.html").read_text("utf-8")
    rows = {name: shown for name, *shown in table.splits(found)}
    scores = found.resplits.scores["gru"]
    assert rows["gru"] == [f"{v:.4g}" for v in (np.mean(scores), min(scores), max(scores))]
    assert "## On new splits" in (tmp_path / "report.md").read_text("utf-8")
    assert "<h2>On new splits" in (tmp_path / "report.html").read_text("utf-8")
    made = stored(tmp_path)
    again = run_comparison(DATA[task](), tmp_path, task=task, budget=budget, **asked)
    assert again.resplits == found.resplits
    assert stored(tmp_path) == made


def test_a_training_on_another_split_is_not_repeated(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"cells": ["rnn"], "seeds": 1, "rates": (1e-2,), "task": "classify"}
    budget = replace(QUICK, steps=20, round_steps=10)

    def trained(splits: int) -> dict[Path, int]:
        run_comparison(read(sums()), tmp_path, budget=budget, resplits=splits, **asked)
        made = (tmp_path / "trials").glob("*/*")
        return {path: path.stat().st_mtime_ns for path in made}

    first = trained(2)
    again = trained(3)
    assert {path: again[path] for path in first} == first
    assert len({path.parent for path in again} - {path.parent for path in first}) == 1

"""Other splits of the same data, for claims about new data."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from comparing import QUICK, run_comparison, stored, walk
from scipy.stats import t as student

from penstock.comparison.judging.resplitting import judge_resplits
from penstock.comparison.judging.statistics import over_resplits
from penstock.comparison.request import Request
from penstock.data import Options, Source
from penstock.data.splits import divide
from penstock.errors import ArgumentError
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


def test_a_split_is_the_same_each_time_and_others_are_not() -> None:
    task = find_task("classify").prepare(read(sums()))
    members = [task.problem.members("test")]
    members += [task.resplit(number).problem.members("test") for number in (1, 2, 1)]
    assert set(members[1]) == set(members[3])
    assert len({frozenset(one) for one in members}) == 3
    assert {len(one) for one in members} == {len(members[0])}
    prints = {task.data.fingerprint(), task.resplit(1).data.fingerprint()}
    assert len(prints) == 2  # no trial of one is taken for one of the other


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
    [("forecast", "splits its data in time"), ("tag", "never drawn: give 10 or more")],
)
def test_what_is_split_in_time_has_none(task: str, words: str, tmp_path: Path) -> None:
    if task == "forecast":
        data: Any = walk(0)
    else:
        few = sums(4, label=pl.when(pl.col("x") > 0).then(pl.lit("up")).otherwise(pl.lit("down")))
        data = find_task("tag").read(few, Options(target=("label",), task="tag"))
    with pytest.raises(ArgumentError, match=words):
        run_comparison(data, tmp_path, task=task, resplits=2)
    assert not [*tmp_path.iterdir()]


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


def test_from_end_to_end(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"cells": ["rnn", "gru"], "seeds": 2, "rates": (1e-2,), "resplits": 3}
    budget = replace(QUICK, steps=40, round_steps=10)
    found = run_comparison(read(sums()), tmp_path, task="classify", budget=budget, **asked)
    assert found.resplits is not None
    assert {"rnn", "gru", "most frequent class"} <= {*found.resplits.scores}
    assert {len(of) for of in found.resplits.scores.values()} == {3}
    assert found.resplits.ratio == pytest.approx(0.25 / 0.75, rel=0.05)
    assert "On 3 other splits of the data" in found.verdict.sentences[-1]
    made = stored(tmp_path)
    again = run_comparison(read(sums()), tmp_path, task="classify", budget=budget, **asked)
    assert again.resplits == found.resplits
    assert stored(tmp_path) == made

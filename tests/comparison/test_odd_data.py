"""Checks of data that look odd: groups that nobody named, times without a step."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from penstock.comparison.judging.checks import find_checks
from penstock.comparison.judging.checks.base import Case
from penstock.comparison.judging.checks.running import run_checks
from penstock.data import Options, Source
from penstock.errors import DataError
from penstock.tasks import find_task


def fired(name: str, table: pl.DataFrame, check: str, **options: Any) -> tuple[str, list[str]]:
    task = find_task(name)
    prepared = task.prepare(task.read(Source("data.csv", table), Options(**options)))
    case = Case(prepared, [], [], [], 20)
    every = {one.code for one in run_checks(case, ["P001", "P002", "P003", "P007", "P009", "P010",
                                                   "P011"])}  # fmt: skip
    (code,) = find_checks([check])
    assert code in every
    found = next(f for f in run_checks(case, every - {code}) if f.code == code)
    return found.status, found.messages


def sequences(*, per_step: bool = False) -> pl.DataFrame:
    draw = np.random.default_rng(0)
    ids = np.repeat(np.arange(60), 5)
    label = draw.integers(0, 2, 300 if per_step else 60)
    return pl.DataFrame({
        "id": [f"s{k}" for k in ids], "speaker": [f"p{k % 6}" for k in ids],
        "x": draw.normal(size=300), "label": [f"c{k}" for k in (label if per_step else label[ids])],
    })  # fmt: skip


@pytest.mark.parametrize("name", ["classify", "tag"])
def test_a_group_that_nobody_named(name: str) -> None:
    table = sequences(per_step=name == "tag")
    status, messages = fired(name, table, "ungrouped")
    assert status == "fired"
    assert "'speaker'" in messages[0]
    for told in ({"group": "speaker"}, {"static": ("speaker",)}):
        assert fired(name, table, "ungrouped", **told)[0] == "silent"
    assert fired(name, table.drop("speaker"), "ungrouped")[0] == "silent"


def test_times_without_a_step() -> None:
    draw = np.random.default_rng(0)
    gaps = draw.exponential(3600 * 5, 200).cumsum().astype(np.int64) + 1_600_000_000
    table = pl.DataFrame({"date": pl.from_epoch(pl.Series(gaps)), "y": draw.normal(size=200)})
    assert fired("forecast", table, "irregular-times")[0] == "fired"
    assert fired("forecast", table, "irregular-times", frequency="1d")[0] == "silent"
    daily = pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2020, 7, 18), "1d", eager=True)
    assert fired("forecast", table.with_columns(date=daily), "irregular-times")[0] == "silent"
    assert fired("forecast", table.drop("date"), "irregular-times")[0] == "not applicable"


def test_values_that_networks_cannot_hold_are_named() -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=200)
    values[-1] = 1e60
    task = find_task("forecast")
    table = pl.DataFrame({"ds": range(200), "y": values})
    with pytest.raises(DataError, match=r"series 'y', 199: 1e\+60 is so far"):
        task.prepare(task.read(Source("data.csv", table), Options()))
    rows = sequences()
    label = find_task("classify")
    test = set(label.prepare(label.read(Source("a", rows), Options())).problem.members("test"))
    one = sorted(test)[0]
    far = pl.when(pl.col("id") == one).then(1e60).otherwise(pl.col("x"))
    row = rows["id"].to_list().index(one) + 1
    where = rf"column 'x', row {row} \(sequence '{one}', step 1\): 1e\+60"
    with pytest.raises(DataError, match=where):
        label.prepare(label.read(Source("a", rows.with_columns(x=far)), Options()))


def test_columns_beside_that_networks_cannot_hold_are_named() -> None:
    draw = np.random.default_rng(0)
    beside = draw.normal(size=200)
    beside[-2] = -1e60
    table = pl.DataFrame({"ds": range(200), "y": draw.normal(size=200), "price": beside})
    task = find_task("forecast")
    for role in ("known", "past"):
        told: dict[str, Any] = {role: ("price",), "target": ("y",)}
        with pytest.raises(DataError, match=r"column 'price', series 'y', 198: -1e\+60"):
            task.prepare(task.read(Source("data.csv", table), Options(**told)))

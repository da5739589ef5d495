"""The time since the row before as a column: made, kept in models, used by predict and evaluate."""

import random
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import penstock
from penstock.data.files import Source
from penstock.data.forecasting.readers import read_series
from penstock.data.labelled.sequences import Layout, read_sequences
from penstock.data.series import Options
from penstock.errors import ArgumentError, DataError
from penstock.record.structure import Structure
from penstock.tasks import find_task

START = datetime(2024, 1, 1)


def irregular(ids: str = "ab", rows: int = 90) -> pl.DataFrame:
    """Return rows whose gaps are drawn, and whose values are the hours gone by."""
    draw, found = random.Random(3), []
    for one in ids:
        time = START
        for _ in range(rows):
            found.append({"id": one, "when": time, "y": (time - START).total_seconds() / 3600 % 29})
            time += timedelta(minutes=draw.choice([1, 7, 50, 400, 1001]))
    return pl.DataFrame(found)


def gaps(frame: pl.DataFrame, time: str, key: str = "id") -> list[float]:
    """Return the seconds since the row before, one row after the other: the oracle."""
    last: dict[Any, datetime] = {}
    found = []
    for row in frame.sort(key, time).iter_rows(named=True):
        before = last.get(row[key], row[time])
        found.append((row[time] - before).total_seconds())
        last[row[key]] = row[time]
    return found


def test_the_column_is_the_time_since_the_row_before() -> None:
    frame = irregular()
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=1)
    found = penstock.describe(shuffled, target="y", elapsed=True)
    assert (found.roles["elapsed"], found.kinds["elapsed"]) == ("known", "number")
    assert found.table is not None
    assert found.table.columns["elapsed"].to_list() == gaps(frame, "when")
    assert "elapsed is the time since the row before, in seconds" in found.conversions
    assert "elapsed" not in penstock.describe(shuffled, target="y").roles


def test_rows_that_are_put_in_are_not_before() -> None:
    days = [START + timedelta(days=d) for d in range(40) if d not in (5, 6, 20)]
    found = penstock.describe(pl.DataFrame({"ds": days, "y": range(37)}), elapsed=True)
    assert (found.frequency, found.inserted) == ("1d", 3)
    assert found.table is not None
    wanted = [0] + [1] * 39
    wanted[6], wanted[7], wanted[21] = 2, 3, 2
    assert (found.table.columns["elapsed"] / 86400).to_list() == wanted


def test_numbers_are_times_too_and_regular_ones_are_said() -> None:
    rows = {"t": [3, 4, 5, 6] * 5, "id": [*"aaaabbbbccccddddeeee"], "y": [n * n for n in range(20)]}
    found = penstock.describe(rows, target="y", elapsed=True)
    assert found.table is not None
    assert found.table.columns["elapsed"].to_list() == [0, 1, 1, 1] * 5
    assert "elapsed is the same in every row, as the times are regular" in found.notes


def test_without_times_it_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"--elapsed takes a column of times.*--time-column"):
        penstock.describe({"y": [1.0, 2.5, 2.0, 4.5] * 9}, elapsed=True)
    with pytest.raises(ArgumentError, match="cannot use --elapsed"):
        penstock.describe("rhyme", elapsed=True)


def test_a_forecast_is_for_the_times_given() -> None:
    frame, later = irregular(), pl.DataFrame({"id": ["a", "a", "b", "b"], "y": [None] * 4})
    options = Options(("y",), task="forecast", elapsed=True)
    kind = find_task("forecast")
    data = read_series(Source("x", frame), options)
    assert data.series[1].known[:, 0].tolist() == gaps(frame.filter(pl.col("id") == "b"), "when")
    task = kind.prepare(data, 2)
    assert not task.problem.evidence().irregular
    assert task.spec["columns"]["elapsed"] == "elapsed"
    assert task.spec["columns"]["known"] == ["elapsed"]
    torch.manual_seed(0)
    network = task.network("gru", Structure(8))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))

    def ahead(minutes: int) -> pl.DataFrame:
        last = frame.group_by("id", maintain_order=True).agg(pl.col("when").max())["when"]
        when = [t + timedelta(minutes=minutes * k) for t in last for k in (1, 2)]
        more = pl.concat([frame, later.with_columns(when=pl.Series(when), y=pl.lit(None, float))
                          .select(frame.columns)])  # fmt: skip
        return task.codec.apply(network, task.spec, Source("x", more))[0]

    one, other = ahead(30), ahead(600)
    assert (one["ds"][1] - one["ds"][0], other["ds"][1] - other["ds"][0]) == (
        timedelta(minutes=30), timedelta(minutes=600))  # fmt: skip
    assert np.abs(one["forecast"] - other["forecast"]).min() > 1e-4
    with pytest.raises(DataError, match="the model needs 2, with when filled in and the value em"):
        task.codec.apply(network, task.spec, Source("x", frame))
    metrics, _ = task.codec.evaluate(network, task.spec, Source("x", frame))
    assert metrics["MAE"] > 0
    task.codec.check_spec(task.spec)
    task.spec["columns"]["elapsed"] = "when"
    with pytest.raises(DataError, match="elapsed is none of the columns known"):
        task.codec.check_spec(task.spec)


def test_sequences_of_events_need_no_other_input() -> None:
    """The time between events alone tells the class, as it would of a heart."""
    draw, rows = random.Random(0), []
    for k in range(40):
        time = START
        for _ in range(12):
            rows.append({"id": f"s{k}", "when": time, "label": "ab"[k % 2]})
            time += timedelta(seconds=draw.choice([1, 2] if k % 2 else [5, 9]))
    frame = pl.DataFrame(rows)
    with pytest.raises(ArgumentError, match="no column of inputs is left"):
        penstock.describe(frame)
    kind = find_task("classify")
    options = Options(task="classify", elapsed=True)
    data = read_sequences(Source("x", frame), options)
    assert data.layout.numbers == ("elapsed",)
    wanted = np.array(gaps(frame, "when"))
    assert sorted(data.numbers[:, 0]) == sorted(wanted)
    task = kind.prepare(data)
    linear = task.baselines["logistic on summaries"]
    assert task.problem.measure(task.problem.predict(linear.method)).metrics["error rate"] == 0
    again = read_sequences(
        Source("x", frame.drop("label")), Layout.of_record(task.spec["layout"]).options()
    )
    assert np.array_equal(again.numbers, data.numbers)
    metrics, _ = task.codec.evaluate(linear.method, task.spec, Source("x", frame))
    assert metrics["error rate"] == 0
    task.codec.check_spec(task.spec)
    task.spec["layout"]["elapsed"] = "id"
    with pytest.raises(DataError, match="elapsed is none of the numbers"):
        task.codec.check_spec(task.spec)

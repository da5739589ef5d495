"""Ids that nobody named, labels that look like series, and tables without rows."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import penstock
from penstock.errors import DataError

STEPS, SENTENCES = 6, 40


def words(name: str, **more: Any) -> pl.DataFrame:
    n = STEPS * SENTENCES
    return pl.DataFrame({
        name: [k // STEPS for k in range(n)],
        "word": [f"w{k * 7 % 11}" for k in range(n)],
        "tag": ["N" if k * 7 % 11 % 3 else "V" for k in range(n)],
        **more,
    })  # fmt: skip


@pytest.mark.parametrize("name", ["sentence", "Sentence #", "turn", "doc_id"])
def test_blocks_of_rows_are_sequences(name: str) -> None:
    understood = penstock.describe(words(name))
    assert (understood.task, understood.series) == ("tag", SENTENCES)
    assert understood.roles == {name: "id", "word": "input", "tag": "label"}


def test_of_several_blocks_the_finest() -> None:
    chapter = {"chapter": [k // (8 * STEPS) for k in range(STEPS * SENTENCES)]}
    understood = penstock.describe(words("turn", **chapter))
    assert (understood.series, understood.roles["turn"]) == (SENTENCES, "id")
    assert any("'turn' has one value for each block" in note for note in understood.notes)


def test_what_comes_back_is_an_input() -> None:
    again = words("turn").with_columns(pl.col("turn") % 20)
    assert penstock.describe(again).roles["turn"] == "input"


def test_rows_with_times_tell_no_blocks() -> None:
    """Or their order would change what is understood."""
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 8, 27), eager=True)[:240]
    timed = words("turn", date=days)
    understood = penstock.describe(timed)
    shuffled = penstock.describe(timed.sample(fraction=1, shuffle=True, seed=3))
    assert understood.roles == shuffled.roles
    assert understood.roles["turn"] != "id"


@pytest.mark.parametrize("timed", [False, True])
def test_y_that_stays_the_same_in_each_sequence_is_a_label(timed: bool) -> None:
    n = 90 * STEPS
    data = pl.DataFrame({
        "id": [k // STEPS for k in range(n)],
        "x": [k * 37 % 101 / 7 for k in range(n)],
        "y": [k // STEPS * 0.37 for k in range(n)],
    })  # fmt: skip
    if timed:
        data = data.with_columns(step=pl.Series([k % STEPS for k in range(n)]))
    understood = penstock.describe(data)
    assert (understood.task, understood.roles["y"], understood.roles["x"]) == (
        "regress", "label", "input"
    )  # fmt: skip
    moving = data.with_columns(pl.col("y") + pl.col("x"))
    assert penstock.describe(moving).task == "forecast"


@pytest.mark.parametrize("task", [None, "frames", "forecast", "classify", "tag"])
def test_a_table_without_rows(task: str | None, tmp_path: Path) -> None:
    empty = pl.DataFrame({"a": [], "b": []}, schema={"a": pl.String, "b": pl.Float64})
    empty.write_parquet(tmp_path / "empty.parquet")
    for data in (empty, tmp_path / "empty.parquet"):
        with pytest.raises(DataError, match="no rows"):
            penstock.describe(data, task=task)

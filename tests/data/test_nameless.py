"""Tables without a line of names, several channels in columns, and series a line."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import penstock
from penstock.errors import DataError

DRAW = np.random.default_rng(0)
ROWS = [(k % 3 + 1, *DRAW.normal(size=12).round(4)) for k in range(30)]
DATED = [[f"2021-02-{k + 1:02d}", str(k * 7 % 5)] for k in range(20)]


def described(
    folder: Path, rows: Any, mark: str = "\t", name: str = "a.tsv", **options: Any
) -> Any:
    (folder / name).write_text("\n".join(mark.join(map(str, row)) for row in rows) + "\n")
    return penstock.describe(folder / name, **options)


@pytest.mark.parametrize(("mark", "name"), [("\t", "a.tsv"), ("  ", "a.txt"), (",", "a.csv")])
@pytest.mark.parametrize("last", [False, True])
def test_the_archive_of_ucr(mark: str, name: str, last: bool, tmp_path: Path) -> None:
    rows = [(*row[1:], row[0]) for row in ROWS] if last else ROWS
    found = described(tmp_path, rows, mark, name)
    assert (found.task, found.series, found.lengths) == ("classify", 30, (12, 12, 12))
    assert found.table is not None
    assert found.table.columns["x"].to_list() == [x for row in ROWS for x in row[1:]]
    assert found.table.columns["label"].to_list()[::12] == [str(row[0]) for row in ROWS]
    assert any("--task forecast" in text for text in found.conversions)


def test_other_archives_are_split_as_published(tmp_path: Path) -> None:
    described(tmp_path, ROWS[:9], name="test.tsv")
    found = described(tmp_path, ROWS, test=tmp_path / "test.tsv")
    assert (found.series, found.parts) == (39, {"train": 30, "validation": 0, "test": 9})


def test_what_a_row_is_may_be_said(tmp_path: Path) -> None:
    rows = [row[1:] for row in ROWS]
    with pytest.raises(DataError) as caught:
        described(tmp_path, rows)
    assert "first line holds numbers" in str(caught.value)
    found = described(tmp_path, rows, task="forecast")
    assert (found.series, found.rows) == (12, 30)
    assert (found.roles["1"], found.roles["12"]) == ("target", "target")
    assert described(tmp_path, rows, target="12", past="1").roles["2"] == "left out"
    found = described(tmp_path, ROWS, task="regress", target="13")
    assert (found.task, found.roles["13"], found.lengths) == ("regress", "label", (12, 12, 12))


def test_one_row_a_step_where_it_is_clear(tmp_path: Path) -> None:
    found = described(tmp_path, DATED, ",", "a.csv")
    assert (found.roles, found.rows) == ({"1": "time", "2": "target"}, 20)
    column = [[str(k * 7 % 13 + 0.5)] for k in range(30)]
    for name in ("a.csv", "a.txt"):
        assert described(tmp_path, column, name=name).rows == 30
    assert described(tmp_path, column[:5], name="a.txt").task == "text"
    frames = [["0", *(str(int(x > 0)) for x in row[1:])] for row in ROWS]
    assert described(tmp_path, frames, ",", "a.csv").task == "frames"


@pytest.mark.parametrize("names", [["0", "1", "2"], ["1", "2", "3"], ["1990", "1991", "1992"]])
def test_numbers_that_count_on_are_names(names: list[str], tmp_path: Path) -> None:
    rows = [[k * 3 % 7, k * 5 % 11, k % 4] for k in range(20)]
    assert described(tmp_path, [names, *rows], ",").rows == 20


@pytest.mark.parametrize(
    "names",
    [
        [f"{c}_{k}" for c in "xy" for k in range(1, 11)],
        [f"dim{d}_{k}" for k in range(10) for d in range(2)],
        [f"{k}_{c}" for c in ("acc", "gyro") for k in range(10)],
    ],
)
def test_channels_in_columns(names: list[str], tmp_path: Path) -> None:
    draw = random.Random(1)
    frame = pl.DataFrame({n: [round(draw.gauss(0, 1), 3) for _ in range(20)] for n in names})
    frame = frame.with_columns(label=pl.Series([*"ab"] * 10))
    found = penstock.describe(frame)
    assert (found.task, found.series, found.lengths) == ("classify", 20, (10, 10, 10))
    assert found.table is not None
    one, other = (names[0], names[10]) if "dim" not in names[0] else names[:2]
    first, second = found.table.made
    assert (found.table.columns[first][0], found.table.columns[second][0]) == (
        frame[one][0], frame[other][0])  # fmt: skip
    assert found.table.columns[second][10] == frame[other][1]
    assert set(found.roles.values()) == {"input", "label"}


TSF = """# about
@relation test
@attribute series_name string
@attribute start_timestamp date
@frequency {step}
@horizon 4
@data
T1:2020-01-31 00-00-00:5,6,?,8
T2:2021-03-31 00-00-00:1,2,3
"""


@pytest.mark.parametrize(
    ("step", "frequency", "second"),
    [("daily", "1d", "2020-02-01"), ("monthly", "1mo", "2020-02-29"), ("10_minutes", "10min",
     "2020-01-31 00:10"), ("half_hourly", "30min", "2020-01-31 00:30")],
)  # fmt: skip
def test_the_archive_of_monash(step: str, frequency: str, second: str, tmp_path: Path) -> None:
    (tmp_path / "a.tsf").write_text(TSF.format(step=step))
    found = penstock.describe(tmp_path / "a.tsf")
    assert (found.task, found.series, found.rows, found.missing) == ("forecast", 2, 7, 1)
    assert (found.frequency, found.lengths) == (frequency, (3, 3, 4))
    assert found.table is not None
    assert found.table.times is not None
    assert str(found.table.times[1]).startswith(second)
    assert found.table.columns["value"].to_list() == [5, 6, None, 8, 1, 2, 3]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("T1:", "T1:x:", "3 attributes in line 8"), ("2020-01-31 00", "soon", "start 'soon"),
     ("T1:", "%", "start"), ("@data", "", "no data")],
)  # fmt: skip
def test_damaged_series_are_named(old: str, new: str, words: str, tmp_path: Path) -> None:
    text = TSF.format(step="daily").replace(old, new, 1)
    (tmp_path / "a.tsf").write_text(text)
    if new == "%":
        assert penstock.describe(tmp_path / "a.tsf").series == 1
        return
    with pytest.raises(DataError, match=words):
        penstock.describe(tmp_path / "a.tsf")


@pytest.mark.parametrize(("kind", "task"), [("{1,2}", "classify"), ("numeric", "forecast")])
def test_the_last_attribute_of_weka_is_the_class(kind: str, task: str, tmp_path: Path) -> None:
    head = "@relation a\n" + "".join(f"@attribute att{k} numeric\n" for k in range(12))
    rows = "".join(",".join(map(str, (*row[1:], row[0] % 2 + 1))) + "\n" for row in ROWS)
    (tmp_path / "a.arff").write_text(f"{head}@attribute target {kind}\n@data\n{rows}")
    found = penstock.describe(tmp_path / "a.arff")
    assert (found.task, found.series) == (task, 30 if task == "classify" else 13)

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from penstock.data import read, sunspots
from penstock.data.reading import read_source
from penstock.errors import ArgumentError, DataError


def write(folder: Path, text: str, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_sunspots_are_those_of_statsmodels() -> None:
    data = sunspots()
    (series,) = data.series
    assert data.rows == 309
    assert series.times[0] == 1700
    assert series.times[-1] == 2008
    assert series.values[[0, 1, 257, 308]].tolist() == [5.0, 11.0, 190.2, 2.9]
    assert series.values.sum() == pytest.approx(15373.4)


def test_wide_data_are_one_series_a_column(tmp_path: Path) -> None:
    data = read(write(tmp_path, "date,a,b\n2020-01-01,1,4\n2020-01-02,2,5\n"))
    assert [one.id for one in data.series] == ["a", "b"]
    assert data.series[1].values.tolist() == [4, 5]
    assert data.columns.time == "date"


def test_long_data_are_one_series_an_id_even_if_interleaved(tmp_path: Path) -> None:
    data = read(write(tmp_path, "unique_id,ds,y\nb,1,10\na,1,1\nb,2,20\na,2,2\n"))
    assert {one.id: one.values.tolist() for one in data.series} == {"b": [10, 20], "a": [1, 2]}


def test_other_columns_may_hold_ids_and_times(tmp_path: Path) -> None:
    path = write(tmp_path, "shop,week,sold,price\nx,1,3,9\nx,2,4,8\ny,1,5,8\ny,2,6,7\n")
    data = read(path, target=["sold"], id_column="shop", time_column="week")
    assert [one.values.tolist() for one in data.series] == [[3, 4], [5, 6]]
    assert data.notes == ("columns not used: price",)


def test_two_targets_of_long_data_are_two_series_an_id(tmp_path: Path) -> None:
    path = write(tmp_path, "unique_id,ds,a,b\nx,1,3,9\nx,2,4,8\n")
    data = read(path, target=["a", "b"])
    assert {one.id: one.values.tolist() for one in data.series} == {"x/a": [3, 4], "x/b": [9, 8]}


def test_without_times_rows_are_counted(tmp_path: Path) -> None:
    data = read(write(tmp_path, "unique_id,y\na,5\nb,6\na,7\n"))
    assert data.series[0].times.to_list() == [1, 2]


def test_formats_agree(tmp_path: Path) -> None:
    text = "ds,y\n2020-01-01,1.5\n2020-01-02,2.5\n"
    frame = pl.DataFrame({"ds": ["2020-01-01", "2020-01-02"], "y": [1.5, 2.5]})
    frame.write_parquet(tmp_path / "data.parquet")
    (tmp_path / "data.csv.gz").write_bytes(gzip.compress(text.encode()))
    sources = [
        write(tmp_path, text),
        write(tmp_path, text.replace(",", "\t"), "data.tsv"),
        write(tmp_path, text.replace(",", ";"), "semicolons.csv"),
        tmp_path / "data.parquet",
        tmp_path / "data.csv.gz",
        frame,
    ]
    datasets = [read(source) for source in sources]
    assert len({data.fingerprint() for data in datasets}) == 1
    assert {str(data.series[0].times[1])[:10] for data in datasets} == {"2020-01-02"}


@pytest.mark.parametrize("library", ["pandas", "pyarrow"])
def test_other_dataframes_are_taken(library: str) -> None:
    pytest.importorskip(library)
    frame = pl.DataFrame({"ds": [1, 2, 3], "y": [1.0, None, 3.0]})
    other = frame.to_pandas() if library == "pandas" else frame.to_arrow()
    assert read(other).fingerprint() == read(frame).fingerprint()


def test_missing_values_are_counted_trimmed_and_carried_forward(tmp_path: Path) -> None:
    data = read(write(tmp_path, "ds,y\n1,\n2,5\n3,\n4, \n5,8\n6,\n"))
    (series,) = data.series
    assert series.times.to_list() == [2, 3, 4, 5]
    assert series.values.tolist() == [5, 5, 5, 8]
    assert series.observed.tolist() == [True, False, False, True]
    assert data.missing == 2
    assert "2 missing values" in data.notes[0]


def test_months_are_read_as_dates(tmp_path: Path) -> None:
    data = read(write(tmp_path, "month,y\n2020-01,1\n2020-02,2\n"))
    assert str(data.series[0].times[1])[:10] == "2020-02-01"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        ("ds,y\n", ["no rows"]),
        ("ds,y\n1,2\n2,x7\n", ["'y'", "row 2", "'x7'", "not a number"]),
        ("ds,y\n1,2\n2,-inf\n", ["'y'", "row 2", "'-inf'", "finite"]),
        ("ds,y\n1,2\n2,1e200\n", ["'y'", "row 2", "too large"]),
        ("ds,y\n1,2\n2,1e80\n", ["'y'", "row 2", "too large"]),
        ("ds,y\n1,0\n2,1e-80\n", ["'y'", "row 2", "too small"]),
        ("ds,y\n1,2\n1,5\n", ["row 2", "1 is repeated"]),
        ("unique_id,ds,y\na,1,2\nb,2,2\nb,2,5\n", ["row 3", "series 'b'"]),
        ("unique_id,ds,y\na,1,2\n,2,2\n", ["'unique_id'", "row 2", "empty"]),
        ("ds,y\n2020-01-01,2\nsoon,5\n", ["'ds'", "row 2", "'soon' is no date"]),
        ("ds,y\n1,2\n,5\n", ["'ds'", "row 2", "is empty"]),
        ("ds,y\n1,\n2,\n", ["no value at all"]),
        ("ds\n1\n2\n", ["no column of values"]),
        ("unique_id,ds,a,b\nx,1,2,3\n", ["a, b", "--target"]),
        ("ds,y\n1,2,3\n", ["cannot be read"]),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(write(tmp_path, text))
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(("late", "words"), [("x7", "row 20001: 'x7' is not"), ("2.5", "")])
def test_types_may_change_late_in_a_file(tmp_path: Path, late: str, words: str) -> None:
    rows = [f"{k},{k % 9}" for k in range(20000)]
    path = write(tmp_path, "\n".join(["ds,y", *rows, f"20000,{late}", "20001,1", ""]))
    if words:
        with pytest.raises(DataError, match=words):
            read(path)
    else:
        assert read(path).series[0].values[-2:].tolist() == [2.5, 1]


def test_garbled_files_are_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).bytes(3000)
    for name in ("data.csv", "data.parquet", "data.csv.gz"):
        (tmp_path / name).write_bytes(noise)
        with pytest.raises(DataError, match="cannot be read"):
            read(tmp_path / name)


def test_unknown_sources_and_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "ds,sales\n1,2\n")
    with pytest.raises(ArgumentError, match="did you mean 'sales'"):
        read(path, target=["sale"])
    with pytest.raises(ArgumentError, match="both --target and --time-column"):
        read(path, target=["ds"], time_column="ds")
    with pytest.raises(ArgumentError, match="a path, a dataframe"):
        read(42)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "none.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is a folder without data files"):
        read(tmp_path / "empty")
    with pytest.raises(DataError, match="suffix"):
        read(write(tmp_path, "x", "data.doc"))


def test_names_of_columns_that_differ_in_white_space_alone(tmp_path: Path) -> None:
    source = read_source(write(tmp_path, "t ,t,a,a \n1,2,3,4\n5,6,7,8\n"))
    assert source.rows().columns == ["t ", "t", "a", "a "]


IN_SCRIPT = """
import multiprocessing, sys, threading
from pathlib import Path
import penstock
with Path(sys.argv[2]).open("a") as file:
    file.write("ran\\n")
def look():
    assert penstock.describe(sys.argv[1]).roles["y"] == "target"
    with Path(sys.argv[2]).open("a") as file:
        file.write("read\\n")
if sys.argv[3] == "thread":
    worker = threading.Thread(target=look)
elif sys.argv[3] == "daemon":
    worker = multiprocessing.get_context("fork").Process(target=look, daemon=True)
if sys.argv[3] in ("thread", "daemon"):
    worker.start()
    worker.join()
else:
    look()
"""


@pytest.mark.parametrize("where", ["script", "stdin", "thread", "daemon"])
def test_a_sheet_is_read_wherever_it_is_asked_for(tmp_path: Path, where: str) -> None:
    """In a process of its own, which does not run the user's script a second time."""
    pytest.importorskip("fastexcel")
    sheet, log = Path(__file__).parent / "two_columns.xlsx", tmp_path / "log"
    (tmp_path / "mine.py").write_text(IN_SCRIPT)
    script = "-" if where == "stdin" else str(tmp_path / "mine.py")
    command = [sys.executable, script, str(sheet), str(log), where]
    done = subprocess.run(
        command, input=IN_SCRIPT, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert log.read_text() == "ran\nread\n"

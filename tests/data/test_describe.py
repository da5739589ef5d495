"""What data as people have them are understood as: a test for each kind."""

import gzip
import json
import math
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import penstock
from penstock.cli.main import run
from penstock.data.understanding import Understanding, describe
from penstock.errors import ArgumentError, DataError

DAYS = [date(2021, 3, 1) + timedelta(k) for k in range(140)]
WAVE = [round(50 + 9 * math.sin(k * 2 * math.pi / 7) + (k * 37 % 11) / 10, 2) for k in range(140)]

Seen = Callable[..., Understanding]


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    """Write a text to a file and describe it."""

    def write(
        text: str, name: str = "data.csv", encoding: str = "utf-8", **options: Any
    ) -> Understanding:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return describe(path, **options)

    return write


def lines(header: str, rows: Any) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def first(found: Understanding, count: int = 3) -> list[Any]:
    assert found.table is not None
    assert found.table.times is not None
    return [str(t)[:16] for t in found.table.times[:count]]


def sequences(many: int = 30, steps: int = 6) -> list[tuple[Any, ...]]:
    draw = random.Random(1)
    return [
        (f"s{k}", round(draw.gauss(k % 2, 1), 3), "ab"[k % 2])
        for k in range(many)
        for _ in range(steps)
    ]


# Time


def test_missing_rows_are_put_in(seen: Seen) -> None:
    kept = [(d, v) for k, (d, v) in enumerate(zip(DAYS, WAVE, strict=True)) if k % 5 != 3]
    found = seen(lines("day,sold", kept))
    assert (found.task, found.frequency, found.season) == ("forecast", "1d", 7)
    assert (found.rows, found.inserted, found.missing) == (112, 28, 0)
    assert found.lengths == (140, 140, 140)
    assert found.table is not None
    assert found.table.rows.is_null().sum() == 28
    assert found.table.columns["sold"].is_null().to_list() == found.table.rows.is_null().to_list()
    assert first(found, 140) == [f"{d} 00:00" for d in DAYS]


def test_each_series_has_a_grid_of_its_own(seen: Seen) -> None:
    rows = [("a", d, 1.5 * k) for k, d in enumerate(DAYS[:20]) if k != 7]
    rows += [("b", d + timedelta(hours=6), k) for k, d in enumerate(DAYS[3:15]) if k not in (2, 3)]
    found = seen(lines("unique_id,ds,y", rows))
    assert (found.series, found.inserted, found.lengths, found.frequency) == (
        2,
        3,
        (12, 16, 20),
        "1d",
    )


@pytest.mark.parametrize(
    ("times", "frequency", "inserted"),
    [
        ([d for d in DAYS if d.weekday() < 5], "business day", 0),
        ([d for k, d in enumerate(DAYS) if d.weekday() < 5 and k % 11], "business day", 8),
        (DAYS[::7], "1w", 0),
        (DAYS[::14], "2w", 0),
        ([datetime(2021, 1, 1) + timedelta(hours=k) for k in range(90)], "1h", 0),
        (
            [datetime(2021, 1, 1) + timedelta(minutes=15 * k) for k in range(90) if k % 9],
            "15min",
            9,
        ),
        ([datetime(2021, 1, 1, 0, 0, 0) + timedelta(seconds=10 * k) for k in range(90)], "10s", 0),
        ([date(2010 + k // 12, k % 12 + 1, 1) for k in range(60)], "1mo", 0),
        ([date(2010 + k // 12, k % 12 + 1, 1) - timedelta(1) for k in range(60)], "1mo", 0),
        ([date(2010 + k // 12, k % 12 + 1, 15) for k in range(60) if k % 7 != 5], "1mo", 8),
        ([date(2010 + k // 4, k % 4 * 3 + 1, 1) for k in range(40)], "1q", 0),
        ([date(1950 + k, 1, 1) for k in range(40)], "1y", 0),
        ([1950 + k for k in range(40)], "1y", 0),
        ([5 * k for k in range(40) if k % 8], "5", 4),
        ([round(0.1 * k, 1) for k in range(40)], "0.1", 0),
        ([f"{2010 + k // 4}Q{k % 4 + 1}" for k in range(30)], "1q", 0),
        ([f"2021-W{k + 1:02d}" for k in range(30)], "1w", 0),
        ([f"{2010 + k // 12}-{k % 12 + 1:02d}" for k in range(30)], "1mo", 0),
        ([(date(2010 + k // 12, k % 12 + 1, 1)).strftime("%b %Y") for k in range(30)], "1mo", 0),
        ([d.strftime("%d %B %Y") for d in DAYS], "1d", 0),
        ([d.strftime("%a %d.%m.%Y") for d in DAYS], "1d", 0),
        ([d.strftime("%Y%m%d") for d in DAYS], "1d", 0),
        ([1_600_000_000 + 3600 * k for k in range(50)], "1h", 0),
        ([1_600_000_000_000 + 60_000 * k for k in range(50)], "1min", 0),
        ([44_000 + k for k in range(50)], "1d", 0),
        (
            [
                f"{d:%m/%d/%Y} {k % 12 or 12}:30 {'PM' if k % 24 > 11 else 'AM'}"
                for d in DAYS[:3]
                for k in range(24)
            ],
            "1h",
            0,
        ),
    ],
)
def test_frequencies(seen: Seen, times: list[Any], frequency: str, inserted: int) -> None:
    found = seen(lines("date,y", [(t, WAVE[k % 140]) for k, t in enumerate(times)]))
    assert (found.frequency, found.inserted, found.rows) == (frequency, inserted, len(times))
    assert found.roles == {"date": "time", "y": "target"}


def test_months_that_are_put_in_stand_at_the_end_of_months(seen: Seen) -> None:
    ends = [date(2021, m + 1, 1) - timedelta(1) for m in range(2, 12) if m != 3]
    found = seen(lines("date,y", zip(ends, WAVE, strict=False)))
    assert first(found) == ["2021-02-28 00:00", "2021-03-31 00:00", "2021-04-30 00:00"]


def test_days_at_midnight_are_regular_when_the_clock_changes(seen: Seen) -> None:
    zones = ["+01:00" if k < 27 else "+02:00" for k in range(60)]
    times = [f"{d}T00:00:00{z}" for d, z in zip(DAYS, zones, strict=False)]
    found = seen(lines("ds,y", zip(times, WAVE, strict=False)))
    assert (found.frequency, found.inserted) == ("1d", 0)
    assert first(found, 1) == ["2021-03-01 00:00"]
    assert "the clock changes between +01:00 and +02:00" in found.conversions[0]


def test_hours_of_several_offsets_are_regular_in_utc(seen: Seen) -> None:
    utc = [datetime(2021, 3, 27) + timedelta(hours=k) for k in range(60)]
    times = [
        f"{t + timedelta(hours=1 + (k > 24)):%Y-%m-%dT%H:%M:%S}+0{1 + (k > 24)}:00"
        for k, t in enumerate(utc)
    ]
    found = seen(lines("ds,y", zip(times, WAVE, strict=False)))
    assert (found.frequency, found.inserted, first(found, 1)) == ("1h", 0, ["2021-03-27 00:00"])
    assert found.table is not None
    assert found.table.zone == "UTC"


def test_zones_of_dataframes_are_kept() -> None:
    times = pl.datetime_range(
        datetime(2021, 3, 1), datetime(2021, 5, 1), "1d", time_zone="Europe/Berlin", eager=True
    )
    found = describe(pl.DataFrame({"t": times, "y": WAVE[: len(times)]}))
    assert (found.frequency, found.inserted) == ("1d", 0)
    assert found.table is not None
    assert found.table.zone == "Europe/Berlin"


def test_irregular_times_are_noted_and_resampled(seen: Seen) -> None:
    draw, at, rows = random.Random(3), datetime(2021, 1, 1), []
    for k in range(200):
        at += timedelta(seconds=draw.randint(300, 2000))
        rows.append((at, k))
    found = seen(lines("time,y", rows))
    assert found.frequency == "irregular"
    assert "--frequency 15min" in found.notes[0]
    hourly = seen(lines("time,y", rows), frequency="1h")
    assert hourly.frequency == "1h"
    assert hourly.table is not None
    first_hour = [k for t, k in rows if t < datetime(2021, 1, 1, 1)]
    assert hourly.table.columns["y"][0] == pytest.approx(np.mean(first_hour))
    with pytest.raises(ArgumentError, match="15min, 1h"):
        seen(lines("time,y", rows), frequency="often")


@pytest.mark.parametrize(
    ("form", "order"), [("%d/%m/%Y", "day before month"), ("%m/%d/%Y", "month before day")]
)
def test_the_order_of_day_and_month_is_that_of_regular_times(
    seen: Seen, form: str, order: str
) -> None:
    months = [date(2010 + k // 12, k % 12 + 1, 1) for k in range(40)]
    found = seen(lines("date,y", [(d.strftime(form), k) for k, d in enumerate(months)]))
    assert found.frequency == "1mo"
    assert order in found.conversions[0]
    assert first(found, 2) == ["2010-01-01 00:00", "2010-02-01 00:00"]


def test_dates_that_cannot_be_told_are_asked_for(seen: Seen) -> None:
    text = lines("date,y", [(f"{k:02d}/{k + 1:02d}/2021", k) for k in range(1, 9)])
    with pytest.raises(DataError, match=r"row 1: '01/02/2021' may be .*--date-format %d/%m/%Y"):
        seen(text)
    both = lines("date,y", [(f"0{k}/01/2021", k) for k in range(1, 10)])
    with pytest.raises(DataError, match="--date-format"):
        seen(both)
    assert seen(both, date_format="%d/%m/%Y").frequency == "1d"
    assert seen(both, date_format="%m/%d/%Y").frequency == "1mo"


@pytest.mark.parametrize(
    ("header", "row", "frequency"),
    [
        ("Date,Time", lambda k: (f"{DAYS[k // 24]:%d/%m/%Y}", f"{k % 24:02d}:00:00"), "1h"),
        ("date,hour", lambda k: (DAYS[k // 24], k % 24), "1h"),
        ("Year,Month", lambda k: (2010 + k // 12, k % 12 + 1), "1mo"),
        ("year,month", lambda k: (2010 + k // 12, f"{date(2010, k % 12 + 1, 1):%B}"), "1mo"),
        ("Year,Quarter", lambda k: (2010 + k // 4, f"Q{k % 4 + 1}"), "1q"),
        ("year,month,day", lambda k: (DAYS[k].year, DAYS[k].month, DAYS[k].day), "1d"),
        ("year,week", lambda k: (2010 + k // 52, k % 52 + 1), "1w"),
    ],
)
def test_columns_that_make_a_time_together(
    seen: Seen, header: str, row: Any, frequency: str
) -> None:
    found = seen(lines(f"{header},power", [(*row(k), WAVE[k]) for k in range(52)]))
    assert (found.frequency, found.inserted, found.series) == (frequency, 0, 1)
    assert found.roles == {**dict.fromkeys(header.split(","), "time"), "power": "target"}
    assert "combined" in found.conversions[0]


def test_rows_need_no_order(seen: Seen) -> None:
    rows = [(i, d, v) for i in "ba" for d, v in zip(DAYS, WAVE, strict=True)]
    mixed = random.Random(2).sample(rows, len(rows))
    one, other = (seen(lines("id,date,y", order)) for order in (rows, mixed))
    assert one == other
    assert one.table is not None
    assert other.table is not None
    assert one.table.columns.equals(other.table.columns)


# Text in files


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("cp1252", "cp1252"),
        ("latin-1", "latin-1"),
        ("shift_jis", "cp932"),
        ("cp1251", "cp1251"),
    ],
)
def test_encodings(seen: Seen, encoding: str, word: str) -> None:
    name = {
        "shift_jis": "これは毎日の売上のデータです",
        "cp1251": "ежедневные продажи магазина",
    }.get(encoding, "Größe, é")
    rows = [(f'"{name}"', d, v) for d, v in zip(DAYS, WAVE, strict=True)]
    found = seen(lines(f'"{name}",date,y', rows), encoding=encoding)
    assert name in found.roles
    assert (word in found.conversions[0]) if word else not found.conversions
    assert found.rows == 140


@pytest.mark.parametrize("separator", [";", "\t", "|", " "])
def test_separators(seen: Seen, separator: str) -> None:
    text = lines("date,y,z", zip(DAYS, WAVE, WAVE, strict=True)).replace(",", separator)
    assert seen(text).roles == {"date": "time", "y": "target", "z": "left out"}


@pytest.mark.parametrize(
    ("cells", "separator", "values"),
    [
        (["0,5", "12,25", "3,0"], ";", [0.5, 12.25, 3.0]),
        (["1.234,5", "12,25", "3"], ";", [1234.5, 12.25, 3.0]),
        (["1 234,5", "12,25", "3"], ";", [1234.5, 12.25, 3.0]),
        (['"1,234.5"', "12.25", "3"], ",", [1234.5, 12.25, 3.0]),
        (['"1,234"', '"12,345,678"', "3"], ",", [1234.0, 12345678.0, 3.0]),
        (["1'234.5", "12.25", "3"], ",", [1234.5, 12.25, 3.0]),
        (["$1.50", "$2", "-3"], ",", [1.5, 2.0, -3.0]),
        (["5 %", "25%", "30%"], ",", [5.0, 25.0, 30.0]),
        (["1e3", "+5", " 7"], ",", [1000.0, 5.0, 7.0]),
    ],
)
def test_numbers_as_they_are_written(
    seen: Seen, cells: list[str], separator: str, values: list[float]
) -> None:
    text = "\n".join(
        [
            "date" + separator + "y",
            *(f"{d}{separator}{c}" for d, c in zip(DAYS, cells, strict=False)),
        ]
    )
    found = seen(text)
    assert found.table is not None
    assert found.table.columns["y"].to_list() == values


def test_points_stand_between_thousands_where_decimals_have_commas(seen: Seen) -> None:
    rows = [
        f"{d};{v};{c}"
        for d, v, c in zip(DAYS, ["1,5", "2,25", "3,5"], ["1.234", "2.345", "999"], strict=False)
    ]
    found = seen("\n".join(["date;share;sold", *rows]))
    assert found.table is not None
    assert found.table.columns["sold"].to_list() == [1234.0, 2345.0, 999.0]


def test_marks_of_missing_values(seen: Seen) -> None:
    marks = ["NA", "N/A", "NaN", "null", "none", "?", "-", "", " "]
    rows = [(d, marks[k // 4] if k % 4 == 1 and k < 36 else WAVE[k]) for k, d in enumerate(DAYS)]
    found = seen(lines("date,y", rows))
    assert (found.missing, found.inserted) == (9, 0)
    assert "?" in found.conversions[0]


def test_ids_and_labels_are_text_byte_for_byte(seen: Seen) -> None:
    rows = [(i, d, v) for i in ("1", "01", "001") for d, v in zip(DAYS, WAVE, strict=True)]
    found = seen(lines("id,ds,y", rows))
    assert found.table is not None
    assert sorted({*found.table.ids}) == ["001", "01", "1"]
    labels = ("7", "07", "NA")
    rows = [(f"s{k}", k + t, labels[k % 3]) for k in range(30) for t in range(4)]
    found = seen(lines("id,x,label", rows))
    assert found.table is not None
    assert {*found.table.columns["label"]} == {*labels}


def test_whole_numbers_that_became_decimals_are_ids_without_a_point() -> None:
    frame = pl.DataFrame({"id": [1.0, 1.0, 2.0, 2.0], "ds": [1, 2, 1, 2], "y": [1.5, 2, 3, 4]})
    found = describe(frame)
    assert found.table is not None
    assert found.table.ids.to_list() == ["1", "1", "2", "2"]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "rownames"])
@pytest.mark.parametrize("first_number", [0, 1])
def test_counters_are_left_out(seen: Seen, name: str, first_number: int) -> None:
    rows = [(k + first_number, d, v, v) for k, (d, v) in enumerate(zip(DAYS, WAVE, strict=True))]
    found = seen(lines(f"{name},date,a,b", rows))
    assert (found.series, found.roles[name]) == (2, "left out")
    assert "counts the rows" in found.notes[0]


def test_a_nameless_column_of_dates_is_the_time(seen: Seen) -> None:
    found = seen(lines(",a", zip(DAYS, WAVE, strict=True)))
    assert found.roles == {"": "time", "a": "target"}


def test_the_index_of_pandas_is_read() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": WAVE}, index=pandas.DatetimeIndex(DAYS))
    found = describe(frame)
    assert (found.frequency, found.roles["a"]) == ("1d", "target")
    assert "left out" not in describe(pandas.DataFrame({"a": WAVE})).roles.values()
    monthly = pandas.Series(
        WAVE[:30], index=pandas.period_range("2020-01", periods=30, freq="M"), name="a"
    )
    assert describe(monthly).frequency == "1mo"


def test_columns_with_commas_in_their_names(seen: Seen) -> None:
    text = lines('" sales, EU ",date,b', [(v, d, v) for d, v in zip(DAYS, WAVE, strict=True)])
    found = seen(text, target="sales, EU")
    assert found.roles == {"sales, EU": "target", "date": "time", "b": "left out"}
    assert seen(text, target=["sales, EU", "b"]).series == 2
    assert seen(text.replace("sales, EU", "c"), target="c,b").series == 2
    with pytest.raises(ArgumentError, match=r"no column 'sales', which --target names"):
        seen(text, target="sales, US")


# Layouts


def test_dates_as_columns(seen: Seen) -> None:
    rows = [(f"p{k}", "c", 3 + k % 2, *WAVE[k : k + 50]) for k in range(4)]
    found = seen(lines("Province,Country,Rank," + ",".join(map(str, DAYS[:50])), rows))
    assert (found.series, found.lengths, found.frequency) == (4, (50, 50, 50), "1d")
    roles = {
        "Province": "id",
        "Country": "static",
        "Rank": "static",
        "time": "time",
        "value": "target",
    }
    assert found.roles == roles
    assert found.kinds["Country"] == "category"
    assert found.kinds["Rank"] == "number"


def test_years_as_columns(seen: Seen) -> None:
    rows = [(f"c{k}", *WAVE[k : k + 40]) for k in range(4)]
    found = seen(lines("Country," + ",".join(map(str, range(1970, 2010))), rows))
    assert (found.series, found.frequency, found.lengths) == (4, "1y", (40, 40, 40))


def test_series_as_rows_without_dates(seen: Seen) -> None:
    rows = [(f"Y{k}", *WAVE[k : k + 30 + k]) + ("",) * (4 - k) for k in range(4)]
    found = seen(lines(",".join(f"V{k}" for k in range(1, 36)), rows))
    assert (found.task, found.series, found.lengths) == ("forecast", 4, (30, 31, 33))


@pytest.mark.parametrize("ids", [("shop",), ("shop", "item")])
def test_ids_are_found_by_the_rows_of_one_time(seen: Seen, ids: tuple[str, ...]) -> None:
    keys = (
        [("north", 1), ("north", 2), ("south", 1), ("south", 2)]
        if len(ids) > 1
        else [("n",), ("s",)]
    )
    rows = [(d, *key, v) for key in keys for d, v in zip(DAYS, WAVE, strict=True)]
    found = seen(lines("date," + ",".join(ids) + ",sold", rows))
    assert found.series == len(keys)
    assert [n for n, role in found.roles.items() if role == "id"] == [*ids]
    assert "--id" in found.notes[0]


@pytest.mark.parametrize("kind", ["numbers", "letters"])
def test_a_sequence_a_row(seen: Seen, kind: str) -> None:
    draw = random.Random(4)
    value = (
        (lambda: draw.choice("ACGT")) if kind == "letters" else (lambda: round(draw.gauss(0, 1), 2))
    )
    rows = [("xy"[k % 2], f"d{k}", *(value() for _ in range(12))) for k in range(40)]
    found = seen(lines("class,donor," + ",".join(f"t{k}" for k in range(12)), rows))
    assert (found.task, found.series, found.lengths) == ("classify", 40, (12, 12, 12))
    assert found.roles["donor"] == "id"
    assert found.kinds["t3"] == ("symbol" if kind == "letters" else "number")


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("ACGTACGTAC", "symbol"),
        ("1 2 3.5 4", "number"),
        ('"[1, 2, 3]"', "number"),
        ("in the end it rains", "symbol"),
    ],
)
def test_a_sequence_in_a_cell(seen: Seen, cell: str, kind: str) -> None:
    draw = random.Random(5)

    def mixed() -> str:
        if kind == "symbol" and " " not in cell:
            return "".join(draw.sample(cell, len(cell)))
        return cell

    found = seen(lines("label,seq", [("xy"[k % 2], mixed()) for k in range(40)]))
    assert (found.task, found.series, found.kinds["seq"]) == ("classify", 40, kind)
    assert found.rows == 40 * {"ACGTACGTAC": 10, "1 2 3.5 4": 4, '"[1, 2, 3]"': 3}.get(cell, 5)


def test_a_folder_of_files(tmp_path: Path) -> None:
    for label in ("left", "right"):
        for k in range(4):
            path = tmp_path / "moves" / label / f"m{k}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(lines("x,y", [(v, k) for v in WAVE[: 5 + k]]))
    found = describe(tmp_path / "moves")
    assert (found.task, found.series, found.lengths) == ("classify", 8, (5, 6, 8))
    assert found.roles["label"] == "label"
    (tmp_path / "moves" / "right" / "m9.csv").write_text("other\n1\n")
    with pytest.raises(DataError, match=r"other columns in m9.csv"):
        describe(tmp_path / "moves")


def test_a_folder_with_a_table_of_labels(tmp_path: Path) -> None:
    for k in range(6):
        np.save(tmp_path / f"r{k}.npy", np.arange(4.0 + k))
    (tmp_path / "labels.csv").write_text(
        lines("file,label", [(f"r{k}.npy", "ab"[k % 2]) for k in range(6)])
    )
    found = describe(tmp_path)
    assert (found.task, found.series, found.lengths) == ("classify", 6, (4, 6, 9))


def test_arrays_of_python() -> None:
    draw = np.random.default_rng(0)
    labels = np.array(["a", "b"] * 10)
    cube = draw.standard_normal((20, 7, 3))
    ragged = [draw.standard_normal((5 + k % 3, 2)) for k in range(20)]
    for data, lengths, inputs in [
        ((cube, labels), (7, 7, 7), 3),
        ({"X": cube, "y": labels}, (7, 7, 7), 3),
        ((cube[:, :, 0], labels), (7, 7, 7), 1),
        ((ragged, labels), (5, 6, 7), 2),
        ({"x": ragged, "y": labels}, (5, 6, 7), 2),
        (({"a": ragged[0], "b": ragged[1]}, np.array(["u", "v"])), (5, 5, 6), 2),
    ]:
        found = describe(data)
        assert (found.task, found.lengths) == ("classify", lengths)
        assert [*found.roles.values()].count("input") == inputs
    assert describe(np.array(WAVE)).task == "forecast"
    assert describe([np.array(WAVE), np.array(WAVE[:90])]).lengths == (90, 115, 140)
    assert describe({"a": WAVE, "b": WAVE}).series == 2
    padded = np.full((4, 9), np.nan)
    padded[:, :5] = 1.5
    assert describe((padded, np.array([0, 1, 0, 1]))).lengths == (5, 5, 5)
    with pytest.raises(ArgumentError, match="not int"):
        describe(5)
    with pytest.raises(DataError, match="3 labels for 20 sequences"):
        describe((cube, labels[:3]))


def test_arrays_in_files(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    cube, labels = draw.standard_normal((12, 6, 2)), np.arange(12) % 3
    np.savez(tmp_path / "a.npz", X=cube, y=labels)
    assert describe(tmp_path / "a.npz").series == 12
    parts = {"train_x": cube, "train_y": labels, "test_x": cube[:3], "test_y": labels[:3]}
    np.savez(tmp_path / "b.npz", **parts)
    assert describe(tmp_path / "b.npz").parts == {"train": 12, "validation": 0, "test": 3}
    ragged = {f"s{k}": cube[k, : 2 + k % 4] for k in range(12)}
    np.savez(tmp_path / "c.npz", label=np.array([*"aabbaabbaabb"]), **ragged)
    found = describe(tmp_path / "c.npz")
    assert (found.task, found.lengths) == ("classify", (2, 3, 5))
    np.savez(tmp_path / "d.npz", values=cube.reshape(-1, 2), lengths=np.full(12, 6), labels=labels)
    assert describe(tmp_path / "d.npz").lengths == (6, 6, 6)
    np.save(tmp_path / "e.npy", np.array(WAVE))
    assert describe(tmp_path / "e.npy").lengths == (140, 140, 140)
    np.save(tmp_path / "f.npy", np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects"):
        describe(tmp_path / "f.npy")


def test_matlab_files(tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.io")
    draw = np.random.default_rng(0)
    scipy.savemat(tmp_path / "a.mat", {"X": draw.standard_normal((10, 6)), "y": np.arange(10) % 2})
    found = describe(tmp_path / "a.mat")
    assert (found.task, found.series, found.lengths) == ("classify", 10, (6, 6, 6))


def test_arff_ts_and_fasta(seen: Seen) -> None:
    head = "% made up\n@relation r\n" + "".join(f"@attribute t{k} numeric\n" for k in range(5))
    rows = "".join(",".join(map(str, WAVE[k : k + 5])) + f",{'ab'[k % 2]}\n" for k in range(9))
    found = seen(f"{head}@attribute 'class' {{a,b}}\n@data\n{rows}", "d.arff")
    assert (found.task, found.series, found.lengths) == ("classify", 9, (5, 5, 5))
    relational = (
        "@relation r\n@attribute m relational\n@attribute c0 numeric\n"
        "@attribute c1 numeric\n@end m\n"
        "@attribute class {a,b}\n@data\n"
    )
    found = seen(
        relational + "".join(f"'1,2,{k}\\n4,5,{k}',{'ab'[k % 2]}\n" for k in range(9)), "m.arff"
    )
    assert (found.series, found.lengths) == (9, (3, 3, 3))
    assert [*found.roles.values()].count("input") == 2
    ts = "@problemName p\n@classLabel true a b\n@data\n"
    found = seen(ts + "".join(f"1,2,{k}:4,?,{k}:{'ab'[k % 2]}\n" for k in range(9)), "d.ts")
    assert (found.series, found.lengths, found.missing) == (9, (3, 3, 3), 9)
    fasta = "".join(f">p{k} {'ab'[k % 2]}\nACGTACGTAC\nGGTT{'A' * (k % 3)}\n" for k in range(9))
    found = seen(fasta, "d.fasta", target="description")
    assert (found.task, found.series, found.lengths) == ("classify", 9, (14, 15, 16))
    assert found.roles["id"] == "id"


def test_typed_files(tmp_path: Path) -> None:
    frame = pl.DataFrame({"date": DAYS, "y": WAVE})
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ipc(tmp_path / "a.feather")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(frame.write_csv().encode()))
    (tmp_path / "a.txt").write_text(frame.write_csv(separator=" "))
    records = [describe(p).record() for p in sorted(tmp_path.iterdir())]
    keys = ("series", "rows", "lengths", "frequency", "season", "roles", "kinds")
    assert all({k: r[k] for k in keys} == {k: records[0][k] for k in keys} for r in records)
    assert len(records) == 4


def test_excel(tmp_path: Path) -> None:
    pytest.importorskip("fastexcel")
    path = Path(__file__).parent / "two_columns.xlsx"
    found = describe(path)
    assert (found.frequency, found.rows, found.roles) == ("1d", 9, {"date": "time", "y": "target"})


# Columns


def test_kinds_of_columns_beside_the_values(seen: Seen) -> None:
    rows = [
        (d, v, str(k % 5 == 0), ("sun", "rain", "snow")[k % 3], k % 2)
        for k, (d, v) in enumerate(zip(DAYS, WAVE, strict=True))
    ]
    found = seen(lines("date,y,promo,weather,open", rows), known=["promo", "weather"], past="open")
    assert found.kinds == {
        "date": "time",
        "y": "number",
        "promo": "boolean",
        "weather": "category",
        "open": "number",
    }
    assert found.roles == {
        "date": "time",
        "y": "target",
        "promo": "known",
        "weather": "known",
        "open": "past",
    }
    assert found.table is not None
    assert found.table.columns["promo"][:6].to_list() == [1, 0, 0, 0, 0, 1]
    plain = seen(lines("date,y,promo,weather,open", rows))
    assert "--known promo" in " ".join(plain.notes)


def test_rows_ahead_are_not_missing(seen: Seen) -> None:
    rows = [
        (d, v if k < 130 else "", k % 3) for k, (d, v) in enumerate(zip(DAYS, WAVE, strict=True))
    ]
    assert seen(lines("date,y,price", rows), known="price").missing == 0
    assert seen(lines("date,y", [r[:2] for r in rows])).missing == 10


def test_static_columns(seen: Seen) -> None:
    rows = [
        (f"s{i}", d, v, "ns"[i % 2], 10 * i)
        for i in range(5)
        for d, v in zip(DAYS, WAVE, strict=True)
    ]
    found = seen(lines("unique_id,ds,sold,region,size", rows))
    assert found.with_role("static") == ("region", "size")
    assert (found.kinds["region"], found.kinds["size"], found.with_role("target")) == (
        "category",
        "number",
        ("sold",),
    )


def test_columns_like_groups_ids_and_leaks_are_noted(seen: Seen) -> None:
    rows = [
        (*row, f"p{k // 6 % 5}", f"u{k // 6}", {"a": 0, "b": 1}[row[2]])
        for k, row in enumerate(sequences())
    ]
    found = seen(lines("id,x,label,speaker,recorded,code", rows))
    assert found.with_role("input") == ("x",)
    assert found.with_role("left out") == ("speaker", "recorded")
    notes = " ".join(found.notes)
    assert "--group speaker" in notes
    assert "'recorded' has another value for each sequence" in notes
    assert "'code' tells every label" in notes
    grouped = seen(lines("id,x,label,speaker,recorded,code", rows), group="speaker")
    assert grouped.roles["speaker"] == "group"
    assert "--group" not in " ".join(grouped.notes)
    assert (
        seen(lines("id,x,label,speaker,recorded,code", rows), static="speaker").roles["speaker"]
        == "static"
    )


def test_a_group_must_be_the_same_in_a_sequence(seen: Seen) -> None:
    rows = [(*row, f"p{k % 4}") for k, row in enumerate(sequences())]
    with pytest.raises(
        DataError, match=r"'speaker': sequence 's0' has the values 'p0' and 'p1'.*--group"
    ):
        seen(lines("id,x,label,speaker", rows), group="speaker")


# Parts


def test_parts_of_ones_own(seen: Seen, tmp_path: Path) -> None:
    words = ["Train", "valid", "TEST"]
    rows = [(*row, words[k // 6 % 3]) for k, row in enumerate(sequences())]
    found = seen(lines("id,x,label,part", rows), split="part")
    assert found.parts == {"train": 10, "validation": 10, "test": 10}
    assert found.roles["part"] == "split"
    with pytest.raises(DataError, match="row 5: 'later' is no part"):
        seen(
            lines(
                "id,x,label,part",
                [(*r[:3], "later" if k == 4 else r[3]) for k, r in enumerate(rows)],
            ),
            split="part",
        )
    with pytest.raises(DataError, match="in the parts"):
        seen(
            lines("id,x,label,part", [(*r[:3], words[k % 2]) for k, r in enumerate(rows)]),
            split="part",
        )
    test = tmp_path / "test.csv"
    test.write_text(lines("x,id,label", [(x, f"t{i}", c) for i, x, c in sequences(6)]))
    found = seen(lines("id,x,label", sequences()), test=test)
    assert found.parts == {"train": 30, "validation": 0, "test": 6}
    test.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="differ in their columns"):
        seen(lines("id,x,label", sequences()), test=test)


# Advice


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            "date,y,p\n2020-01-01,1,2\n2020-01-02,1,x\n2020-01-03,2,3\n",
            {"known": "p"},
            ["'p', row 2: 'x'", "--known"],
        ),
        (
            "date,y\n2020-01-01,1\n2020-01-02,abc\n2020-01-03,4\n",
            {},
            ["'y', row 2: 'abc'", "--target"],
        ),
        ("date,y\n2020-01-01,1\n2020-01-02,inf\n", {}, ["row 2: 'inf'", "finite"]),
        ("date,y\n2020-01-01,1\n2020-01-02,1e300\n", {}, ["row 2: '1e300'", "too large"]),
        (
            "date,y\n2020-01-01,1\nsoon,2\n2020-01-03,4\n",
            {},
            ["'date', row 2: 'soon'", "--time-column"],
        ),
        ("date,y\n2020-01-01,1\n,2\n", {}, ["row 2: is empty", "--time-column"]),
        (
            "date,y\n2020-01-01,1\n2020-01-01,2\n",
            {},
            ["row 2", "repeated", "--id", "--time-column"],
        ),
        ("id,date,y\na,2020-01-01,1\n,2020-01-01,2\na,2020-01-02,3\n", {}, ["'id', row 2", "--id"]),
        ("date,a,b\n2020-01-01,u,v\n", {}, ["--target", "label"]),
        ("unique_id,ds,a,b\nx,1,2,3\nx,2,4,9\n", {}, ["a, b", "--target a"]),
        ("date,y\n2020-01-01,\n2020-01-02,\n", {}, ["no value at all", "--target"]),
        ("id,x,label\n1,2,a\n1,3,b\n", {"task": "classify"}, ["'a' and 'b'", "--task tag"]),
        ("x,label\n2,a\n3,b\n", {"task": "classify"}, ["one sequence", "--id"]),
        ("x,y\n2,1\n3,2\n", {"task": "classify"}, ["--target", "x, y"]),
        ("t0,t1,t2,label\n1,2,3,a\n,,,b\n", {}, ["row 2", "delete the row"]),
        ("t0,t1,t2,label\n1,2,3,a\n4,5,6,b\n", {"task": "tag"}, ["each row is a sequence"]),
        ("date,y\n2020-01-01,1\n", {"target": "z"}, ["'z', which --target names", "y"]),
        ("date,y\n2020-01-01,1\n", {"known": "y", "target": "y"}, ["both", "--target", "--known"]),
        ("date,y\n2020-01-01,1\n", {"task": "forcast"}, ["did you mean 'forecast'"]),
        ("x\n1\n", {"frequency": "1h"}, ["--time-column"]),
        ("1,2\n3,4\n", {}, ["--task forecast", "--task classify --target 1"]),
        ("a,b\n1,2,3\n", {}, ["cannot be read"]),
        ("", {}, ["is empty"]),
        ("a,b\n", {}, ["no rows"]),
    ],
)
def test_what_cannot_be_used_is_named(
    seen: Seen, text: str, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises((DataError, ArgumentError)) as caught:
        seen(text, **options)
    assert all(word in str(caught.value) for word in words), caught.value


def test_an_exact_copy_of_a_row_is_left_out(seen: Seen) -> None:
    rows = [*zip(DAYS, WAVE, strict=True), (DAYS[3], WAVE[3])]
    found = seen(lines("date,y", rows))
    assert found.lengths == (140, 140, 140)
    assert "repeat" in found.notes[0]


# The command


def test_the_command_and_the_function_say_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(lines('date,"a, b",c', [(d, v, v) for d, v in zip(DAYS, WAVE, strict=True)]))
    assert run(["describe", str(path), "--target", "a, b", "--known", "c", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = penstock.describe(path, target=["a, b"], known=["c"])
    assert printed == json.loads(json.dumps(found.record()))
    assert run(["describe", str(path)]) == 0
    assert "frequency" in capsys.readouterr().out
    assert run(["describe", str(path), "--target", "zz"]) == 2
    assert "'zz'" in capsys.readouterr().err


def test_describe_needs_no_torch() -> None:
    asked = "penstock.describe('sunspots').frequency, 'torch' in sys.modules"
    code = f"import sys, penstock; print({asked})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["1y", "False"]


@pytest.mark.parametrize(
    ("name", "task", "series"),
    [
        ("sunspots", "forecast", 1),
        ("shops", "forecast", 8),
        ("gestures", "classify", 150),
        ("adding", "regress", 400),
        ("brackets", "tag", 120),
        ("rhyme", "text", 1),
        ("canon", "frames", 24),
    ],
)
def test_the_samples(name: str, task: str, series: int) -> None:
    found = describe(name)
    assert (found.task, found.series) == (task, series)

"""What stands around tables, and files of other kinds: found by trying kinds that nobody listed."""

import json
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock.errors import DataError

DAYS = [f"2023-0{1 + k // 28}-{1 + k % 28:02d}" for k in range(28 * 4)]
VALUES = [round(20 + 9.5 * (k % 7) + k * 37 % 11 / 7, 2) for k in range(112)]
ROWS = [f"{d},{v}" for d, v in zip(DAYS, VALUES, strict=True)]


def described(folder: Path, text: str, name: str = "a.csv", **options: Any) -> Any:
    (folder / name).write_text(text)
    return penstock.describe(folder / name, **options)


def test_units_below_the_header(tmp_path: Path) -> None:
    rows = "".join(f"{10 * k},{v},{v / 7:.2f}\n" for k, v in enumerate(VALUES))
    found = described(tmp_path, "time,temperature,pressure\ns,degC,hPa\n" + rows)
    assert (found.rows, found.series, found.frequency) == (112, 2, "10")
    assert "the first row, s, degC, hPa, taken for units and left out" in found.conversions
    missing = described(tmp_path, "a,b\nNA,?\n1,2.5\n2,3.5\n3,2.5\n")
    assert (missing.rows, missing.missing) == (4, 2)


def test_titles_above_and_totals_below(tmp_path: Path) -> None:
    body = "\n".join(
        f"{d};{str(v).replace('.', ',')};Bonn" for d, v in zip(DAYS, VALUES, strict=True)
    )
    text = f"Umsatz;;\nErstellt am;01.02.2024;\n;;\nDatum;Wert;Ort\n{body}\nSumme;99,5;\n"
    found = described(tmp_path, text)
    assert (found.rows, found.frequency) == (112, "1d")
    assert found.roles == {"Datum": "time", "Wert": "target", "Ort": "left out"}
    assert "3 lines before the header left out" in found.conversions
    assert "the last row, Summe, left out" in found.conversions
    prose = "A report of 2023\n\ndate,y\n" + "\n".join(ROWS)
    assert described(tmp_path, prose).rows == 112


def test_remarks_between_rows_and_headers_in_remarks(tmp_path: Path) -> None:
    rows = [*ROWS[:50], "# started again", *ROWS[50:]]
    assert described(tmp_path, "# a logger\ndate,y\n" + "\n".join(rows)).rows == 112
    numbers = "".join(f"{k},{v}\n" for k, v in enumerate(VALUES))
    found = described(tmp_path, "# from an experiment\n# t,volts\n" + numbers)
    assert (found.roles, found.rows) == ({"t": "time", "volts": "target"}, 112)
    ids = "".join(f"#{k % 3},{k // 3},{v}\n" for k, v in enumerate(VALUES[:111]))
    assert described(tmp_path, "id,t,y\n" + ids).series == 3


def test_two_tables_in_one_file_are_refused_by_line(tmp_path: Path) -> None:
    text = "date,y\n" + "\n".join(ROWS) + "\n\nregion,manager,budget\nnorth,Ann,5\n"
    with pytest.raises(DataError, match=r"line 115 has 3 cells, and the first 2: a second table"):
        described(tmp_path, text)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json(name: str, tmp_path: Path) -> None:
    rows = [{"date": d, "y": v} for d, v in zip(DAYS, VALUES, strict=True)]
    text = json.dumps(rows) if name == "a.json" else "\n".join(map(json.dumps, rows))
    found = described(tmp_path, text, name)
    assert (found.rows, found.frequency, found.roles["y"]) == (112, "1d", "target")
    with pytest.raises(DataError, match="cannot be read"):
        described(tmp_path, text[:77], name)


@pytest.mark.parametrize("name", ["a.txt", "a.tsv"])
@pytest.mark.parametrize("header", ["", "token\tpart\tner\n"])
def test_sentences_of_tagged_words(name: str, header: str, tmp_path: Path) -> None:
    one = "Anna\tNN\tB-PER\nsees\tVB\tO\nBonn\tNN\tB-LOC\nnow\tRB\tO\n"
    found = described(tmp_path, header + "\n".join([one] * 9), name)
    assert (found.task, found.series, found.rows, found.lengths) == ("tag", 9, 36, (4, 4, 4))
    assert found.roles["tag"] == "label"
    assert found.roles["token" if header else "word"] == "input"
    numbers = "\n".join("0 1.5\n1 2.5\n2 0.5\n" for _ in range(9))
    found = described(tmp_path, numbers.replace(" ", "\t"), "b.tsv", task="forecast")
    assert ({*found.roles}, found.rows) == ({"1", "2"}, 27)


@pytest.mark.parametrize("form", ["FY{0}", "{0}/{2:02d}", "{0}-{2:02d}", "{0}-{1}"])
def test_years_of_accounts(form: str, tmp_path: Path) -> None:
    years = [form.format(y, y + 1, (y + 1) % 100) for y in range(1995, 2012)]
    found = described(
        tmp_path, "year,y\n" + "".join(f"{y},{k * k % 7}\n" for k, y in enumerate(years))
    )
    assert (found.frequency, found.roles["year"], found.inserted) == ("1y", "time", 0)


def test_months_as_columns(tmp_path: Path) -> None:
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    rows = [",".join([str(1980 + y), *(str(m * m + y) for m in range(12))]) for y in range(20)]
    found = described(tmp_path, "\n".join([",".join(["Year", *names]), *rows]))
    assert (found.series, found.rows, found.frequency, found.season) == (1, 240, "1mo", 12)
    assert found.table is not None
    assert found.table.columns["value"].to_list()[:14] == [m * m for m in range(12)] + [1, 2]


def test_the_advice_for_irregular_times_is_near_their_step(tmp_path: Path) -> None:
    rows = "".join(
        f"2024-01-01 {k // 60:02d}:{k % 60:02d}:{k * k % 3:02d},{k % 7}\n" for k in range(300)
    )
    found = described(tmp_path, "time,y\n" + rows)
    assert any("--frequency 1min, say" in note for note in found.notes)


@pytest.mark.parametrize(("mark", "name"), [(",", "a.csv"), (" ", "a.txt")])
def test_the_names_of_rows_in_r_have_no_name(mark: str, name: str, tmp_path: Path) -> None:
    rows = [mark.join([f'"{k}"', *row.split(",")]) for k, row in enumerate(ROWS, 1)]
    found = described(tmp_path, mark.join(['"date"', '"y"']) + "\n" + "\n".join(rows), name)
    assert found.roles == {"": "left out", "date": "time", "y": "target"}


def test_brackets_are_minus_and_dos_ends_files(tmp_path: Path) -> None:
    rows = "".join(
        f"{d},({v})\n" if v > 60 else f"{d},{v}\n" for d, v in zip(DAYS, VALUES, strict=True)
    )
    found = described(tmp_path, "date,y\n" + rows + "\x1a")
    assert found.table is not None
    assert found.table.columns["y"].drop_nulls().to_list() == [-v if v > 60 else v for v in VALUES]

"""Random tables: each is understood or refused in one clear sentence, whatever the order."""

import csv
import io
import os
import random
import warnings
from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.data.files import Source
from penstock.data.reading import read_source
from penstock.data.reading.text.delimited import read_delimited
from penstock.data.series import Options
from penstock.data.understanding import Understanding, understand
from penstock.errors import PenstockError

TABLES = int(os.environ.get("PENSTOCK_FUZZ", "150"))
NAMES = [
    "date",
    "ds",
    "time",
    "y",
    "id",
    "unique_id",
    "label",
    "class",
    "split",
    "a,b",
    "",
    "x",
    "t0",
    "t1",
    "t2",
    "t3",
    "Year",
    "Month",
    "hour",
    "value",
    "Größe",
    "Unnamed: 0",
    "index",
    "speaker",
    "2020-01-01",
    "2020-01-02",
    "2020-01-03",
    "sequence",
    " z ",
    '"q"',
    "1999",
    "region",
]
MARKS = ["", "NA", "?", "-", "null", "NaN", " "]
FORMATS = [
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%y",
    "%Y-%m-%dT%H:%M:%SZ",
    "%d %b %Y",
    "%H:%M",
    "%Y-%m-%d %H:%M",
    "%Y",
    "%Y%m%d",
    "%b %Y",
]
STEPS = [timedelta(days=1), timedelta(hours=1), timedelta(days=31), timedelta(minutes=7)]

Column = Callable[[random.Random, int], list[str]]


def dates(r: random.Random, rows: int) -> list[str]:
    form, step = r.choice(FORMATS), r.choice(STEPS)
    start = datetime(2019, r.randint(1, 12), r.randint(1, 28))
    cells = [(start + step * k).strftime(form) for k in range(rows)]
    return cells if r.random() < 0.7 else [cells[k // 3] for k in range(rows)]


def numbers(r: random.Random, rows: int) -> list[str]:
    form = r.choice(["{:.2f}", "{:.0f}", "{:,.2f}", "{:e}", "${:.2f}", " {:.3f}", "{:.0f}%"])
    scale = r.choice([1, 1000, 1e6, 1e-6, 1e300])
    cells = [form.format(r.gauss(0, 1) * scale) for _ in range(rows)]
    return (
        [c.replace(".", ";").replace(",", ".").replace(";", ",") for c in cells]
        if r.random() < 0.3
        else cells
    )


def counts(r: random.Random, rows: int) -> list[str]:
    start = r.choice([0, 1, 2000, 1_600_000_000, 43_831, 20_200_101])
    return [str(start + k * r.choice([1, 1, 1, 2])) for k in range(rows)]


def words(r: random.Random, rows: int) -> list[str]:
    pool = r.choice(
        [
            ["a", "b"],
            ["1", "01", "001"],
            ["ACGTACGTAC", "GGGTACGTAA", "TTTTACGTAA"],
            ["true", "false"],
            ["train", "validation", "test"],
            ["1 2 3 4", "2 3 4 5"],
            ["é", "ß", "日"],
            ["0", "1"],
            ["a b c d e", "f g h i"],
            ["'", '"', ";", "=1+1"],
            ["inf", "1"],
        ]
    )
    block = r.choice([1, 1, 3, 5])
    return [
        pool[(k // block) % len(pool)] if r.random() < 0.9 else r.choice(pool) for k in range(rows)
    ]


def mixed(r: random.Random, rows: int) -> list[str]:
    parts = [make(r, rows) for make in (dates, numbers, words)]
    return [r.choice(parts)[k] for k in range(rows)]


COLUMNS: list[Column] = [dates, numbers, numbers, counts, words, words, mixed]


def table(r: random.Random) -> pl.DataFrame:
    rows = r.choice([1, 2, 3, 8, 20, 40])
    names = r.sample(NAMES, r.randint(1, 8))
    cells = {name: r.choice(COLUMNS)(r, rows) for name in names}
    if r.random() < 0.4:
        for column in cells.values():
            for k in range(rows):
                column[k] = r.choice(MARKS) if r.random() < 0.1 else column[k]
    return pl.DataFrame(cells)


def written(frame: pl.DataFrame, separator: str, encoding: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows(frame.rows())
    return text.getvalue().encode(encoding, errors="replace")


def told(found: Understanding | str) -> object:
    """Return what must not depend on the order; an error names a row, which does."""
    if isinstance(found, str):
        return "refused"
    record = found.record()
    return {**record, "roles": dict(found.roles), "kinds": dict(found.kinds)}


def check_message(message: str, begin: str = "") -> None:
    """One sentence or two, on one line."""
    assert 10 < len(message) < 600, message
    assert "\n" not in message
    assert message.startswith(begin)


def tried(source: Source, options: Options) -> Understanding | str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = understand(source, options)
    except PenstockError as error:
        check_message(str(error))
        return str(error)
    assert str(found)
    assert found.rows >= 1
    assert set(found.roles) == set(found.kinds)
    return found


@settings(max_examples=TABLES, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_random_tables(seed: int) -> None:
    check_table(random.Random(seed))


def check_table(r: random.Random) -> None:
    frame = table(r)
    separator, encoding = r.choice(",;\t|"), r.choice(["utf-8", "utf-8-sig", "utf-16", "latin-1"])
    names = [n for n in frame.columns if n.strip()]
    task = r.choice([None, None, None, "forecast", "classify", "regress", "tag", "frames"])
    target = (r.choice(names),) if names and r.random() < 0.3 else ()
    options = Options(target=target, task=task)
    try:
        read, _, _ = read_delimited(written(frame, separator, encoding))
    except PenstockError as error:
        check_message(str(error))
        return
    found = tried(Source("data.csv", read), options)
    columns = r.sample(read.columns, len(read.columns))
    assert told(tried(Source("data.csv", read.select(columns)), options)) == told(found)
    if isinstance(found, Understanding) and "time" in found.roles.values():
        rows = r.sample(range(read.height), read.height)
        assert told(tried(Source("data.csv", read[rows]), options)) == told(found)


@pytest.mark.parametrize(
    "content", [b"\0\1\2\3" * 50, b"\xff" * 99, b"\x80abc\n" * 9, b"a,b\n\xff\xfe,\n"]
)
@pytest.mark.parametrize(
    "suffix",
    [
        "csv",
        "tsv",
        "parquet",
        "xlsx",
        "npz",
        "npy",
        "mat",
        "arff",
        "ts",
        "tsf",
        "fasta",
        "feather",
        "csv.gz",
    ],
)
def test_garbled_files_are_refused(
    content: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("garbled") / f"data.{suffix}"
    path.write_bytes(content)
    try:
        source = read_source(path)
    except PenstockError as error:
        check_message(str(error), str(path))
    else:
        assert suffix in ("csv", "tsv")
        tried(source, Options())

"""Ways in which published files are written, that were once misread."""

from pathlib import Path

import numpy as np
import pytest

import penstock
from penstock.errors import DataError


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_panel_of_years_is_not_one_series(tmp_path: Path) -> None:
    rows = "".join(
        f"{(k * 7 + n) % 13}.5,{n}.25,firm {k},{1935 + n}\n" for k in range(4) for n in range(20)
    )
    data = written(tmp_path, "panel.csv", "invest,capital,firm,year\n" + rows)
    with pytest.raises(DataError, match="several columns could be the values"):
        penstock.describe(data)
    found = penstock.describe(data, target="invest", past="capital")
    assert (found.series, found.frequency) == (4, "1y")
    assert (found.roles["firm"], found.roles["year"]) == ("id", "time")


def test_years_without_a_name_are_the_time(tmp_path: Path) -> None:
    rows = "".join(f"{1821 + n},{n * n % 17}\n" for n in range(40))
    found = penstock.describe(written(tmp_path, "a.csv", ",0\n" + rows))
    assert found.roles == {"": "time", "0": "target"}


def test_months_written_before_the_day(tmp_path: Path) -> None:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    rows = "".join(f"{months[n % 12]}-1-{1995 + n // 12},{n % 5}\n" for n in range(40))
    found = penstock.describe(written(tmp_path, "a.csv", "DATE,y\n" + rows))
    assert found.frequency == "1mo"


def test_channels_that_are_numbered_are_no_steps(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    head = "@problemName a\n@dimensions 4\n@classLabel true u v\n@data\n"
    channel = [[",".join(f"{x:.3f}" for x in draw.normal(size=20)) for _ in range(4)]
               for _ in range(10)]  # fmt: skip
    rows = "".join(":".join([*one, "uv"[k % 2]]) + "\n" for k, one in enumerate(channel))
    found = penstock.describe(written(tmp_path, "a.ts", head + rows))
    assert (found.series, found.lengths, found.rows) == (10, (20, 20, 20), 200)
    assert set(found.kinds.values()) == {"number", "category"}


def test_a_first_row_of_numbers_is_no_header_though_some_repeat(tmp_path: Path) -> None:
    rows = "".join(f"{n % 2}\t{n}.5\t{n}.5\n" for n in range(9))
    with pytest.raises(DataError, match="first line holds numbers"):
        penstock.describe(written(tmp_path, "a.tsv", "0\t0\t1.5\n" + rows))

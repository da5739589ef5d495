"""What options decide: which task it is, and which columns are made."""

from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock.errors import ArgumentError

PANEL = "invest,value,firm,year\n" + "".join(
    f"{(k * 7 + n) % 13}.5,{n}.25,General Motors {'abcd'[k]},{1935 + n}\n"
    for k in range(4)
    for n in range(20)
)


def described(folder: Path, text: str, **options: Any) -> Any:
    path = folder / "data.csv"
    path.write_text(text)
    return penstock.describe(path, **options)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"past": "value"}, "--past"),
        ({"known": "value"}, "--known"),
        ({"horizon": 2}, "--horizon"),
    ],
)
def test_options_for_series_make_a_forecast(
    options: dict[str, Any], word: str, tmp_path: Path
) -> None:
    found = described(tmp_path, PANEL, target="invest", **options)
    assert (found.task, found.series, found.frequency) == ("forecast", 4, "1y")
    assert found.why == f"{word} is for series in time"
    assert (found.roles["firm"], found.roles["invest"]) == ("id", "target")


def test_labels_without_a_doubt_stay_labels(tmp_path: Path) -> None:
    rows = "".join(f"s{k},{n},{k + n},{'uv'[k % 2]}\n" for k in range(12) for n in range(5))
    found = described(tmp_path, "id,t,x,kind\n" + rows, target="kind", past="x")
    assert (found.task, found.roles["x"]) == ("classify", "past")
    for option in ({"horizon": 3}, {"frequency": "1h"}):
        with pytest.raises(ArgumentError, match=f"cannot use --{next(iter(option))}.*--task fore"):
            described(tmp_path, "id,t,x,kind\n" + rows, target="kind", **option)

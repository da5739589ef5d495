from typing import Any

import numpy as np
import polars as pl
import pytest

from penstock.data import Options, Source
from penstock.data.samples import sample, samples
from penstock.data.understanding import understand
from penstock.errors import ArgumentError
from penstock.tasks import tasks

X = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
IDS = [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("sunspots", "forecast"),
        ("shops", "forecast"),
        ("gestures", "classify"),
        ("adding", "regress"),
        ("brackets", "tag"),
        ("rhyme", "text"),
        ("canon", "frames"),
    ],
)
def test_the_task_of_each_sample(name: str, task: str) -> None:
    understood = understand(sample(name), Options())
    assert understood.task == task
    assert understood.why


def test_each_task_but_bytes_has_a_sample() -> None:
    found = {understand(sample(name), Options()).task for name in samples()}
    assert found == {kind.asks for kind in tasks().values()} - {"bytes"}


@pytest.mark.parametrize(
    ("columns", "options", "task", "words"),
    [
        ({"date": range(6), "y": X}, {}, "forecast", "no column of labels"),
        ({"unique_id": IDS, "ds": [1, 2, 3] * 2, "y": X}, {}, "forecast", "series"),
        ({"a": X, "b": X}, {"target": ("a", "b")}, "forecast", "series"),
        ({"day": range(6), "sold": X}, {"target": ("sold",)}, "forecast", "series"),
        ({"day": range(6), "sold": range(6)}, {"target": ("sold",)}, "forecast", "series"),
        ({"id": IDS, "x": X, "label": [*"aaabbb"]}, {}, "classify", "'label' gives each id one of"),
        ({"id": IDS, "x": X, "class": [0, 0, 0, 1, 1, 1]}, {}, "classify", "'class'"),
        ({"id": IDS, "x": X, "Label": [0.1] * 3 + [0.7] * 3}, {}, "regress", "a number"),
        ({"id": IDS, "x": X, "age": [4] * 3 + [5] * 3}, {"target": ("age",)}, "classify", "one"),
        ({"case": IDS, "x": X, "z": [0.5] * 3 + [1.5] * 3}, {"target": ("z",), "id": "case"},
         "regress", "'z' gives each id a number"),
        ({"id": IDS, "word": [*"uvwuvw"], "tag": [*"ababab"]}, {}, "tag", "at every step"),
        ({"x": X, "state": [*"ababab"]}, {"target": ("state",)}, "tag", "the one sequence"),
        ({"t1": X, "t2": X, "t3": X, "label": [*"aabbcc"]}, {}, "classify", "each row"),
        ({"t1": X, "t2": X, "t3": X, "label": X}, {}, "regress", "each row"),
        ({f"n{k}": [0, 1, 0, 1, 1, 1] for k in range(9)}, {}, "frames", "ones and zeros"),
        ({f"n{k}": [0, 1, 0, 1, 1, 2] for k in range(9)}, {}, "forecast", "series"),
        ({"id": IDS, **{f"n{k}": [0, 1] * 3 for k in range(9)}}, {}, "frames", "ones and zeros"),
    ],
)  # fmt: skip
def test_the_task_of_a_table(
    columns: dict[str, Any], options: dict[str, Any], task: str, words: str
) -> None:
    understood = understand(Source("data.csv", pl.DataFrame(columns)), Options(**options))
    assert understood.task == task
    assert words in understood.why


@pytest.mark.parametrize(
    ("source", "task"),
    [
        (Source("a.txt", text="größe".encode()), "text"),
        (Source("a.txt", text=b"\xff\xfe\x00"), "bytes"),
        (Source("a.npz", arrays={"a": np.zeros((3, 9))}), "frames"),
    ],
)
def test_the_task_of_other_files(source: Source, task: str) -> None:
    assert understand(source, Options()).task == task


def test_unknown_names_are_named() -> None:
    with pytest.raises(ArgumentError, match="did you mean 'sunspots'"):
        sample("sunspot")
    with pytest.raises(ArgumentError, match="'labl'"):
        understand(sample("gestures"), Options(target=("labl",)))


@pytest.mark.parametrize("name", sorted(samples()))
def test_samples_are_the_same_every_time(name: str) -> None:
    one, other = sample(name), sample(name)
    assert one.text == other.text
    if one.table is not None and other.table is not None:
        assert one.table.equals(other.table)
    for key, array in (one.arrays or {}).items():
        assert np.array_equal(array, (other.arrays or {})[key])

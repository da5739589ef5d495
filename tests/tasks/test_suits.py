"""One place decides what is to be learned; a tie is an error."""

from typing import Any

import numpy as np
import polars as pl
import pytest

import penstock
from penstock.data import Source
from penstock.data.samples import sample, samples
from penstock.data.understanding.suits import RULES, Degree, Facts, Labels, Suit, decide
from penstock.errors import ArgumentError
from penstock.tasks import tasks


def everything() -> list[Facts]:
    """Return all facts that there can be."""
    kinds = [(w, c, s) for w in (False, True) for c in (False, True) for s in (False, True)]
    labels = [None, *(Labels("y", "each id", *kind) for kind in kinds)]
    tables = [Facts("table", binary, one) for binary in (False, True) for one in labels]
    return [*tables, Facts("arrays"), Facts("arrays", True), Facts("text"), Facts("bytes")]


@pytest.mark.parametrize("facts", everything(), ids=str)
def test_some_task_suits_all_data_and_never_two_alike(facts: Facts) -> None:
    suit = decide(facts)
    assert suit.why
    assert suit == RULES[suit.task](facts)


def test_a_tie_names_the_alternatives() -> None:
    """A rule that came first in the alphabet would have won in silence."""
    rules = {
        "aaa": lambda _: Suit("aaa", Degree.MADE_FOR, "it comes first"),
        "bbb": lambda _: Suit("bbb", Degree.MADE_FOR, "it comes second"),
        "ccc": lambda _: Suit("ccc", Degree.ALLOWED, "it is worse"),
    }
    with pytest.raises(ArgumentError) as caught:
        decide(Facts("table"), rules)
    assert "aaa, as it comes first; bbb, as it comes second" in str(caught.value)
    assert "--task" in str(caught.value)
    assert "ccc" not in str(caught.value)
    rules["ccc"] = lambda _: Suit("ccc", Degree.ASKED, "it is best")
    assert decide(Facts("table"), rules).task == "ccc"


def test_each_task_asks_for_what_can_be_decided() -> None:
    assert {kind.asks for kind in tasks().values()} == {*RULES}


X, IDS = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], [1, 1, 1, 2, 2, 2]
BITS = {f"n{k}": [0, 1, 0, 1, 1, 1] for k in range(9)}
TABLES: dict[str, dict[str, Any]] = {
    "one series": {"date": range(6), "y": X},
    "two series": {"a": X, "b": X},
    "series, long": {"unique_id": IDS, "ds": [1, 2, 3] * 2, "y": X},
    "classes": {"id": IDS, "x": X, "label": [*"aaabbb"]},
    "numbers": {"id": IDS, "x": X, "label": [0.1] * 3 + [0.7] * 3},
    "steps": {"id": IDS, "word": [*"uvwuvw"], "tag": [*"ababab"]},
    "a row each": {"t1": X, "t2": X, "t3": X, "label": [*"aabbcc"]},
    "frames": BITS,
    "frames, long": {"id": IDS, **BITS},
    "labels beside frames": {"id": IDS, **BITS, "label": [*"aaabbb"]},
}


@pytest.mark.parametrize("name", sorted(samples()))
def test_each_sample_is_taken_for_a_task_that_there_is(name: str) -> None:
    assert penstock.describe(sample(name)).task in tasks()


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", ["polars", "pandas", "arrow"])
def test_the_task_of_each_layout(name: str, kind: str) -> None:
    frame = pl.DataFrame(TABLES[name])
    table = frame if kind == "polars" else getattr(frame, f"to_{kind}")()
    described = penstock.describe(table)
    expected = {"one": "forecast", "two": "forecast", "series,": "forecast", "classes": "classify",
                "numbers": "regress", "steps": "tag", "a": "classify", "frames": "frames",
                "frames,": "frames", "labels": "classify"}  # fmt: skip
    assert described.task == expected[name.split(maxsplit=1)[0]]


@pytest.mark.parametrize(
    ("source", "task"),
    [
        (Source("a.txt", text="größe".encode()), "text"),
        (Source("a.bin", text=b"\xff\xfe\x00"), "bytes"),
        (Source("a.npz", arrays={"a": np.zeros((3, 9))}), "frames"),
    ],
)
def test_the_task_of_other_files(source: Source, task: str) -> None:
    assert penstock.describe(source).task == task


@pytest.mark.parametrize("name", [*RULES])
def test_a_task_that_is_named_is_taken(name: str) -> None:
    sources = {"text": "rhyme", "bytes": "rhyme", "frames": "canon",
               "classify": "gestures", "regress": "adding", "tag": "brackets",
               "forecast": "sunspots"}  # fmt: skip
    assert penstock.describe(sample(sources[name]), task=name).task == name

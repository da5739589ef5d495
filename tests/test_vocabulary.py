"""The vocabulary names modules that are there, and each word stands in its module."""

import importlib.util
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "vocabulary.md"
LINES = re.findall(r"^\| (\w+) \| .+ \| `([\w.]+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)


def test_a_word_has_one_line():
    words = [word for word, _ in LINES]
    assert len(words) >= 20
    assert len({*words}) == len(words)


@pytest.mark.parametrize(("word", "module"), LINES)
def test_a_word_stands_in_its_module(word, module):
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    assert word in Path(found.origin).read_text("utf-8").lower()

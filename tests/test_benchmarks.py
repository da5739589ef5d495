"""Figures in the README are those that a benchmark has written."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import table  # noqa: E402


def test_the_readmes_table_is_of_the_kept_figures():
    latest = max((ROOT / "benchmarks" / "results").glob("speed-*.json"))
    made = table.table(json.loads(latest.read_text("utf-8")))
    readme = (ROOT / "README.md").read_text("utf-8")
    assert made in readme, f"README's table is not that of {latest.name}:\n{made}"
    assert latest.name in readme


def test_the_readmes_verdicts_are_what_the_benchmark_printed():
    """Some lines are left out, where three dots say so; none is changed, and none out of order."""
    printed = (ROOT / "benchmarks" / "results" / "verdicts.txt").read_text("utf-8").splitlines()
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme.partition("```text\n")[2].partition("```")[0].splitlines()
    rest = iter(printed)
    assert len(shown) > 10
    for line in shown:
        assert line in ("…", "") or line in rest, f"not printed, or not there: {line}"

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

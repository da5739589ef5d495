"""Comparisons on public data beside published results: python benchmarks/published.py [NAME …].

The data are those that the package aeon ships, with their own split into training and test
(python -m pip install --no-deps aeon), and sequences made here; each is compared by the command
line, within a time. Prints a table, and writes benchmarks/results/published-NAME.json.

Published accuracies: ED is one nearest neighbour by Euclidean distance, DTW by dynamic time
warping (Dau et al. 2018, arXiv:1810.07758; of several columns Bagnall et al. 2018,
arXiv:1811.00075). The adding problem (Hochreiter & Schmidhuber 1997) counts as solved at a mean
squared error far below 1/6, that of always saying 1.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
        data: from a folder to write to, to what the command line is given.
        options: of `penstock compare`.
        published: what others reached, in words.
    """

    data: Callable[[Path], list[str]]
    options: Sequence[str]
    published: str


def shipped(name: str) -> Callable[[Path], list[str]]:
    """Return where aeon has a data set, in two files."""

    def files(_: Path) -> list[str]:
        found = importlib.util.find_spec("aeon")
        if found is None or found.origin is None:
            raise SystemExit("aeon is not installed: python -m pip install --no-deps aeon")
        folder = Path(found.origin).parent / "datasets" / "data" / name
        return [str(folder / f"{name}_TRAIN.ts"), "--test", str(folder / f"{name}_TEST.ts")]

    return files


def adding(steps: int, count: int = 4000) -> Callable[[Path], list[str]]:
    """Return the adding problem: two of the numbers are marked, and their sum is the label."""

    def files(folder: Path) -> list[str]:
        draw = np.random.default_rng(0)
        values = draw.random((count, steps))
        marks = np.zeros((count, steps))
        half = steps // 2
        for row, (a, b) in enumerate(draw.integers(0, half, (count, 2))):
            marks[row, [a, half + b]] = 1
        table = {
            "id": np.repeat(np.arange(count), steps),
            "value": values.ravel(),
            "marked": marks.ravel(),
            "sum": np.repeat((values * marks).sum(axis=1), steps),
        }
        pl.DataFrame(table).write_parquet(folder / "adding.parquet")
        return [
            str(folder / "adding.parquet"),
            "--task",
            "regress",
            "--target",
            "sum",
            "--id",
            "id",
        ]

    return files


WHOLE = ["--bidirectional", "--seeds", "3"]
CASES = {
    "JapaneseVowels": Case(
        shipped("JapaneseVowels"), [*WHOLE, "--time", "6m"], "accuracy: ED .924, DTW .949"
    ),
    "ItalyPowerDemand": Case(
        shipped("ItalyPowerDemand"), [*WHOLE, "--time", "4m"], "accuracy: ED .955, DTW .950"
    ),
    "GunPoint": Case(
        shipped("GunPoint"),
        [*WHOLE, "--cells", "gru,lstm,lru,min_gru", "--time", "8m"],
        "accuracy: ED .913, DTW .907",
    ),
    "BasicMotions": Case(
        shipped("BasicMotions"), [*WHOLE, "--time", "4m"], "accuracy: ED .676, DTW .975"
    ),
    "ArrowHead": Case(
        shipped("ArrowHead"), [*WHOLE, "--time", "4m"], "accuracy: ED .800, DTW .703"
    ),
    "adding-200": Case(
        adding(200),
        [
            "--cells",
            "gru,lstm",
            "--seeds",
            "3",
            "--size",
            "medium",
            "--rates",
            "0.01",
            "--time",
            "8m",
        ],
        "solved by LSTM and GRU",
    ),
}


def run(name: str) -> str:
    """Run a case; return its row of the table."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        out = ["--out", str(folder / "out")]
        command = ["penstock", "compare", *case.data(folder), *case.options, *out]
        subprocess.run(command, check=True)
        results = json.loads((folder / "out" / "results.json").read_text())
    ranked = [one for one in results["contestants"] if one["metrics"]]
    kept = {
        "options": list(case.options),
        "seconds": results["times"]["total"],
        "verdict": results["verdict"]["sentences"],
        "contestants": {
            one["name"]: {
                "kind": one["kind"],
                "metrics": one["metrics"],
                "parameters": one.get("recurrent_parameters"),
            }
            for one in ranked
        },
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"published-{name}.json").write_text(json.dumps(kept, indent=1))
    metric = "accuracy" if "accuracy" in results["metrics"] else "RMSE"
    best = {
        kind: next((o for o in ranked if (o["kind"] == "cell") == kind), None)
        for kind in (True, False)
    }
    shown = [f"{one['name']} {one['metrics'][metric]:.3f}" if one else "–" for one in best.values()]
    return f"| {name} | {metric} | {' | '.join(shown)} | {case.published} | {kept['seconds']:.0f} |"


if __name__ == "__main__":
    rows = [run(name) for name in sys.argv[1:] or CASES]
    print("| data | metric | best cell | best baseline | published | seconds |")
    print("|---|---|---|---|---|---|")
    print("\n".join(rows))

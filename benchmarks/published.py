"""Comparisons on public data beside published results.

    python benchmarks/published.py NAME …    compares, and writes results/published-NAME.json
    python benchmarks/published.py           does so with all
    python benchmarks/published.py --table   prints what is written as a table

The data are those that the package aeon ships, with their own split into training and test
(python -m pip install --no-deps aeon), sequences made here, and Python's standard library as a
text; each is compared by the command line, within a time.

Published accuracies: ED is one nearest neighbour by Euclidean distance, DTW by dynamic time
warping (Dau et al. 2018, arXiv:1810.07758; of several columns Bagnall et al. 2018,
arXiv:1811.00075). The adding problem (Hochreiter & Schmidhuber 1997) counts as solved at a mean
squared error far below 1/6, that of always saying 1.
"""

import importlib.util
import json
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
    """Return where aeon has a data set, in two files, or a series, in one."""

    def files(_: Path) -> list[str]:
        found = importlib.util.find_spec("aeon")
        if found is None or found.origin is None:
            raise SystemExit("aeon is not installed: python -m pip install --no-deps aeon")
        folder = Path(found.origin).parent / "datasets" / "data" / name
        if (folder / f"{name}.csv").exists():
            return [str(folder / f"{name}.csv")]
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
        columns = ["--task", "regress", "--target", "sum", "--id", "id"]
        return [str(folder / "adding.parquet"), *columns]

    return files


def copying(steps: int, count: int = 2000) -> Callable[[Path], list[str]]:
    """Return the copy problem: three of four symbols, told again after blanks."""

    def files(folder: Path) -> list[str]:
        draw = np.random.default_rng(0)
        symbols = np.full((count, steps), "_")
        symbols[:, :3] = draw.choice(list("abcd"), (count, 3))
        symbols[:, -3:] = "?"
        labels = np.full((count, steps), None, dtype=object)
        labels[:, -3:] = symbols[:, :3]
        return [_written(folder / "copy.parquet", symbols, labels), "--task", "tag"]

    return files


def brackets(steps: int, count: int = 1000) -> Callable[[Path], list[str]]:
    """Return brackets among letters; the label of a step is how deep it is, from 0 to 9."""

    def files(folder: Path) -> list[str]:
        draw = np.random.default_rng(0)
        moves = draw.choice([-1, 0, 1], (count, steps), p=[0.2, 0.5, 0.3])
        depths, depth = [], np.zeros(count, dtype=int)
        for t in range(steps):
            after = (depth + moves[:, t]).clip(0, 9)
            moves[:, t], depth = after - depth, after
            depths.append(depth)
        letters = draw.choice(list("abc"), (count, steps))
        symbols = np.where(moves == 0, letters, np.where(moves > 0, "(", ")"))
        labels = np.char.add("depth ", np.stack(depths, axis=1).astype(str))
        return [_written(folder / "brackets.parquet", symbols, labels), "--task", "tag"]

    return files


def standard_library(size: int) -> Callable[[Path], list[str]]:
    """Return the modules of Python's standard library as a text, one after the other by name."""

    def files(folder: Path) -> list[str]:
        modules = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
        text = "".join(module.read_text("utf-8") for module in modules)
        (folder / "stdlib.txt").write_text(text[:size], "utf-8")
        return [str(folder / "stdlib.txt")]

    return files


def _written(file: Path, symbols: NDArray[Any], labels: NDArray[Any]) -> str:
    count, steps = symbols.shape
    table = {
        "id": np.repeat(np.arange(count), steps),
        "symbol": symbols.ravel(),
        "label": pl.Series(labels.ravel().tolist(), dtype=pl.String),
    }
    pl.DataFrame(table).write_parquet(file)
    return str(file)


METRICS = "accuracy", "MASE", "RMSE", "bits per character"
WHOLE = ["--bidirectional", "--seeds", "3"]
MANY = ["--cells", "rnn,lstm,gru,qrnn,sru"]
FEW = ["--parameters", "16000", "--layers", "2", "--batch-size", "16"]  # sequences
PLAIN = ["--seeds", "3", "--parameters", "16000", "--layers", "1", "--dropout", "0"]
TEXT = ["--cells", "lstm", "--seeds", "1", "--parameters", "500000", "--layers", "1",
        "--dropout", "0.3", "--workers", "1"]  # fmt: skip
CASES = {
    "JapaneseVowels": Case(
        shipped("JapaneseVowels"), [*WHOLE, *MANY, "--time", "6m"], "accuracy: ED .924, DTW .949"
    ),
    "ItalyPowerDemand": Case(
        shipped("ItalyPowerDemand"), [*WHOLE, "--time", "4m"], "accuracy: ED .955, DTW .950"
    ),
    "GunPoint": Case(
        shipped("GunPoint"),
        [*WHOLE, "--cells", "gru,qrnn,sru", *FEW, "--time", "8m"],
        "accuracy: ED .913, DTW .907",
    ),
    "BasicMotions": Case(
        shipped("BasicMotions"), [*WHOLE, "--time", "4m"], "accuracy: ED .676, DTW .975"
    ),
    "ArrowHead": Case(
        shipped("ArrowHead"), [*WHOLE, "--time", "4m"], "accuracy: ED .800, DTW .703"
    ),
    "Airline": Case(shipped("Airline"), ["--time", "90s"], "none on this split"),
    "Lynx": Case(shipped("Lynx"), ["--time", "90s"], "none on this split"),
    "adding-200": Case(
        adding(200),
        ["--cells", "gru,lstm", *PLAIN, "--rates", "0.01", "--time", "8m"],
        "solved by LSTM and GRU",
    ),
    "copy-100": Case(
        copying(100),
        ["--cells", "gru,lstm,lru", *PLAIN, "--time", "5m"],
        "solved by orthogonal networks, not by the LSTM (arXiv:1511.06464)",
    ),
    "brackets-200": Case(
        brackets(200),
        ["--cells", "rnn,gru,lstm", *PLAIN, "--time", "5m"],
        "the LSTM counts better than the GRU (arXiv:1805.04908)",
    ),
    "standard-library": Case(
        standard_library(3_200_000),
        [*TEXT, "--rates", "0.002", "--batch-size", "32", "--context", "100",
         "--steps", "100000", "--time", "29m"],
        "none on this text",
    ),
}  # fmt: skip


def run(name: str) -> None:
    """Run a case and write what came out."""
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


def table() -> str:
    """Return what is written as a table."""
    rows = ["| data | metric | best cell | best baseline | published | seconds |", "|---" * 6 + "|"]
    for name, case in CASES.items():
        kept = json.loads((FOLDER / f"published-{name}.json").read_text())
        ranked = kept["contestants"]
        one = next(iter(ranked.values()))["metrics"]
        metric = next(known for known in METRICS if known in one)
        best = [next((k for k, of in ranked.items() if (of["kind"] == "cell") == cell), None)
                for cell in (True, False)]  # fmt: skip
        shown = [f"{k} {ranked[k]['metrics'][metric]:.3f}" if k else "–" for k in best]
        cells = [name, metric, *shown, case.published, f"{kept['seconds']:.0f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["--table"]:
        print(table())
    else:
        for name in sys.argv[1:] or CASES:
            run(name)

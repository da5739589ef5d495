"""How often a verdict is false: twins, nulls and known differences, with Wilson intervals.

    python benchmarks/calibration.py --data 200 --scores 2000 --out calibration.json

is the full size: 200 data sets of each kind, ten trainings of 60 steps each, and 2,000 made tables
of scores a row (200 of 44 cells), judged without a training. Either may be asked for alone. The
trainings go on where they were cut off: the data sets of a number are a line of the file beside the
result, OUT with the ending .jsonl, and what is there is not trained again.

- **Twins** are one cell under several names, with other random draws: whoever wins is a false
  winner, and any two that are told apart are told apart falsely.
- **Nulls** are data that cannot be foretold better than a baseline does: random labels, a
  random walk, white noise (against the best of the baselines), noise whose spread changes every
  fifty rows. A cell that "beats naive" does so falsely.
- **Known differences** are made tables in which one cell is better by a known amount, in units of
  the standard deviation of its seeds: the share of cases in which it is found.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from penstock.comparison.judging.comparisons import Differences, compare_all
from penstock.comparison.judging.contestants import ranked
from penstock.comparison.judging.verdict import judge
from penstock.comparison.request import Request
from penstock.comparison.run import run_comparison
from penstock.data import Options, Source
from penstock.record.contestants import BaselineContestant, CellContestant, Contestant, Trial
from penstock.record.results import Record, Verdict
from penstock.record.structure import Setting, Structure
from penstock.tasks import find_task
from penstock.training.loop import Budget

SETTING = Setting(1e-3, 4000)

SEEDS, CELLS, BLOCKS = (1, 2, 3, 5, 10), (2, 3, 10, 44), 10
_MOST_SEEDS = 5  # that are trained; fewer are a part of these
_QUICK = Budget(steps=60, round_steps=10, batch_size=32, learning_rate=1e-2)
ENTRANT: Any = {"rank": 1, "intervals": {}, "profile": [], "predictions": []}
COST: Any = {
    "structure": Structure(1), "parameters": 0, "recurrent_parameters": 0, "flops_per_step": 0,
    "setting": SETTING,
}  # fmt: skip

Counts = dict[str, list[int]]  # of cases that were false, and of all


def wilson(count: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    share, extra = count / of, z * z / of
    middle = (share + extra / 2) / (1 + extra)
    half = z / (1 + extra) * math.sqrt(share * (1 - share) / of + extra / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def cell(name: str, rows: np.ndarray) -> CellContestant:
    """Return a cell whose scores are rows [S, K]."""
    trials = [Trial(s, SETTING, "finished", "", blocks=row.tolist()) for s, row in enumerate(rows)]
    mean = {"score": float(rows.mean())}
    return CellContestant(
        **ENTRANT, **COST, name=name, metrics=mean, blocks=rows.tolist(), trials=trials
    )


def naive(name: str, row: np.ndarray) -> BaselineContestant:
    """Return a baseline whose scores are [K]."""
    mean = {"score": float(row.mean())}
    return BaselineContestant(
        **ENTRANT, kind="naive", name=name, metrics=mean, blocks=[row.tolist()]
    )


def judged(contestants: Sequence[Contestant]) -> tuple[Verdict, bool]:
    """Return the verdict, and whether any two cells are told apart beyond doubt."""
    order = ranked(contestants, "score")
    comparisons = compare_all(order)
    names = [one.name for one in order if isinstance(one, BaselineContestant)]
    table = Differences(order, comparisons)
    apart = any(table.below(a, b) for a in table.cells for b in table.cells if a != b)
    return judge(order, comparisons, names), apart


def made(rng: np.random.Generator, cells: int, seeds: int, better: float = 0.0) -> list[Contestant]:
    """Return cells that are equals but for the first, and a baseline at their level.

    Of a score one part is the block's own, one the seed's, one the cell's on the block, and one of
    all three; the baseline has no seed.
    """
    hard = rng.standard_normal(BLOCKS)
    rows = [
        hard
        + 0.5 * rng.standard_normal((seeds, 1))
        + 0.5 * rng.standard_normal(BLOCKS)
        + 0.5 * rng.standard_normal((seeds, BLOCKS))
        for _ in range(cells)
    ]
    rows[0] = rows[0] - better
    other = hard + 0.5 * rng.standard_normal(BLOCKS)
    return [*(cell(f"c{k}", each) for k, each in enumerate(rows)), naive("naive", other)]


def tables(draws: int, cells: Sequence[int] = CELLS, seeds: Sequence[int] = SEEDS) -> Counts:
    """Return what is said of made tables of scores."""
    counts: Counts = {}
    for few in seeds:
        for several in cells:
            rng = np.random.default_rng([few, several])
            for _ in range(draws if several < 44 else draws // 10):
                contestants = made(rng, several, few)
                verdict, apart = judged(contestants)
                useful = verdict.recommended is not None
                far = naive("naive", np.full(BLOCKS, 50.0) + rng.standard_normal(BLOCKS))
                winner = judged([*contestants[:-1], far])[0].winner is not None
                row = f"made tables, S={few}, {several} cells: "
                for what, false in (
                    ("a pair told apart", apart),
                    ("a cell beats an equal baseline", useful),
                    ("a winner", winner),
                ):
                    enter(counts, row + what, false)
        for better in (0.5, 1.0, 1.5, 2.0):
            rng = np.random.default_rng([few, int(10 * better)])
            for _ in range(draws // 4):
                contestants = [*made(rng, 3, few, better)[:-1], naive("naive", np.full(10, 50.0))]
                row = f"made tables, S={few}, 3 cells, better by {2 * better:g} seed SD: found"
                enter(counts, row, judged(contestants)[0].winner == "c0")
    return counts


def enter(counts: Counts, row: str, happened: bool) -> None:
    """Count a case."""
    tally = counts.setdefault(row, [0, 0])
    tally[0] += happened
    tally[1] += 1


def data_sets(number: int) -> Iterator[tuple[str, str, Source]]:
    """Yield name, task and data of each kind, drawn anew for each number."""
    rng = np.random.default_rng(number)
    noise, days = rng.standard_normal(500), np.arange(500)
    loud = 1 + 4 * (days // 50 % 2)
    season = np.sin(2 * np.pi * days / 12) + 0.5 * noise
    for name, values in (
        ("random walk", noise.cumsum()),
        ("white noise", noise),
        ("regimes", loud * noise),
        ("season", season),
    ):
        yield name, "forecast", Source(name, table=pl.DataFrame({"ds": days, "y": values}))
    steps, count = 8, 200
    frame = pl.DataFrame(
        {
            "id": np.repeat(np.arange(count), steps).astype(str),
            "step": np.tile(np.arange(steps), count),
            "x": rng.standard_normal(count * steps),
            "label": np.repeat(rng.choice(["a", "b"], count), steps),
        }
    )
    yield "random labels", "classify", Source("labels", table=frame)


def trained(task_name: str, source: Source) -> Record:
    """Return a comparison of a GRU with the seeds of two: twins are halves of them."""
    kind = find_task(task_name)
    options = Options(task=task_name, **({"target": ("label",)} if task_name == "classify" else {}))
    task = kind.prepare(kind.read(source, options), 1 if task_name == "forecast" else None)
    with tempfile.TemporaryDirectory() as folder:
        asked = Request(
            cells=["gru"],
            seeds=2 * _MOST_SEEDS,
            rates=[_QUICK.learning_rate],
            out=Path(folder) / "out",
        )
        return run_comparison(task, asked, budget=_QUICK)


def twins(record: Record, seeds: int) -> list[Contestant]:
    """Return two cells, each with other seeds of the same, and the baselines."""
    (gru,) = [one for one in record.contestants if isinstance(one, CellContestant)]
    naive_ones = [one for one in record.contestants if one is not gru]
    halves = [gru.measured[:_MOST_SEEDS], gru.measured[_MOST_SEEDS:]]
    score = record.metrics[0]
    pair = []
    for name, half in zip(("one", "other"), halves, strict=True):
        some = [replace(trial, seed=k) for k, trial in enumerate(half[:seeds])]
        mean = float(np.mean([trial.metrics[score] for trial in some]))
        blocks = [trial.blocks for trial in some]
        mine = {"metrics": {"score": mean}, "blocks": blocks, "trials": some, "times": {}}
        pair.append(replace(gru, name=name, **mine))
    return [*pair, *(replace(one, metrics={"score": one.metrics[score]}) for one in naive_ones)]


def one_number(number: int) -> list[dict[str, Any]]:
    """Return what happened on the data sets of a number."""
    happened = []
    for name, task, source in data_sets(number):
        record = trained(task, source)
        for seeds in (1, 3, _MOST_SEEDS):
            contestants = twins(record, seeds)
            verdict, apart = judged(contestants)
            row = f"trained, {name}, S={seeds}: "
            happened.append({"row": row + "twins told apart", "happened": apart})
            happened.append({"row": row + "a winner among twins", "happened": bool(verdict.winner)})
            if name != "season":
                useful = verdict.recommended is not None
                happened.append({"row": row + "a cell beats naive", "happened": useful})
    return happened


def kept(path: Path) -> dict[int, list[dict[str, Any]]]:
    """Return what there is of a run that was cut off, whole lines alone."""
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
    told = [json.loads(line) for line in lines if line.endswith("\n")]
    return {one["number"]: one["happened"] for one in told}


def trainings(data: int, path: Path) -> Counts:
    """Return what happened on data sets, of which a file keeps those that are done."""
    done = kept(path)
    path.write_text(
        "".join(json.dumps({"number": n, "happened": h}) + "\n" for n, h in done.items()), "utf-8"
    )
    counts: Counts = {}
    for number in range(data):
        if number not in done:
            done[number] = one_number(number)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"number": number, "happened": done[number]}) + "\n")
            print(f"{number + 1} of {data}", file=sys.stderr)
        for one in done[number]:
            enter(counts, one["row"], one["happened"])
    return counts


def main() -> None:
    """Run what is asked for, and write the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=int, default=0, help="numbers, five data sets each")
    parser.add_argument("--scores", type=int, default=0, help="made tables for each row")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    counts = tables(asked.scores) if asked.scores else {}
    if asked.data:
        counts |= trainings(asked.data, asked.out.with_suffix(".jsonl"))
    rows = [
        {"row": row, "count": count, "of": of, "share": count / of, "interval": wilson(count, of)}
        for row, (count, of) in counts.items()
    ]
    about = {"data": asked.data, "scores": asked.scores, "rows": rows}
    asked.out.write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    for one in rows:
        low, high = one["interval"]
        print(f"{one['row']}: {one['share']:.3f} ({low:.3f} to {high:.3f}), {one['of']} cases")


if __name__ == "__main__":
    main()

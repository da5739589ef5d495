"""How often a verdict is false: twins, nulls and known differences, with Wilson intervals.

    python benchmarks/calibration.py --tables 1000 --data 200 --out calibration.json
    python benchmarks/calibration.py --page calibration.json > docs/calibration.md

The first is the full size: 1,000 made tables of scores a row (200 of 44 cells), judged without a
training, and of each kind of data 200 sets, on each of which thirty networks are trained. Either
may be asked for alone; what is not asked for stays as it is in OUT. Trainings go on where they were
cut off: what happened on a data set is a line of the file beside the result, OUT with the ending
.jsonl, and what is there is not trained again. `--kinds` names some kinds of data alone, so that
several may run side by side, each with its own OUT; their .jsonl files put together and OUT alone
given, with neither --tables nor --data, all that is kept is counted.

- **Twins** are one cell under several names, with other random draws: whoever wins is a false
  winner, and any two that are told apart are told apart falsely.
- **Nulls** are data that nothing can predict better than a baseline: random labels, a random walk,
  white noise, noise whose spread changes every fifty rows, the text of a Markov chain. A cell that
  "beats every baseline" does so falsely.
- **Known differences** are made tables in which one cell is better by a known amount.
- **Fresh data** tell whether "±" holds what it says: much more of the same, and the same networks.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from calibrating import page, tables
from calibrating.shares import Row, Tally, together, wilson

SEEDS, CELLS, MANY = (1, 2, 3, 5, 10), (2, 3, 10), 44
KINDS = (
    "forecast: random walk", "forecast: white noise", "forecast: regimes",
    "forecast: random regimes", "forecast: season",
    "classify: random labels", "classify: sums", "tag: running sums", "text: Markov chain",
)  # fmt: skip

Work = Callable[[str, int], Tally]


def made(draws: int) -> tuple[Tally, list[dict[str, float]]]:
    """Return what is said of made tables of scores, and the luck of the best."""
    kinds, some = list(tables.KINDS), max(1, draws // 5)
    jobs = [
        *(partial(tables.equals, draws, kinds, cells, seeds) for seeds in SEEDS for cells in CELLS),
        *(partial(tables.equals, some, ["even"], MANY, seeds) for seeds in (3, 5)),
        *(partial(tables.two_best, draws, seeds) for seeds in (3, 5, 10)),
        *(partial(tables.power, some, cells, seeds) for seeds in (3, 5, 10) for cells in CELLS),
        *(partial(tables.resplits, draws, splits) for splits in (5, 10, 30)),
    ]
    tallies = []
    with ProcessPoolExecutor() as pool:
        for number, tally in enumerate(pool.map(_call, jobs), start=1):
            tallies.append(tally)
            print(f"tables: {number} of {len(jobs)}", file=sys.stderr, flush=True)
    chosen = [
        row
        for seeds in (3, 5)
        for cells in (*CELLS, MANY)
        for row in tables.luck(some, kinds, cells, seeds)
    ]
    return together(tallies), chosen


def _call(job: Callable[[], Tally]) -> Tally:
    return job()


def trainings(
    data: int, path: Path, kinds: Sequence[str] = KINDS, one: Work | None = None
) -> Tally:
    """Return what happened on so many data sets of each kind; a file keeps those that are done."""
    if one is None:
        from calibrating import trained

        one = trained.one
    done = {(line["data"], line["number"]): _tally(line["rows"]) for line in _kept(path)}
    for number in range(data):
        for name in kinds:
            if (name, number) not in done:
                done[name, number] = one(name, number)
                _append(path, name, number, done[name, number])
        print(f"data sets of each kind: {number + 1} of {data}", file=sys.stderr)
    return together(tally for (_, number), tally in done.items() if number < data)


def _append(path: Path, name: str, number: int, tally: Tally) -> None:
    rows = [[*row[1:], *counts] for row, counts in tally.counts.items()]
    line = json.dumps({"data": name, "number": number, "rows": rows}, ensure_ascii=False)
    whole = path.read_text("utf-8") if path.exists() else ""
    cut = whole[whole.rfind("\n") + 1 :]  # a line that was not written to its end
    with path.open("a", encoding="utf-8") as file:
        file.write(("\n" if cut else "") + line + "\n")


def _kept(path: Path) -> Iterator[dict[str, Any]]:
    """Give the whole lines of a file."""
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            kept = json.loads(line)
        except ValueError:
            continue  # it was cut off
        yield {**kept, "rows": [[kept["data"], *row] for row in kept["rows"]]}


def _tally(rows: Sequence[Sequence[Any]]) -> Tally:
    counts: dict[Row, list[int]] = {
        (data, seeds, cells, claim): [count, of] for data, seeds, cells, claim, count, of in rows
    }
    return Tally(counts)


def main() -> None:
    """Run what is asked for, or print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=0, help="made tables for each row")
    parser.add_argument("--data", type=int, default=0, help="data sets of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS), help="with commas between")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", type=Path, help="print these results as a page")
    asked = parser.parse_args()
    if asked.page:
        print(page.page(json.loads(asked.page.read_text("utf-8")), asked.page.name), end="")
        return
    if asked.out is None:
        parser.error("say where results go with --out, or what to print with --page")
    results: dict[str, Any] = {"tables": [], "luck": [], "trained": []}
    if asked.out.exists():
        results = json.loads(asked.out.read_text("utf-8"))
    if asked.tables:
        tally, results["luck"] = made(asked.tables)
        results["tables"] = tally.rows()
    kept = asked.out.with_suffix(".jsonl")
    if asked.data:
        results["trained"] = trainings(asked.data, kept, tuple(asked.kinds.split(","))).rows()
    elif not asked.tables:
        results["trained"] = together(_tally(line["rows"]) for line in _kept(kept)).rows()
    lines = ",\n".join(f'"{name}": {_rows(value)}' for name, value in results.items())
    asked.out.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    for row in (*results["tables"], *results["trained"]):
        low, high = wilson(row["count"], row["of"])
        about = f"{row['data']}, S={row['seeds']}, {row['cells']} cells, {row['claim']}"
        print(f"{about}: {row['count'] / row['of']:.3f} ({low:.3f} to {high:.3f}), {row['of']}")


def _rows(value: Any) -> str:
    """Return JSON with a row a line."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in value) + "\n]"
    return json.dumps(value)


if __name__ == "__main__":
    main()

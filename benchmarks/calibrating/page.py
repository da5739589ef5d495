"""The results as a page of the docs."""

from collections.abc import Iterable
from typing import Any

from calibrating.judging import APART, HELD, OTHER_SEEDS, USEFUL, WINNER
from calibrating.shares import wilson

Rows = list[dict[str, Any]]

HEAD = """# How often a verdict is wrong

Printed by `python benchmarks/calibration.py --page benchmarks/results/{file}` from results
that the same command has measured. A share stands with its 95 % interval by Wilson. What is
claimed:

- **a winner**: the verdict names one cell that is better than every other, where all are twins: one
  cell under several names, which differ by chance alone.
- **a pair told apart**: some two of these twins.
- **beats every baseline**: a cell is said to, where none can: on equals in tables, and on data in
  which nothing can be predicted that a baseline does not predict.
- **± holds the truth**: the interval of the table of results holds the score of the same networks
  on much more data of the same kind; of *other seeds*, that of other networks trained on the same
  data. Made to hold 95 %.
"""


def page(results: dict[str, Any], file: str) -> str:
    """Return the page."""
    made, trained = results["tables"], results["trained"]
    parts = [
        HEAD.format(file=file),
        _false("Made tables of scores", made),
        _luck(results["luck"]),
        _power([row for row in made if row["claim"] == "found"]),
        _new([row for row in made if "splits" in row["data"]]),
        _false("Trained twins", trained),
        _others(trained),
    ]
    return "\n".join(part for part in parts if part)


def share(row: dict[str, Any]) -> str:
    """Return ".021 (.014 to .032)"."""
    low, high = wilson(row["count"], row["of"])
    return f"{_short(row['count'] / row['of'])} ({_short(low)} to {_short(high)})"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _false(title: str, rows: Rows) -> str:
    """Return the false claims, a line for a kind, its seeds and its cells, and what ± holds."""
    if not rows:
        return ""
    columns = (WINNER, APART, USEFUL)
    found = {(r["data"], r["seeds"], r["cells"], r["claim"]): r for r in rows}
    lines = dict.fromkeys(key[:3] for key in found if key[3] in columns)
    table = [
        [data, str(seeds), str(cells), *_cells(found, (data, seeds, cells), columns)]
        for data, seeds, cells in lines
    ]
    heads = ["data", "seeds", "cells", "a winner", "a pair told apart", "beats every baseline"]
    held = [
        [data, str(seeds), *_cells(found, (data, seeds, 1), (HELD, OTHER_SEEDS))]
        for data, seeds, cells in dict.fromkeys(k[:3] for k in found if k[3] == HELD)
    ]
    return (
        f"## {title}\n\n{_draws(rows)}. All that is claimed here is false: from three "
        f"seeds on at most .05 is meant. {_above(rows)}\n\n{_table(heads, table)}\n"
        f"{_table(('data', 'seeds', '± holds the truth', '± holds other seeds'), held)}"
    )


def _draws(rows: Rows) -> str:
    """Say how many there are of each kind."""
    kinds: dict[int, list[str]] = {}
    for data, of in {r["data"]: r["of"] for r in rows if r["claim"] in (WINNER, APART)}.items():
        kinds.setdefault(of, []).append(data)
    most = max(kinds)
    fewer = [f"{of:,} of {', '.join(kinds[of])}" for of in sorted(kinds, reverse=True) if of < most]
    return "; ".join([f"{most:,} of each kind", *fewer])


def _above(rows: Rows) -> str:
    """Say which false claims of three seeds and more are made too often."""
    often = [
        f"{r['claim']}: {r['data']}, {r['seeds']} seeds, {r['cells']} cells, {share(r)}"
        for r in rows
        if r["seeds"] >= 3 and r["claim"] in (WINNER, APART, USEFUL) and r["count"] > 0.05 * r["of"]
    ]
    return f"Above that are {'; '.join(often)}." if often else "No row is above that."


def _cells(found: dict[Any, Any], key: tuple[Any, ...], claims: Iterable[str]) -> list[str]:
    return [share(found[*key, claim]) if (*key, claim) in found else "" for claim in claims]


def _luck(rows: Rows) -> str:
    """Return by how much the lowest score is too good, and what is said of it."""
    lines = [
        [r["data"], str(r["seeds"]), str(r["cells"]), f"{r['own']:+.2f}", f"{r['told']:+.2f}"]
        for r in rows
    ]
    heads = ("data", "seeds", "cells", "its own mean", "what is to be expected")
    return (
        "## The luck of the best\n\nBy how much the score of the best of equals is too good, in "
        "standard errors of one cell's mean: by its own mean, and by what the verdict says is to "
        f"be expected.\n\n{_table(heads, lines)}"
    )


def _power(rows: Rows) -> str:
    """Return how often a better cell wins, and the difference that is found in 80 % of cases."""
    by = {(r["seeds"], r["cells"]): {} for r in rows}
    for row in rows:
        by[row["seeds"], row["cells"]][float(row["data"].split()[2])] = row
    better = sorted({b for found in by.values() for b in found})
    lines = [
        [str(seeds), str(cells), *(_short(found[b]["count"] / found[b]["of"]) for b in better),
         _eighty(found)]
        for (seeds, cells), found in by.items()
    ]  # fmt: skip
    heads = ("seeds", "cells", *(f"{b:g}" for b in better), "80 % at")
    return (
        "## What is found\n\nHow often a cell is named the winner that is better than its equals "
        "by so many standard deviations of a seed (of a cell on a block there is as much, and of "
        f"chance), and the difference at which four of five are.\n\n{_table(heads, lines)}"
    )


def _eighty(found: dict[float, dict[str, Any]]) -> str:
    """Return where 80 % are found, on a line between the two places beside it."""
    below, at = 0.0, 0.0
    for better, row in sorted(found.items()):
        now = row["count"] / row["of"]
        if now >= 0.8:
            return f"{below + (better - below) * (0.8 - at) / (now - at):.1f}"
        below, at = better, now
    return f"above {below:g}"


def _new(rows: Rows) -> str:
    """Return how often twins are told apart on resplits."""
    if not rows:
        return ""
    claims = list(dict.fromkeys(row["claim"] for row in rows))
    found = {(row["data"], row["claim"]): row for row in rows}
    lines = [
        [data, *(share(found[data, claim]) for claim in claims)]
        for data in dict.fromkeys(row["data"] for row in rows)
    ]
    return (
        "## Claims about new data\n\nTwins on splits of the same data (`--resplits`): how often "
        "they are told apart with the variance of Nadeau and Bengio, and how often they would be "
        f"were splits independent.\n\n{_table(('data', *claims), lines)}"
    )


def _others(rows: Rows) -> str:
    """Return what the ± of other metrics hold."""
    chosen = [r for r in rows if r["claim"].startswith("± of") and r["seeds"] == 5]
    if not chosen:
        return ""
    lines = [[r["data"], _metric(r["claim"]), share(r)] for r in chosen]
    return (
        "## Other metrics\n\nWhat the ± of the other metrics hold, with five seeds. The rows "
        "that follow a random walk are far from where it was: sMAPE and skill are of other values "
        "there, and no interval from one part of it can hold them. Where the noise is loud or "
        "quiet for fifty rows at a time by chance, the 125 rows of a test part hold two or three "
        "such stretches, in a fifth of the sets all alike: what the other kind is like no test "
        "part tells then. Where they take turns, every test part holds as much of both as any "
        "other, and intervals, which know nothing of turns, are too wide.\n\n"
        f"{_table(('data', 'metric', '± holds the truth'), lines)}"
    )


def _metric(claim: str) -> str:
    return claim.removeprefix("± of ").removesuffix(" holds the truth")

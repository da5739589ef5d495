"""What cells learn: reach in time, steps needed, and complex tasks."""

import itertools
from collections.abc import Sequence

from experiments.problems import PROBLEMS, Job, Run
from experiments.record import Check, Claim, mean, shown

CELLS = ("rnn", "lstm", "gru")
REACH = ("adding", "copy", "latch")
COMPLEX = {"copy, 5 of 8": 20, "bracket depth": 60, "sum modulo 5": 20}
WIDTHS = {"lstm": 32, "gru": 37}  # as many weights, to 4 %, at the inputs of these problems


def reach_jobs(lengths: Sequence[int], seeds: int, steps: int) -> list[Job]:
    """Return the jobs of the claim about range."""
    grid = itertools.product(REACH, CELLS, lengths, range(seeds))
    return [Job(p, cell, T, 32, seed, steps) for p, cell, T, seed in grid]


def complex_jobs(seeds: int, steps: int) -> list[Job]:
    """Return the jobs of the claim about complex tasks."""
    grid = itertools.product(COMPLEX.items(), WIDTHS.items(), range(seeds))
    return [Job(p, cell, T, width, seed, steps) for (p, T), (cell, width), seed in grid]


def of(runs: Sequence[Run], problem: str, cell: str, length: int) -> list[Run]:
    """Return the runs of a cell on a problem, by seed."""
    wanted = (problem, cell, length)
    found = [r for r in runs if (r.job.problem, r.job.cell, r.job.length) == wanted]
    return sorted(found, key=lambda r: r.job.seed)


def word(runs: Sequence[Run]) -> str:
    """Return how far a cell got, by its share of the way from chance to perfect."""
    shares = [run.share for run in runs]
    if max(shares) < 0.05:
        return "chance"
    return "solved" if sum(shares) / len(shares) >= 0.9 else "in part"


def ahead(runs: Sequence[Run], problem: str, length: int, pair: tuple[str, str]) -> Check:
    """Check that the first of two cells goes further than the second, seed by seed."""
    one, other = (of(runs, problem, cell, length) for cell in pair)
    differences = [a.share - b.share for a, b in zip(one, other, strict=True)]
    names = " − ".join(name.upper() for name in pair)
    return Check(f"{problem}, T = {length}: {names}, in share", mean(differences), low=0)


def row(runs: Sequence[Run], problem: str, cell: str, length: int) -> tuple[str, ...]:
    """Return a row: the metric, chance, and what it amounts to."""
    found = of(runs, problem, cell, length)
    chance, kind = PROBLEMS[problem].chance, "accuracy" if PROBLEMS[problem].classes else "MSE"
    share = mean([r.share for r in found])
    metric = shown(mean([r.metric for r in found]))
    level = f"{chance:.3g}" if chance else "commonest label"
    return problem, str(length), cell, kind, level, metric, shown(share), word(found)


HEAD = ("problem", "T", "cell", "metric", "chance", "test", "share", "so")
SHARE = (
    "Share is how much of the way from chance (0) to perfect (1) the test metric has gone, on "
    "2000 fresh sequences. *Chance* stands where no seed has gone 0.05, *solved* where the mean "
    "has gone 0.9. Chance of adding is the error of always saying 1; of the bracket depth, the "
    "accuracy of the commonest label of the test."
)


def reach(runs: Sequence[Run]) -> Claim:
    """The claim about range."""
    lengths = sorted({run.job.length for run in runs})
    pairs = itertools.product(REACH, lengths[1:], (("lstm", "rnn"), ("gru", "rnn")))
    checks = [ahead(runs, problem, length, pair) for problem, length, pair in pairs]
    grid = itertools.product(REACH, lengths, CELLS)
    rows = [row(runs, problem, cell, length) for problem, length, cell in grid]
    return Claim(
        "RNN spans short range, LSTM and GRU long",
        f"Three problems whose answer stands far back, {runs[0].job.width} units, at most "
        f"{runs[0].job.steps} steps of Adam. Checked at all T but the shortest. {SHARE}",
        checks,
        HEAD,
        rows,
    )


def complex_tasks(runs: Sequence[Run]) -> Claim:
    """The claim about complex tasks."""
    checks = [ahead(runs, p, length, ("lstm", "gru")) for p, length in COMPLEX.items()]
    rows = [row(runs, p, cell, T) for (p, T), cell in itertools.product(COMPLEX.items(), WIDTHS)]
    return Claim(
        "LSTM is ahead on complex tasks",
        "Three tasks that take more than a memory of one thing: five of eight symbols to copy, "
        "brackets to count, a sum modulo 5 to follow. LSTM of 32 units, GRU of 37, which have as "
        f"many weights to a few percent; at most {runs[0].job.steps} steps. Shares are as above.",
        checks,
        HEAD,
        rows,
    )

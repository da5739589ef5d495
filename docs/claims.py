"""Tries what is said about RNN, LSTM and GRU, and writes docs/claims.md.

`python docs/claims.py` takes minutes; with `--quick` it takes seconds, and its figures mean
nothing: that is for the tests. `--out FILE` writes elsewhere.
"""

import argparse
import datetime
import multiprocessing
import platform
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from experiments import ability, costs, flow
from experiments.problems import Run, run
from experiments.record import Check, Claim, Rows, interval
from rich.progress import Progress

import penstock


@dataclass(frozen=True)
class Effort:
    """How much is spent."""

    lengths: tuple[int, ...]
    seeds: int
    steps: int
    times: tuple[int, ...]
    rounds: int


FULL = Effort((20, 50, 100), 4, 800, (100, 200, 400, 800, 1600), 25)
QUICK = Effort((8, 12), 2, 4, (20, 40), 6)


def trained(effort: Effort, progress: Progress) -> tuple[list[Run], list[Run]]:
    """Train all networks in two processes, of one thread each: for range, for complex tasks."""
    reach = ability.reach_jobs(effort.lengths, effort.seeds, effort.steps)
    jobs = [*reach, *ability.complex_jobs(effort.seeds, effort.steps)]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, spawn) as pool:
        runs = list(progress.track(pool.map(run, jobs), len(jobs), description="training"))
    return runs[: len(reach)], runs[len(reach) :]


def claims(effort: Effort, progress: Progress) -> list[Claim]:
    """Return all claims; those with times are tried when nothing else runs."""
    reach, complex_tasks = trained(effort, progress)
    tried: list[Callable[[], Claim]] = [
        costs.parameters,
        partial(ability.reach, reach),
        partial(flow.decay, effort.seeds, effort.steps // 4),
        partial(costs.speed, reach, effort.rounds),
        partial(ability.complex_tasks, complex_tasks),
        partial(flow.cures, effort.seeds, effort.steps // 8 + 10),
        partial(costs.linear, effort.times, effort.rounds // 2),
    ]
    return [claim() for claim in progress.track(tried, description="measuring")]


def page(found: list[Claim], effort: Effort, command: str) -> str:
    """Return the page."""
    return "\n\n".join(_blocks(found, effort, command)) + "\n"


def _blocks(found: list[Claim], effort: Effort, command: str) -> Iterator[str]:
    yield "# What is said about RNN, LSTM and GRU, tried"
    yield (
        f"`{command}` runs the experiments and writes this page; nothing on it is written by "
        f"hand. Seeds 0 to {effort.seeds - 1}; {_machine()}; {datetime.date.today()}."
    )
    yield (
        "**The rule.** Each claim has checks, and each check a figure with a range. A check is met "
        "if the whole 95 % interval of its figure lies in the range. A claim *holds* if all "
        "its checks are met, *holds in part* if some are, and *does not hold* if none is. "
        "Intervals are Student's over seeds, of paired differences where two cells are "
        "compared; for times, those of a median over rounds; what is counted has none to speak "
        "of. A check that is not met may also mean that so few seeds cannot tell."
    )
    yield table(("claim", "verdict"), [(claim.title, claim.verdict) for claim in found])
    for number, claim in enumerate(found, 1):
        yield f"## {number}. {claim.title}"
        yield f"**Verdict: {claim.verdict}.** {claim.method}"
        yield table(("check", "figure", "95 % interval", "must lie", "met"), _rows(claim.checks))
        if claim.rows:
            yield table(claim.head, claim.rows)


def _rows(checks: Iterable[Check]) -> Rows:
    return [
        (c.what, f"{c.figure.mean:.4g}", interval(c.figure), c.limits, "yes" if c.met else "no")
        for c in checks
    ]


def table(head: tuple[str, ...], rows: Rows) -> str:
    """Return a table in Markdown."""
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((x.partition(":")[2].strip() for x in lines if "model name" in x), "")
    versions = f"penstock {penstock.__version__}, torch {torch.__version__}"
    return f"{model or platform.machine()}, one thread a process, {versions}"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds; the figures mean nothing")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("claims.md"))
    words = parser.parse_args()
    torch.set_num_threads(1)
    effort = QUICK if words.quick else FULL
    command = "python docs/claims.py" + " --quick" * words.quick
    with Progress() as progress:
        found = claims(effort, progress)
    words.out.write_text(page(found, effort, command), encoding="utf-8")


if __name__ == "__main__":
    main()

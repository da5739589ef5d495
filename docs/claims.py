"""Tries what is said about RNN, LSTM and GRU, and writes docs/claims.md.

`python docs/claims.py` tries all claims, in half an hour on one thread; `python docs/claims.py
NAME …` tries those alone and leaves the others as they are recorded in docs/claims.json. A run that
was cut off goes on where it was. Time is taken by the claims "speed" and "linear", for which
nothing else should run. With `--quick` it takes seconds, and the figures mean nothing: that is for
the tests. `--out FILE` writes elsewhere, with the record beside it.
"""

import argparse
import datetime
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from experiments import ability, costs, flow
from experiments.record import Check, Claim, Rows, interval
from experiments.store import Record, Tried
from experiments.trials import Train

import penstock


@dataclass(frozen=True)
class Effort:
    """How much is spent."""

    lengths: tuple[int, ...]
    seeds: int
    steps: int
    bursts: int
    times: tuple[int, ...]
    rounds: int


FULL = Effort((20, 100), 5, 3000, 40, (100, 200, 400, 800, 1600), 25)
QUICK = Effort((8, 12), 2, 4, 4, (20, 40), 6)
CLAIMS: dict[str, Callable[[Effort, Train], Claim]] = {
    "parameters": lambda _, __: costs.parameters(),
    "reach": lambda e, train: ability.reach(e.lengths, e.seeds, e.steps, train),
    "decay": lambda e, _: flow.decay(e.seeds, e.steps // 15),
    "speed": lambda e, train: costs.speed(e.seeds, e.steps, e.rounds, train),
    "complex": lambda e, train: ability.complex_tasks(e.seeds, e.steps, train),
    "cures": lambda e, _: flow.cures(e.seeds, e.bursts, e.steps // 30 + 10),
    "linear": lambda e, _: costs.linear(e.times, e.rounds // 2),
}


def attempt(name: str, effort: Effort, record: Record, command: str) -> dict[str, Tried]:
    """Try a claim and record it; return all that are recorded."""
    claim = CLAIMS[name](effort, record.journal(name))
    about = (
        f"`{command} {name}` on {datetime.date.today()}, seeds 0 to {effort.seeds - 1}, {machine()}"
    )
    return record.keep(name, Tried(claim, about))


def page(found: dict[str, Tried]) -> str:
    """Return the page."""
    return "\n\n".join(_blocks([found[name] for name in CLAIMS if name in found])) + "\n"


def _blocks(found: list[Tried]) -> Iterator[str]:
    yield "# What is said about RNN, LSTM and GRU, tried"
    yield (
        "`python docs/claims.py` runs the experiments and writes this page; nothing on it is "
        "written by hand. Below each claim stands what tried it."
    )
    yield (
        "**The rule.** Each claim has checks, and each check a figure with a range. A check is met "
        "if the whole 95 % interval of its figure lies in the range. A claim *holds* if all "
        "its checks are met, *holds in part* if some are, and *does not hold* if none is. "
        "Intervals are Student's over seeds, of paired differences where two cells are compared "
        "on the same data; for times, those of a median over rounds; what is counted has none to "
        "speak of. Each stands for itself: of forty checks that chance alone decides, one is met. "
        "A check that is not met may also mean that so few seeds cannot tell."
    )
    yield table(("claim", "verdict"), [(x.claim.title, x.claim.verdict) for x in found])
    for number, tried in enumerate(found, 1):
        claim = tried.claim
        yield f"## {number}. {claim.title}"
        yield f"**Verdict: {claim.verdict}.** {claim.method}"
        yield f"Tried by {tried.about}."
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


def machine() -> str:
    """Return what the figures were taken on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((x.partition(":")[2].strip() for x in lines if "model name" in x), "")
    versions = f"penstock {penstock.__version__}, torch {torch.__version__}"
    return f"{model or platform.machine()}, one thread, {versions}"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", nargs="*", metavar="NAME", help=", ".join(CLAIMS))
    parser.add_argument("--quick", action="store_true", help="seconds; the figures mean nothing")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("claims.md"))
    words = parser.parse_args()
    unknown = [name for name in words.claims if name not in CLAIMS]
    if unknown:
        parser.error(f"no claim {unknown[0]!r}; there are {', '.join(CLAIMS)}")
    torch.set_num_threads(1)
    effort, record = QUICK if words.quick else FULL, Record(words.out.with_suffix(".json"))
    command = "python docs/claims.py" + " --quick" * words.quick
    for name in words.claims or CLAIMS:
        found = attempt(name, effort, record, command)
        words.out.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()

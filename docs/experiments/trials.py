"""The same chance for every cell: its learning rate chosen on validation data, by the same rule."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.training import Job, Run

RATES = (0.003, 0.01, 0.03)
TUNING = 1000  # the seed on which rates are chosen; no figure comes from it
WIDTHS = {"rnn": 66, "lstm": 32, "gru": 37}  # as many weights, to 4 %, at 2 to 6 inputs
STARTS = {
    "rnn": ("torch", "orthogonal"),
    "lstm": ("torch", "chrono"),
    "gru": ("torch", "chrono"),
}
Train = Callable[[Sequence[Job]], list[Run]]


@dataclass(frozen=True)
class Entry:
    """What is tuned and tried: a cell with a way to start, on a problem."""

    problem: str
    length: int
    cell: str
    start: str

    def job(self, seed: int, steps: int, rate: float) -> Job:
        """Return the training of one seed."""
        width = WIDTHS[self.cell]
        return Job(self.problem, self.cell, self.start, self.length, width, seed, steps, rate)


Results = dict[Entry, list[Run]]


def entries(problems: Iterable[tuple[str, int]], cells: Sequence[str]) -> list[Entry]:
    """Return the entries of cells, with both of their starts, on problems at lengths."""
    return [Entry(p, T, cell, s) for p, T in problems for cell in cells for s in STARTS[cell]]


def tried(tasks: Sequence[Entry], seeds: int, steps: int, train: Train) -> Results:
    """Choose a rate for every entry on the seed for tuning, then train with all seeds at it."""
    tuning = iter(train([e.job(TUNING, steps, rate) for e in tasks for rate in RATES]))
    rates = [max((next(tuning) for _ in RATES), key=merit).job.rate for _ in tasks]
    pairs = list(zip(tasks, rates, strict=True))
    runs = iter(train([e.job(s, steps, rate) for e, rate in pairs for s in range(seeds)]))
    return {entry: [next(runs) for _ in range(seeds)] for entry in tasks}


def merit(run: Run) -> tuple[bool, float]:
    """Return what orders runs: solved ones first, by speed, then the others by validation."""
    solved = run.ended == "solved"
    return solved, -run.taken if solved else run.validation


def better(results: Results, problem: str, length: int, cell: str) -> Entry:
    """Return the start that counts: the better one on validation data; of equals the quicker."""

    def order(entry: Entry) -> tuple[float, float]:
        runs = results[entry]
        return float(np.mean([r.validation for r in runs])), -sum(r.taken for r in runs)

    return max((Entry(problem, length, cell, s) for s in STARTS[cell]), key=order)


def default(_results: Results, problem: str, length: int, cell: str) -> Entry:
    """Return the start of torch.nn."""
    return Entry(problem, length, cell, "torch")

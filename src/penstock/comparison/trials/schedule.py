"""Which trials run, in which order, and what is left out when time is short.

Trials come in rungs: one trial for every cell, alike but for the cell. First the rungs that tune
the learning rate, a rate each; then the rungs that are measured, a seed each. When the time of a
run is bounded, whole rungs are left out, so that all cells always had the same number of trials.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.comparison.trials.trial import Job, stored
from penstock.record.contestants import Trial

TUNING_SEED = 1_000_000  # none of those that are measured
_TUNING_SHARE = 0.4  # of the time
_ENDING = 3.0, 0.05  # seconds, and a share, kept back for measuring, judging and writing
_LOOKING = 2.5, 0.1  # seconds a cell, and a share at most, kept back for looking into the models
Rung = Sequence[Job]


@dataclass
class Schedule:
    """Gives out rungs while they are thought to fit into the time.

    Attributes:
        seconds: the time for the run; None is unbounded, and leaves nothing out.
        root: the folder of trials; those that are there take no time.
        started: when the run began, by `time.monotonic()`.
        cells: how many are compared.
        given, done: trials to train, and those of them that have ended.
    """

    seconds: float | None
    root: Path
    started: float = field(default_factory=time.monotonic)
    cells: int = 0
    given: set[Job] = field(default_factory=set)
    done: int = 0

    @property
    def deadline(self) -> float:
        """When trials must stop, by `time.monotonic()`."""
        if self.seconds is None:
            return float("inf")
        each, most = _LOOKING
        return self.ending - min(each * self.cells, most * self.seconds)

    @property
    def ending(self) -> float:
        """When models must not be looked into any more, by `time.monotonic()`."""
        if self.seconds is None:
            return float("inf")
        least, share = _ENDING
        return self.started + (1 - share) * self.seconds - least

    def note(self, job: Job) -> None:
        """Count a trial that has ended."""
        self.done += job in self.given

    def tuning(self, rungs: Sequence[Rung]) -> Iterator[Job]:
        """Give the jobs of the rungs that fit into the share for tuning; one rung at least."""
        span = 0.0 if self.seconds is None else self.seconds
        return self._fitting(rungs, self.started + _TUNING_SHARE * span)

    def testing(self, rungs: Sequence[Rung]) -> Iterator[Job]:
        """Give the jobs of the rungs that fit into all that is left; one rung at least."""
        return self._fitting(rungs, self.deadline)

    def _fitting(self, rungs: Sequence[Rung], end: float) -> Iterator[Job]:
        for number, rung in enumerate(rungs):
            fresh = {job for job in rung if not stored(job, self.root)}
            late = self.seconds is not None and time.monotonic() + self._needed(fresh) > end
            if number and fresh and late:
                return
            self.given |= fresh
            yield from rung

    def _needed(self, fresh: set[Job]) -> float:
        """Return the seconds that trials are thought to take, at the pace of those so far."""
        return len(fresh) * (time.monotonic() - self.started) / max(self.done, 1)


def best_rates(
    cells: Sequence[str], tuned: Sequence[tuple[Job, Trial]], otherwise: float
) -> dict[str, float]:
    """Return each cell's learning rate with the lowest validation loss.

    That of `otherwise` for a cell none of whose tuning trials finished, or got better before it was
    cut.
    """
    best = dict.fromkeys(cells, (float("inf"), otherwise))
    for job, trial in tuned:
        if trial.status in ("finished", "cut") and trial.losses:
            best[job.cell] = min(best[job.cell], (trial.best_loss, trial.learning_rate))
    return {cell: rate for cell, (_, rate) in best.items()}


def cut_words(
    tuning: Sequence[Rung], testing: Sequence[Rung], done: Sequence[tuple[Job, Trial]]
) -> list[str]:
    """Return what was left out, a sentence each."""
    begun = {job for job, _ in done}
    rates = [rung[0].budget.learning_rate for rung in tuning if rung[0] not in begun]
    seeds = [rung[0].seed for rung in testing if rung[0] not in begun]
    cut = [(f"{job.cell} ({_what(job)})", trial) for job, trial in done if trial.status == "cut"]
    used = [name for name, trial in cut if trial.losses]
    stopped = [name for name, trial in cut if not trial.losses]
    words = {
        f"Learning rates not tried, as time was short: {_list(rates)} of {len(tuning)}": rates,
        f"Seeds not trained, as time was short: {_list(seeds)} of {len(testing)}": seeds,
        f"Trials stopped when time was up, used with their best weights: {', '.join(used)}": used,
        f"Trials stopped when time was up, and not used: {', '.join(stopped)}": stopped,
    }
    return [f"{sentence}." for sentence, applies in words.items() if applies]


def _what(job: Job) -> str:
    rate = job.budget.learning_rate
    return f"learning rate {rate:g}" if job.purpose == "tuning" else f"seed {job.seed}"


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)

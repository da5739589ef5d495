"""Which trials run, in which order, and what is left out when time is short.

Trials come in rungs: one trial for every cell, alike but for the cell. First the rungs of the
search, a setting each; then the rungs that are measured, a seed each. When the time of a run is
bounded, whole rungs are left out, so that all cells always had the same number of trials.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.comparison.trials.design import Rung
from penstock.comparison.trials.trial import Job, stored
from penstock.record.contestants import Trial
from penstock.record.structure import Setting

_SEARCH_SHARE = 0.5  # of the time
_STARTING = 4.0  # seconds until processes train
_WORTH = 4  # times their start: the least time for which processes are started
_ENDING = 2.0, 0.05  # seconds, and a share, kept back for judging and writing
_MOST = 0.2  # of the time, for that
_LOOKING = 2.5, 0.1  # seconds a cell, and a share at most, kept back for looking into the models


@dataclass
class Schedule:
    """Gives out rungs while they are thought to fit into the time.

    Attributes:
        seconds: the time for the run; None is unbounded, and leaves nothing out.
        root: the folder of trials; those that are there take no time.
        started: when the run began, by `time.monotonic()`.
        cells: how many are compared.
        busy: how many times as slow the machine is as if this were alone on it.
        measuring: seconds that it takes to measure a trial.
        given: trials to train.
        rounds: of training, in those that have ended.
    """

    seconds: float | None
    root: Path
    started: float = field(default_factory=time.monotonic)
    cells: int = 0
    busy: float = 1.0
    measuring: float = 0.0
    given: set[Job] = field(default_factory=set)
    rounds: int = 0

    def __post_init__(self) -> None:
        self._reached: dict[tuple[str, str, int], int] = {}
        self._whole: list[int] = []

    @property
    def deadline(self) -> float:
        """When trials must stop, by `time.monotonic()`."""
        if self.seconds is None:
            return float("inf")
        each, most = _LOOKING
        looking = min(each * self.busy * self.cells, most * self.seconds)
        return self.ending - looking - self.measuring * self.cells

    @property
    def ending(self) -> float:
        """When models must not be looked into any more, by `time.monotonic()`."""
        if self.seconds is None:
            return float("inf")
        least, share = _ENDING
        kept = min(self.busy * least + share * self.seconds, _MOST * self.seconds)
        return self.started + self.seconds - kept

    @property
    def starting(self) -> float:
        """Seconds that processes take until they train."""
        return _STARTING * self.busy

    def left(self) -> float:
        """Return the seconds until trials must stop."""
        return self.deadline - time.monotonic()

    @property
    def time_for_processes(self) -> bool:
        """Whether there is time enough that processes are worth their start."""
        return self.seconds is None or self.left() >= _WORTH * self.starting

    def note(self, job: Job, trial: Trial) -> None:
        """Count the rounds of a trial that has ended, those before a pause once."""
        if job not in self.given:
            return
        key, rounds = (job.digest, job.cell, job.seed), max(0, len(trial.losses) - 1)
        self.rounds += max(0, rounds - self._reached.get(key, 0))
        self._reached[key] = rounds
        if job.until is None:
            self._whole.append(rounds)

    def tuning(self, rungs: Sequence[Rung]) -> Iterator[Job]:
        """Give the jobs of the rungs that fit into the share for tuning; one rung at least."""
        span = 0.0 if self.seconds is None else self.seconds
        return self._fitting(rungs, self.started + _SEARCH_SHARE * span)

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
        """Return the seconds that trials are thought to take, at the pace of those so far.

        One without a pause is thought to take as many rounds as those that ended before it did.
        """
        whole = sum(self._whole) / len(self._whole) if self._whole else None
        rounds = sum(
            (job.until or whole or job.budget.rounds)
            - self._reached.get((job.digest, job.cell, job.seed), 0)
            for job in fresh
        )
        return rounds * (time.monotonic() - self.started) / max(self.rounds, 1)


def cut_words(
    tried: int,
    asked: int,
    testing: Sequence[Rung],
    done: Sequence[tuple[Job, Trial]],
) -> list[str]:
    """Return what was left out, a sentence each.

    Args:
        tried: how many settings of each cell were trained at all.
        asked: how many were to be.
        testing: the rungs that were to be measured.
        done: what came out of the trials of the search and of the seeds.
    """
    begun = {job for job, _ in done}
    seeds = [rung[0].seed for rung in testing if rung[0] not in begun]
    cut = [(f"{job.cell} ({_what(job)})", trial) for job, trial in done if trial.status == "cut"]
    used = [name for name, trial in cut if trial.losses]
    stopped = [name for name, trial in cut if not trial.losses]
    words = {
        f"Settings not tried, as time was short: {asked - tried} of {asked} for each cell": tried
        < asked,
        f"Seeds not trained, as time was short: {_list(seeds)} of {len(testing)}": seeds,
        f"Trials stopped when time was up, used with their best weights: {', '.join(used)}": used,
        f"Trials stopped when time was up, and not used: {', '.join(stopped)}": stopped,
    }
    said = [f"{sentence}." for sentence, applies in words.items() if applies]
    return [*said, "The same command goes on from here."] if said else []


def _what(job: Job) -> str:
    return f"seed {job.seed}" if job.purpose == "test" else in_words(job.setting)


def in_words(setting: Setting) -> str:
    """Return a setting in words."""
    parts = [f"rate {setting.learning_rate:g}", f"{setting.parameters:,} parameters"]
    parts += [f"{setting.layers} layers"] * (setting.layers > 1)
    parts += [f"dropout {setting.dropout:g}"] * (setting.dropout > 0)
    parts += [] if setting.context is None else [f"context {setting.context}"]
    return ", ".join(parts)


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)

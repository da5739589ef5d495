"""Who hears how a comparison goes on."""

from rich.console import Console

from penstock import plain
from penstock.comparison.trials.schedule import in_words
from penstock.comparison.trials.trial import Job
from penstock.data.understanding.understanding import Understanding
from penstock.record.contestants import Trial
from penstock.training.loop import Progress


class Watcher:
    """Hears how a run goes on; this one does nothing with it."""

    def understood(self, data: Understanding) -> None:
        """Hear what the data were taken for."""

    def begins(self, trials: int) -> None:
        """Hear how many trials there are to be."""

    def round(self, job: Job, progress: Progress) -> None:
        """Hear of a round of training."""

    def ends(self, job: Job, trial: Trial) -> None:
        """Hear of the end of a trial."""

    def discarded(self, why: str) -> None:
        """Hear that a trial kept from an earlier run is thrown away, and why."""


class NotebookLine(Watcher):
    """A line that is written over itself, which a notebook shows without widgets."""

    def begins(self, trials: int) -> None:
        """Note how many trials there are to be."""
        self._trials, self._ended, self._longest = trials, 0, 0

    def round(self, job: Job, progress: Progress) -> None:
        """Show a round of a trial."""
        self._write(f"{label(job)}, round {progress.round} of {job.budget.rounds}")

    def ends(self, job: Job, trial: Trial) -> None:
        """Count a trial."""
        self._ended += 1
        self._write(f"{label(job)} {trial.status}")

    def _write(self, words: str) -> None:
        line = f"{self._ended} of {self._trials} trials; {words}"
        self._longest = max(self._longest, len(line))  # all of the line before is covered
        print(f"\r{line:{self._longest}}", end="", flush=True)


def watcher_here() -> Watcher:
    """Return what shows how a run goes on in a notebook; elsewhere one that shows nothing."""
    return NotebookLine() if Console().is_jupyter else Watcher()


def label(job: Job) -> str:
    """Return a trial in words."""
    name = plain.one_line(job.cell)
    return f"{name}, {in_words(job.setting) if job.purpose == 'tuning' else f'seed {job.seed}'}"

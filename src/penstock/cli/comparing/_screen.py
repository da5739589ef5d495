"""What `penstock compare` shows: progress on stderr, the table and the verdict on stdout."""

import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich import box
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from penstock.cli import terminal
from penstock.comparison.report import table
from penstock.comparison.trials.trial import Job
from penstock.comparison.watcher import Watcher, label
from penstock.data.understanding.understanding import Understanding
from penstock.record.contestants import Trial
from penstock.record.results import Record
from penstock.training.loop import Progress as Trained

_EVERY = 30  # seconds between two lines where stderr is no terminal
_SHOWN = 4  # trials in such a line


class Bar(Watcher):
    """Progress over trials, with the time left: a bar, or a line now and then in a file or pipe."""

    def __init__(self, *, inferred: bool) -> None:
        self._inferred, self._about = inferred, ""
        self._began, self._over = time.monotonic(), threading.Event()
        self._trials, self._ended = 0, 0
        console = terminal.console(error=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._lines: dict[Job, TaskID] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        if not self._bar.console.is_terminal:
            threading.Thread(target=self._say_now_and_then, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._bar.stop()

    def understood(self, data: Understanding) -> None:
        """Say which task it is, where that was told by the data."""
        if self._inferred:
            words = f"Task {data.task}: {data.why}. Another is chosen with --task."
            terminal.say(words, error=True)
        self._about = "\n".join(data.lines()[1:])

    def begins(self, trials: int) -> None:
        """Show what the data are, and how many trials there are to be."""
        if self._about:
            terminal.say(self._about, error=True)
        self._trials = trials
        self._all = self._bar.add_task(f"{trials} trials at most", total=trials)

    def round(self, job: Job, progress: Trained) -> None:
        """Show a round of a trial."""
        if job not in self._lines:
            self._lines[job] = self._bar.add_task(label(job), total=job.budget.rounds)
        self._bar.update(self._lines[job], completed=progress.round)

    def ends(self, job: Job, trial: Trial) -> None:
        """Leave a line about a trial, and count it."""
        if job in self._lines:
            self._bar.remove_task(self._lines.pop(job))
        took = f", {trial.times['train']:.1f} s" if trial.times else f": {trial.ended}"
        if self._bar.console.is_terminal:
            self._bar.console.print(f"{label(job)}: {trial.status}{took}", style="dim")
        self._bar.advance(self._all)
        self._ended += 1

    def _say_now_and_then(self) -> None:
        """Say how far it is until it is over, in a thread of its own: a round may take minutes."""
        while not self._over.wait(_EVERY):
            took = f"{time.monotonic() - self._began:.0f} s"
            going = [f"{one.description} {one.percentage:.0f} %" for one in self._bar.tasks[1:]]
            done = (
                f"{self._ended} of {self._trials} trials at most" if self._trials else "preparing"
            )
            terminal.say("; ".join([done, *going[:_SHOWN], took]), error=True)

    def discarded(self, why: str) -> None:
        """Say that a trial is trained again."""
        words = f"penstock: {why}; the trial is trained again"
        self._bar.console.print(words, soft_wrap=True, markup=False, highlight=False)


def show(results: Record, out: Path) -> None:
    """Print what was compared on what, the table, the verdict, and where the files are."""
    console = terminal.console()
    console.print(_about(results), *(f"Note: {note}." for note in results.notes), sep="\n")
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    columns = [column for column in table.columns(results) if not column.wide]
    for number, column in enumerate(columns):  # all fits 80 columns: names go on below
        narrow = column.head.replace(" ", "\n").replace("/", "/\n")
        grid.add_column(narrow, justify="right" if number else "left", no_wrap=number > 0)
    for one in results.contestants:
        grid.add_row(*(column.cell(one) for column in columns))
    console.print(grid)
    for sentence in (*results.verdict.sentences, *results.verdict.times.get("sentences", [])):
        console.print(sentence)
    for finding in results.checks:
        for message in finding.messages:
            console.print(f"Check {finding.code} {finding.name}: {message}.", style="yellow")
    for sentence in results.cut:
        console.print(sentence, style="yellow")
    files = "results.json, results.csv, report.html, report.md, models/"
    console.print(f"Written to {out}: {files}", soft_wrap=True)


def _about(results: Record) -> str:
    data, settings = results.data, results.settings
    chosen = [f"{n} {settings[n]}" for n in ("horizon", "context", "season") if n in settings]
    read = f"{data['rows']:,} rows, {data['series']:,} series, {data['missing']:,} missing"
    return f"{results.task} on {data['name']}: {'; '.join([read, ', '.join(chosen)]).strip('; ')}"

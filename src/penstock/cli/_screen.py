"""What `penstock compare` shows: progress on stderr, the table and the verdict on stdout."""

from pathlib import Path
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from penstock.compare import table
from penstock.compare.results import Results
from penstock.compare.trial import Job
from penstock.training.loop import Progress as Trained


class Bar:
    """A progress bar over trials; nothing where stderr is no terminal."""

    def __init__(self, trials: int) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._all = self._bar.add_task("training", total=trials)
        self._done: dict[tuple[str, int], float] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def report(self, job: Job, progress: Trained) -> None:
        """Note a round of a trial."""
        ended = bool(progress.ended(job.budget))
        self._done[job.cell, job.seed] = 1 if ended else progress.round / job.budget.rounds
        self._bar.update(
            self._all,
            completed=sum(self._done.values()),
            description=f"{job.cell}, seed {job.seed}, round {progress.round}",
        )


def show(results: Results, out: Path) -> None:
    """Print what was compared on what, the table, the verdict, and where the files are."""
    console = Console(highlight=False, markup=False)
    console.print(_about(results), *(f"Note: {note}." for note in results.notes), sep="\n")
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for number, (head, _) in enumerate(table.columns(results)):
        narrow = head.replace(" ", "\n").replace("/", "/\n")  # all fits 80 columns
        grid.add_column(narrow, justify="right" if number else "left", no_wrap=True)
    for row in table.rows(results):
        grid.add_row(*row)
    console.print(grid)
    for sentence in results.verdict.sentences:
        console.print(sentence)
    console.print(f"Written to {out}: results.json, report.html, models/", soft_wrap=True)


def _about(results: Results) -> str:
    data, settings = (
        results.data,
        ", ".join(
            f"{name} {results.settings[name]}"
            for name in ("horizon", "context", "season")
            if name in results.settings
        ),
    )
    return (
        f"{results.task} on {data['name']}: {data['rows']:,} rows, {data['series']} series, "
        f"{data['missing']} missing; {settings}"
    )

"""Where trials run: in this process, or in parallel ones with one thread each.

Jobs are taken from an iterator, one whenever a worker is free. A process that crashes or is killed
costs its own trial, which becomes a failed row; another process takes its place. One that is still
training when time is up is ended, however long its step would take.
"""

import math
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

import torch

from penstock.atomic import discard_unfinished
from penstock.cells import Cell
from penstock.cells.own import packed, unpack
from penstock.comparison.trials.starting import (
    CONTEXT,
    begin_importing,
    deaf_children,
    nameless_main,
)
from penstock.comparison.trials.trial import Job, Report, attempt, conclude
from penstock.record.contestants import Trial
from penstock.tasks.task import Task
from penstock.training.loop import Progress

Outcome = tuple[Job, Trial]
Run = Callable[[Iterator[Job]], Iterator[Outcome]]  # gives each job with its trial, as they end


@dataclass(frozen=True)
class Bench:
    """What all trials of a run share: task, folder of trials, when time is up, and the cells."""

    task: Task
    root: Path
    deadline: float
    report: Report
    cells: tuple[type[Cell], ...] = ()


class Pool(Protocol):
    """A place for trials.

    Attributes:
        workers: trials at a time.
    """

    workers: int

    def open(self, bench: Bench) -> AbstractContextManager[Run]:
        """Return the way to run the trials of a bench; it is closed with the context."""


def seconds_until(deadline: float) -> float | None:
    """Return the seconds left, 0 or more; None where there is no deadline."""
    return None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Here:
    """Runs trials one after the other in this process, so that any cell defined here is known."""

    workers = 1

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """Return the way to run trials, in the order of the jobs."""

        def run(jobs: Iterator[Job]) -> Iterator[Outcome]:
            for job in jobs:
                with one_thread():
                    trial = attempt(
                        bench.task, job, bench.root, deadline=bench.deadline, report=bench.report
                    )
                yield job, trial

        yield run


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, as trials do: the same on any machine, and as fast on a busy one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Processes:
    """Runs trials in processes of their own, as many at a time as there are `workers`."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """Return the way to run trials; its processes start when there is work for them."""
        # Plain bytes: torch would put tensors into shared memory, which may be small.
        shared = pickle.dumps((bench.task, bench.root, bench.deadline))
        setup = pickle.dumps((dict(os.environ), packed(bench.cells), shared))
        workers = [_Worker(setup, bench) for _ in range(self.workers)]

        def run(jobs: Iterator[Job]) -> Iterator[Outcome]:
            for worker, job in zip(workers, jobs, strict=False):
                worker.give(job)
            while busy := [worker for worker in workers if worker.job]:
                for worker in _ready(busy, bench.deadline):
                    if outcome := worker.listen(bench):
                        yield outcome
                        worker.give(next(jobs, None))

        try:
            yield run
        finally:
            for worker in workers:
                worker.stop()


class _Worker:
    """A process that trains what it is given, and this side of the pipe to it."""

    def __init__(self, setup: bytes, bench: Bench) -> None:
        self._setup, self._deadline, self._root = setup, bench.deadline, bench.root
        self._process: BaseProcess | None = None
        self.job: Job | None = None

    def _start(self) -> None:
        begin_importing()
        self.pipe, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_serve, args=(theirs, self._setup), daemon=True)
        with deaf_children(), nameless_main():
            self._process.start()
        theirs.close()

    @property
    def started(self) -> bool:
        """Whether there is a process."""
        return self._process is not None

    def give(self, job: Job | None) -> None:
        """Let it train a job; None leaves it idle."""
        self.job = job
        if job is None or (self._process is None and time.monotonic() > self._deadline):
            return  # a process takes seconds to start
        if self._process is None:
            self._start()
        with suppress(OSError):  # it has just died: `listen` will tell
            self.pipe.send(job)

    def listen(self, bench: Bench) -> Outcome | None:
        """Take what it says; return the outcome where the trial, or the time, is over."""
        assert self.job is not None
        if self._process is None or not self.pipe.poll():
            self.stop()
            return self.job, conclude(bench.task, self.job, bench.root)
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            return self.job, self.job.unfinished("failed", self._death())
        if isinstance(said, Progress):
            bench.report(self.job, said)
            return None
        return self.job, said

    def _death(self) -> str:
        """Return how the process ended; another takes its place with the next job."""
        assert self._process is not None
        self._process.join(timeout=5)  # for its own exit code, not that of `stop`
        code = self._process.exitcode
        self.stop()
        if code is not None and code < 0:
            return f"its process was killed by signal {-code}"
        return f"its process ended with exit code {code}"

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self.pipe.close()
            self._process.terminate()
            self._process.join()
            self._process = None
            if self.job is not None:  # it was ended at its work, perhaps at a file
                discard_unfinished(self.job.folder(self._root))


def _ready(workers: Sequence[_Worker], deadline: float) -> list[_Worker]:
    """Return the workers that have something to say; wait until there is one, or time is up.

    Then all of them are returned.
    """
    started = {worker.pipe: worker for worker in workers if worker.started}
    ready = connection.wait(started, seconds_until(deadline))
    return [worker for pipe, worker in started.items() if pipe in ready] or list(workers)


def _serve(pipe: "connection.Connection[Any, Any]", setup: bytes) -> None:
    """Train what comes through the pipe, until it is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    # From the process that started this one; its environment may have changed since the server's.
    environment, cells, shared = pickle.loads(setup)
    os.environ.update(environment)
    unpack(cells)
    task, root, deadline = pickle.loads(shared)

    def report(_: Job, progress: Progress) -> None:
        pipe.send(progress)

    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        pipe.send(attempt(task, job, root, deadline=deadline, report=report))


def _end_with_parent() -> None:
    """End at once when the parent is gone, killed perhaps; files are written atomically."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)

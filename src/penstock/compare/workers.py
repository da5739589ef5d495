"""Where trials run: in this process, or in parallel ones with one thread each.

Jobs are taken from an iterator, one whenever a worker is free. A process that crashes or is killed
costs its own trial, which becomes a failed row; another process takes its place.
"""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Protocol

import torch

from penstock.compare.results import Trial
from penstock.compare.trial import Job, Report, attempt
from penstock.tasks import Task
from penstock.training.loop import Progress

Outcome = tuple[Job, Trial]
Run = Callable[[Iterator[Job]], Iterator[Outcome]]  # gives each job with its trial, as they end

_SPAWN = get_context("spawn")  # a fork would inherit torch's threads in an unknown state


@dataclass(frozen=True)
class Bench:
    """What all trials of a run share: the task, the folder of trials, and when time is up."""

    task: Task
    root: Path
    deadline: float
    report: Report


class Pool(Protocol):
    """A place for trials.

    Attributes:
        workers: trials at a time.
    """

    workers: int

    def open(self, bench: Bench) -> AbstractContextManager[Run]:
        """Return the way to run the trials of a bench; it is closed with the context."""


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
                with _one_thread():
                    trial = attempt(
                        bench.task, job, bench.root, deadline=bench.deadline, report=bench.report
                    )
                yield job, trial

        yield run


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: as fast for networks this small, and the same on any machine."""
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
        setup = pickle.dumps((bench.task, bench.root, bench.deadline))
        workers = [_Worker(setup) for _ in range(self.workers)]

        def run(jobs: Iterator[Job]) -> Iterator[Outcome]:
            for worker, job in zip(workers, jobs, strict=False):
                worker.give(job)
            while busy := [worker for worker in workers if worker.job]:
                for worker in _ready(busy):
                    if outcome := worker.listen(bench.report):
                        yield outcome
                        worker.give(next(jobs, None))

        try:
            yield run
        finally:
            for worker in workers:
                worker.stop()


class _Worker:
    """A process that trains what it is given, and this side of the pipe to it."""

    def __init__(self, setup: bytes) -> None:
        self._setup = setup
        self._process: SpawnProcess | None = None
        self.job: Job | None = None

    def _start(self) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, self._setup), daemon=True)
        with _deaf_children():
            self._process.start()
        theirs.close()

    def give(self, job: Job | None) -> None:
        """Let it train a job; None leaves it idle."""
        self.job = job
        if job is None:
            return
        if self._process is None:
            self._start()
        with suppress(OSError):  # it has just died: `listen` will tell
            self.pipe.send(job)

    def listen(self, report: Report) -> Outcome | None:
        """Take what it says; return the outcome where the trial is over."""
        assert self.job is not None
        try:
            said = self.pipe.recv()
        except (EOFError, OSError):
            return self.job, self.job.unfinished("failed", self._death())
        if isinstance(said, Progress):
            report(self.job, said)
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


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Let processes started inside ignore Ctrl-C: the parent ends them, without tracebacks."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ready(workers: Sequence[_Worker]) -> list[_Worker]:
    """Return the workers that have something to say; wait until there is one."""
    ready = connection.wait([worker.pipe for worker in workers])
    return [worker for worker in workers if worker.pipe in ready]


def _serve(pipe: "connection.Connection[Any, Any]", setup: bytes) -> None:
    """Train what comes through the pipe, until it is closed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    task, root, deadline = pickle.loads(setup)  # from the process that started this one

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

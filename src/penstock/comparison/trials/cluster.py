"""Trials on a Ray cluster. Its machines must have Penstock; they need not share a disk.

A trial runs in a folder of its own on its machine, and what it leaves there comes back when it is
over. A run that was cut off goes on with the trials that had ended.
"""

import importlib
import logging
import math
import pickle
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from penstock.atomic import write
from penstock.cells.own import packed, unpack
from penstock.comparison.trials.trial import RESULT, Job, attempt, conclude, stored
from penstock.comparison.trials.workers import Bench, Outcome, Run, seconds_until
from penstock.errors import ArgumentError
from penstock.record.contestants import Trial

_Files = dict[str, bytes]


class Cluster:
    """Runs trials as Ray tasks of one CPU each.

    Args:
        address: of the cluster, as `ray.init` takes it: "auto", "ray://host:10001", or "local" for
            one of its own on this machine.
        workers: trials at a time; None takes all CPUs of the cluster.

    Raises:
        ArgumentError: Ray is not installed, or the cluster cannot be reached.
    """

    def __init__(self, address: str, workers: int | None = None) -> None:
        try:
            ray: Any = importlib.import_module("ray")  # an extra
        except ImportError:
            raise ArgumentError(
                "--ray needs Ray; install it by: pip install 'penstock[ray]'"
            ) from None
        own: dict[str, Any] = (
            {"num_cpus": workers, "include_dashboard": False} if address == "local" else {}
        )
        try:
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise ArgumentError(f"no Ray cluster answers at {address!r} ({reason})") from None
        self._ray = ray
        self.workers = workers or int(ray.cluster_resources().get("CPU", 1))

    @contextmanager
    def open(self, bench: Bench) -> Iterator[Run]:
        """Return the way to run trials; Ray is left with the context."""
        setup = self._ray.put(pickle.dumps((packed(bench.cells), bench.task)))
        train = self._ray.remote(num_cpus=1, max_retries=0)(_train)

        def run(jobs: Iterator[Job]) -> Iterator[Outcome]:
            running: dict[Any, Job] = {}
            for job in jobs:
                if stored(job, bench.root):
                    yield job, attempt(bench.task, job, bench.root, report=bench.report)
                    continue
                running[train.remote(setup, job, seconds_until(bench.deadline))] = job
                if len(running) >= self.workers:
                    yield self._next(running, bench)
            while running:
                yield self._next(running, bench)

        try:
            yield run
        finally:
            self._ray.shutdown()

    def _next(self, running: dict[Any, Job], bench: Bench) -> Outcome:
        done, _ = self._ray.wait(
            list(running), num_returns=1, timeout=seconds_until(bench.deadline)
        )
        if not done:
            task, job = running.popitem()
            self._ray.cancel(task, force=True)
            return job, conclude(bench.task, job, bench.root)
        job = running.pop(done[0])
        try:
            trial, files = self._ray.get(done[0])
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().partition("\n")[0]
            return job, job.unfinished("failed", f"{type(error).__name__}: {reason}")
        # The result comes last: where it is, all else is.
        for name in sorted(files, key=lambda name: name == RESULT):
            write(job.folder(bench.root) / name, files[name])
        return job, trial


def _train(setup: bytes, job: Job, seconds: float | None) -> tuple[Trial, _Files]:
    """Run a trial on the machine that this is, and return what it leaves."""
    deadline = math.inf if seconds is None else time.monotonic() + seconds  # each has its own clock
    torch.set_num_threads(1)
    cells, task = pickle.loads(setup)  # from the process that started the run
    unpack(cells)
    with tempfile.TemporaryDirectory() as root:
        trial = attempt(task, job, Path(root), deadline=deadline)
        folder = job.folder(Path(root))
        left = [path for path in folder.rglob("*.*") if path.is_file()]
        return trial, {path.relative_to(folder).as_posix(): path.read_bytes() for path in left}

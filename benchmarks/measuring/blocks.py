"""Times libraries against each other, each in a process of its own.

Pools of threads go on spinning after a call, and whoever comes next computes beside them. So each
library has a process, works for a block of some tens of milliseconds, and rests while another
works. Every other round goes the other way round. A figure is the median over blocks of their
medians; a ratio that of the ratios of a round; its noise is how far the middle half of those lie
apart.

Run as a program, this is the process of a library: it reads lines of JSON, and answers with lines.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from measuring.peers import Work, prepare

ROUNDS, BLOCK, REST = 9, 0.06, 0.02  # seconds
FEWEST = 3  # calls in a block, however long they take


@dataclass(frozen=True)
class Times:
    """How long calls took, by library: the median of each block, in seconds, round by round."""

    blocks: dict[str, list[float]]

    def seconds(self, library: str) -> float:
        """Return the median."""
        return median(self.blocks[library])

    def ratio(self, peers: Sequence[str], ours: str = "penstock") -> tuple[float, float]:
        """Return the time of the fastest of some peers over ours, and the noise of that."""
        peer = min(peers, key=self.seconds)
        ratios = [a / b for a, b in zip(self.blocks[peer], self.blocks[ours], strict=True)]
        low, middle, high = quantiles(ratios, n=4)
        return middle, (high - low) / 2


class Arena:
    """The processes, which live on from measurement to measurement."""

    def __init__(self) -> None:
        self._processes: dict[tuple[str, int], subprocess.Popen[str]] = {}

    def __enter__(self) -> "Arena":
        return self

    def __exit__(self, *_: Any) -> None:
        for process in self._processes.values():
            assert process.stdin is not None
            process.stdin.close()
            process.wait()

    def measure(self, works: Sequence[Work], rounds: int = ROUNDS) -> Times:
        """Return how long the works take; they compute the same, which is looked at first."""
        said = {work.library: self._ask(work, {"prepare": asdict(work)}) for work in works}
        first = next(iter(said.values()))
        for library, outputs in said.items():
            if library == "sgemm":  # it is there for its FLOP/s
                continue
            np.testing.assert_allclose(outputs, first, atol=2e-5, err_msg=library)
        blocks: dict[str, list[float]] = {work.library: [] for work in works}
        for number in range(rounds):
            for work in works if number % 2 else reversed(works):
                blocks[work.library].append(self._ask(work, {"run": BLOCK}))
                time.sleep(REST)
        return Times(blocks)

    def _ask(self, work: Work, question: dict[str, Any]) -> Any:
        key = work.library, work.threads
        if key not in self._processes:
            # Pinned alike: where there are more cores than threads, all use the same.
            cores = sorted(os.sched_getaffinity(0))[: work.threads]
            environment = os.environ | {"OMP_NUM_THREADS": str(work.threads)}
            self._processes[key] = subprocess.Popen(
                [sys.executable, "-m", "measuring.blocks", *map(str, cores)],
                cwd=Path(__file__).parents[1], env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        process = self._processes[key]
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(question), file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer:
            raise SystemExit(f"the process of {work.library} ended with {process.wait()}")
        return json.loads(answer)


def serve() -> None:
    """Do what is asked, line by line."""
    call = None
    for line in sys.stdin:
        question = json.loads(line)
        if "prepare" in question:
            raw = question["prepare"]
            call, answer = prepare(Work(**{**raw, "shape": tuple(raw["shape"])}))
            for _ in range(FEWEST):
                call()
        else:
            assert call is not None
            answer = block(call, question["run"])
        print(json.dumps(answer), flush=True)


def block(call: Any, seconds: float) -> float:
    """Return the median time of calls that follow each other for so long."""
    call()  # wakes the threads
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while len(times) < FEWEST or time.perf_counter() < ends:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return median(times)


if __name__ == "__main__":
    os.sched_setaffinity(0, {int(core) for core in sys.argv[1:]})
    serve()

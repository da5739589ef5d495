"""A run that is killed goes on, and ends as if it had never been.

The environment's PENSTOCK_KILLS says at how many moments it is killed.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from comparing import QUICK, RATES, run_comparison, stored

from penstock.data import sunspots
from penstock.record.results import Record

KILLS = int(os.environ.get("PENSTOCK_KILLS", "2"))
SPAN = 6.0  # seconds after the first sign of life in which such a run ends

RUN = """
import sys
from pathlib import Path
from penstock.comparison.request import Request
from penstock.comparison.run import run_comparison
from penstock.comparison.trials.workers import Processes
from penstock.data import sunspots
from penstock.tasks import find_task
from penstock.training.loop import Budget
request = Request(
    cells=["rnn", "gru"], seeds=2, rates=(3e-3, 1e-2), size="small", out=Path(sys.argv[1])
)
run_comparison(find_task("forecast").prepare(sunspots()), request,
        budget=Budget(steps=12, round_steps=4, batch_size=8), pool=Processes(2))
"""


def trials(out: Path) -> set[str]:
    """Return the trials that a run has kept."""
    return {str(kept.relative_to(out).parent) for kept in out.rglob("trial.json")}


@pytest.mark.parametrize("moment", range(KILLS))
def test_after_kill_9_it_ends_as_an_undisturbed_run(
    finished: tuple[Record, Path], tmp_path: Path, moment: int
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", RUN, str(out)])
    while not out.exists() and process.poll() is None:
        time.sleep(0.02)
    time.sleep(random.Random(moment).uniform(0, SPAN))
    process.send_signal(signal.SIGKILL)
    process.wait()
    cells = ["rnn", "gru"]
    run_comparison(sunspots(), out, cells=cells, seeds=2, budget=QUICK, rates=RATES)
    assert stored(out) == stored(finished[1])
    assert trials(out) == trials(finished[1])  # what was killed is the comparison that went on
    assert not list(out.rglob("*checkpoint*"))


def test_a_trial_goes_on_from_its_last_round(finished: tuple[Record, Path], tmp_path: Path) -> None:
    script = RUN.replace("pool=Processes(2)", "watcher=Kill()").replace(
        "run_comparison(",
        """
import os, signal
from penstock.comparison.watcher import Watcher
class Kill(Watcher):
    def round(self, job, progress):
        if (job.cell, job.seed, progress.round) == ("gru", 0, 2):
            os.kill(os.getpid(), signal.SIGKILL)
run_comparison(""",
        1,
    )
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", script, str(out)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(out.rglob("checkpoint.safetensors"))) == 1
    cells = ["rnn", "gru"]
    run_comparison(sunspots(), out, cells=cells, seeds=2, budget=QUICK, rates=RATES)
    assert stored(out) == stored(finished[1])
    assert trials(out) == trials(finished[1])


def test_a_trial_killed_between_its_result_and_its_checkpoint_leaves_no_checkpoint(
    finished: tuple[Record, Path], tmp_path: Path
) -> None:
    script = RUN.replace("pool=Processes(2)", "").replace(
        "request = ",
        """
import os, signal
from penstock.comparison.trials import trial
trial.drop = lambda job, root: os.kill(os.getpid(), signal.SIGKILL)
request = """,
        1,
    )
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", script, str(out)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(out.rglob("checkpoint.safetensors"))) >= 1
    cells = ["rnn", "gru"]
    run_comparison(sunspots(), out, cells=cells, seeds=2, budget=QUICK, rates=RATES)
    assert stored(out) == stored(finished[1])
    assert trials(out) == trials(finished[1])  # what was killed is the comparison that went on
    assert not list(out.rglob("*checkpoint*"))

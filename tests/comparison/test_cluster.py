"""Trials on a Ray cluster of one machine give the same results."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from comparing import stored

from penstock.comparison.trials.cluster import Cluster
from penstock.errors import ArgumentError
from penstock.record.results import Record

# In a process of its own: Ray leaves threads, signal handlers and warnings behind.
RUN = """
import sys
from pathlib import Path
from penstock.comparison.trials.cluster import Cluster
from penstock.comparison.run import run_comparison
from penstock.data import sunspots
from penstock.tasks import find_task
from penstock.training.loop import Budget
run_comparison(find_task("forecast").prepare(sunspots()), Path(sys.argv[1]), cells=["rnn", "gru"],
        seeds=2, learning_rates=(3e-3, 1e-2),
        budget=Budget(steps=12, round_steps=4, batch_size=8), pool=Cluster("local", 2))
"""


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray (extra `ray`) is not installed")
def test_a_local_cluster_gives_the_same_results(
    finished: tuple[Record, Path], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert stored(tmp_path / "out") == stored(finished[1])
    assert (tmp_path / "out" / "models" / "gru.safetensors").exists()


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ArgumentError, match=r"penstock\[ray\]"):
        Cluster("auto")

"""Trials on a Ray cluster of one machine give the same results."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from comparing import QUICK, RATES, run_comparison, stored

from penstock.comparison.trials.cluster import Cluster
from penstock.data import sunspots
from penstock.errors import ArgumentError
from penstock.record.results import Record

# In a process of its own: Ray leaves threads, signal handlers and warnings behind.
RUN = """
import sys
from pathlib import Path
from penstock.comparison.request import Request
from penstock.comparison.run import run_comparison
from penstock.comparison.trials.cluster import Cluster
from penstock.data import sunspots
from penstock.tasks import find_task
from penstock.training.loop import Budget
request = Request(cells=sys.argv[2:], seeds=2, rates=(3e-3, 1e-2), out=Path(sys.argv[1]))
run_comparison(find_task("forecast").prepare(sunspots()), request,
        budget=Budget(steps=12, round_steps=4, batch_size=8), pool=Cluster("local", 2))
"""

MINE = """
import torch, penstock

class Mine(penstock.Cell):
    n = penstock.Gate()

    def step(self, x, h):
        return 0.9 * h + 0.1 * torch.tanh(self.n(x, h))
"""

needs_ray = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray (extra `ray`) is not installed"
)


def run_on_ray(out: Path, *cells: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(out), *cells],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (out / "models" / "gru.safetensors").exists()


@needs_ray
def test_a_local_cluster_gives_the_same_results(
    finished: tuple[Record, Path], tmp_path: Path
) -> None:
    run_on_ray(tmp_path, "rnn", "gru")
    assert stored(tmp_path) == stored(finished[1])


@needs_ray
def test_a_cell_in_a_file_is_sent_to_the_cluster(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    cells = ["gru", f"{tmp_path / 'mine.py'}:Mine"]
    run_on_ray(tmp_path / "ray", *cells)
    run_comparison(sunspots(), tmp_path / "here", cells=cells, seeds=2, budget=QUICK, rates=RATES)
    assert stored(tmp_path / "ray") == stored(tmp_path / "here")


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ArgumentError, match=r"penstock\[ray\]"):
        Cluster("auto")

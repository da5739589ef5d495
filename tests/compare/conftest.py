from pathlib import Path

import pytest

from penstock.compare.results import Results
from penstock.compare.run import compare
from penstock.data import sunspots
from penstock.training.loop import Budget

QUICK = Budget(steps=12, round_steps=4, batch_size=8)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    """A comparison of two cells with two seeds on the sunspots, and its folder."""
    out = tmp_path_factory.mktemp("compare") / "out"
    return compare(sunspots(), out, cells=["rnn", "gru"], seeds=2, budget=QUICK), out

from pathlib import Path

import pytest
from comparing import QUICK, RATES, run_comparison

from penstock.data import sunspots
from penstock.record.results import Record


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Path]:
    """A comparison of two cells with two rates and two seeds on the sunspots, and its folder."""
    out = tmp_path_factory.mktemp("compare") / "out"
    cells = ["rnn", "gru"]
    return run_comparison(sunspots(), out, cells=cells, seeds=2, budget=QUICK, rates=RATES), out

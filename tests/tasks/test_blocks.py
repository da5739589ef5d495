"""Blocks of test time are as long as errors go together."""

import numpy as np
import polars as pl
import pytest
import torch

from penstock.data import read
from penstock.tasks.series.blocks import blocks_of, memory
from penstock.tasks.series.forecast import FORECAST, ForecastProblem


def problem(values: np.ndarray, horizon: int = 1) -> ForecastProblem:
    frame = pl.DataFrame({"ds": np.arange(len(values)), "y": values})
    made = FORECAST.prepare(read(frame), horizon).problem
    assert isinstance(made, ForecastProblem)
    return made


def regimes(length: int, every: int = 50) -> np.ndarray:
    """Noise whose spread is 1 or 5, by turns."""
    loud = np.arange(length) // every % 2
    return (1 + 4 * loud) * np.random.default_rng(0).standard_normal(length)


def test_noise_has_no_memory_and_regimes_have() -> None:
    assert memory(problem(np.random.default_rng(0).standard_normal(600)).selection) <= 4
    assert memory(problem(np.random.default_rng(0).standard_normal(600), 7).selection) >= 7
    assert 30 <= memory(problem(regimes(2000)).selection) <= 100


@pytest.mark.parametrize("length", [400, 2000, 8000])
def test_no_block_is_shorter(length: int) -> None:
    made = problem(regimes(length))
    blocks = blocks_of(made.selection, made.parts["test"], made.test()[2]).number
    sizes = torch.bincount(blocks)
    assert len(sizes) >= 2
    if len(sizes) > 2:
        assert int(sizes.min()) >= memory(made.selection)
    assert (len(sizes) == 10) == (length >= 2000)

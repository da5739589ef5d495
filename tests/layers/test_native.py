"""The way of cuDNN's cells, on the CPU: torch's operators are the same there."""

import pytest
import torch

from penstock.cells import Place, find_cell
from penstock.compiler.pipeline import Sweep
from penstock.layers.running import eager, native

CASES = [("rnn", {}), ("rnn", {"nonlinearity": "relu"}), ("lstm", {}), ("gru", {})]


@pytest.mark.parametrize(("name", "hyperparameters"), CASES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_same_as_the_equations(name, hyperparameters, reverse, bias):
    torch.manual_seed(0)
    cell, place = find_cell(name)(**hyperparameters), Place(3, 5)
    shapes = {k: s for k, s in cell.shapes(place).items() if bias or not k.startswith("bias")}
    weights = {k: torch.randn(s, dtype=torch.float64) for k, s in shapes.items()}
    states = tuple(torch.randn(2, s, dtype=torch.float64) for s in cell.state_sizes(5))
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    sweep = Sweep(cell, place, weights, x, states, reverse=reverse)
    assert not native.takes(sweep), "the CPU has kernels of its own"
    wanted, given = eager.run(sweep), native.run(sweep)
    torch.testing.assert_close(given.output, wanted.output, atol=1e-12, rtol=0)
    for ours, theirs in zip(given.states, wanted.states, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)

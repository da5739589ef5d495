"""Settings for the whole suite."""

import pytest
import torch

# The sizes here are tiny; on shared cores a second thread only waits (8 ms a product, measured).
torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes golden files anew."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the compiler generates now to tests/golden, instead of comparing",
    )

"""What blocks say of metrics, and what is in a block."""

import numpy as np
import pytest
import torch
from torch import Tensor

from penstock.tasks.measuring import Blocks, consecutive, measured, whole_owners


def test_of_a_mean_the_jackknife_is_the_mean_of_each_block() -> None:
    values = torch.from_numpy(np.random.default_rng(0).standard_normal(50))
    number = torch.arange(50) % 7
    found = measured(lambda kept: {"mean": float(values[kept].mean())}, Blocks.numbered(number), ())
    assert found.blocks == pytest.approx([float(values[number == k].mean()) for k in range(7)])
    assert found.weights == (8.0, 7.0, 7.0, 7.0, 7.0, 7.0, 7.0)
    assert np.average(found.blocks, weights=found.weights) == pytest.approx(found.metrics["mean"])


def test_of_a_root_it_spreads_as_the_root_does() -> None:
    """SE of RMSE by blocks, against the spread of RMSE over fresh errors."""
    rng, roots, errors = np.random.default_rng(0), [], []
    for _ in range(400):
        square = torch.from_numpy(rng.standard_normal(200) ** 2)

        def root(kept: Tensor, square: Tensor = square) -> dict[str, float]:
            return {"MSE": float(square[kept].mean()), "RMSE": float(square[kept].mean()) ** 0.5}

        found = measured(root, consecutive(200), ())
        roots.append(found.metrics["RMSE"])
        errors.append(np.var(found.by_block["RMSE"], ddof=1) / 10)
    assert np.mean(errors) ** 0.5 == pytest.approx(np.std(roots), rel=0.1)


def test_an_owner_is_in_one_block_and_blocks_are_alike() -> None:
    owners = torch.from_numpy(np.random.default_rng(0).permutation(np.repeat(np.arange(40), 5)))
    blocks = whole_owners(owners)
    assert blocks.lag == 0
    assert blocks.weights.tolist() == [20.0] * 10
    pairs = {(o, b) for o, b in zip(owners.tolist(), blocks.number.tolist(), strict=True)}
    assert len(pairs) == 40
    first = [owners.tolist().index(o) for o in range(40)]
    by_first = [blocks.number[place].item() for place in sorted(first)]
    assert by_first == sorted(by_first)  # the order in which they come, not that of their names


@pytest.mark.parametrize(("owners", "count", "lag"), [([4, 4, 4, 9], 4, 1), ([1, 2, 3, 3], 3, 0)])
def test_of_one_or_two_owners_nothing_is_said_about_others(
    owners: list[int], count: int, lag: int
) -> None:
    blocks = whole_owners(torch.tensor(owners))
    assert (len(blocks.weights), blocks.lag) == (count, lag)


def test_one_block_says_the_whole() -> None:
    found = measured(lambda kept: {"sum": float(kept.sum())}, consecutive(1), ())
    assert (found.blocks, found.weights) == ((1.0,), (1.0,))

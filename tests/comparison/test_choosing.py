"""The luck of the best: what it scores where it had no say."""

from dataclasses import replace

import numpy as np
import pytest
from test_equals import cell
from test_verdict import crowd, verdict

from penstock.comparison.judging.choosing import expected_of_best


def by_hand(tables: list[np.ndarray], weights: np.ndarray) -> float:
    S, K = tables[0].shape
    total = 0.0
    for s in range(S):
        for k in range(K):
            seeds = [i for i in range(S) if i != s] or [s]
            blocks = [j for j in range(K) if j != k] or [k]
            means = [
                np.average(x[np.ix_(seeds, blocks)].mean(axis=0), weights=weights[blocks])
                for x in tables
            ]
            total += weights[k] * tables[int(np.argmin(means))][s, k]
    return total / S / weights.sum()


@pytest.mark.parametrize("shape", [(3, 5), (1, 6), (4, 1)])
def test_by_hand(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        tables = [rng.standard_normal(shape) for _ in range(4)]
        weights = rng.uniform(0.5, 2, shape[1])
        cells = [replace(cell(str(k), x), weights=weights.tolist()) for k, x in enumerate(tables)]
        assert expected_of_best(cells) == pytest.approx(by_hand(tables, weights))


def test_of_one_cell_or_of_one_seed_and_block_nothing_is_known() -> None:
    assert expected_of_best([cell("a", np.ones((3, 4)))]) is None
    assert expected_of_best([cell("a", np.ones((1, 1))), cell("b", np.ones((1, 1)))]) is None


def test_of_equals_the_lowest_is_too_good_and_this_is_not() -> None:
    own, told = [], []
    for number in range(300):
        rng = np.random.default_rng(number)
        tables = [
            rng.standard_normal((5, 1)) + rng.standard_normal(10) + rng.standard_normal((5, 10))
            for _ in range(10)
        ]
        own.append(min(x.mean() for x in tables))
        told.append(expected_of_best([cell(str(k), x) for k, x in enumerate(tables)]))
    assert np.mean(own) < -0.7
    assert abs(np.mean(told)) < 0.1


def test_one_that_is_better_in_all_is_as_good_as_it_looks() -> None:
    better = cell("a", np.zeros((3, 4)) + np.arange(4))
    assert expected_of_best([better, cell("b", np.full((3, 4), 9.0))]) == pytest.approx(1.5)


def test_the_verdict_says_so_where_it_matters() -> None:
    rng = np.random.default_rng(0)
    said = " ".join(verdict(*crowd(rng, [0.0] * 6)).sentences)
    assert "did not choose it, the best has MASE" in said
    assert "did not choose it" not in " ".join(verdict(*crowd(rng, [-9.0, 0.0])).sentences)

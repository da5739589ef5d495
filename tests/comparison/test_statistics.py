import numpy as np
import pytest

from penstock.comparison.judging.statistics import mean_over_seeds, paired_difference, t_quantile


@pytest.mark.parametrize(
    ("freedom", "expected"),  # from printed tables of Student's t, two-sided 95 %
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (5, 2.57058), (10, 2.22814), (30, 2.04227)],
)
def test_quantiles_are_those_of_the_tables(freedom: float, expected: float) -> None:
    assert t_quantile(freedom) == pytest.approx(expected, rel=2e-4)
    assert t_quantile(1e5) == pytest.approx(1.95996, rel=2e-4)


def test_one_value_has_no_interval() -> None:
    assert mean_over_seeds(np.array([2.0])).interval is None
    assert paired_difference(np.ones((3, 1))).interval is None


def test_the_mean_over_seeds_by_hand() -> None:
    found = mean_over_seeds(np.array([1.0, 2.0, 3.0]))
    assert found.interval == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), rel=1e-3)


def test_the_paired_difference_by_hand() -> None:
    D = np.array([[1.0, 2.0, 6.0], [4.0, 3.0, 5.0]])
    seeds = np.var([3.0, 4.0], ddof=1) / 2
    blocks = np.var([2.5, 2.5, 5.5], ddof=1) / 3
    freedom = (seeds + blocks) ** 2 / (seeds**2 / 1 + blocks**2 / 2)
    half = t_quantile(freedom) * (seeds + blocks) ** 0.5
    assert paired_difference(D).interval == pytest.approx((3.5 - half, 3.5 + half))


def test_equal_contestants_differ_by_nothing() -> None:
    assert paired_difference(np.zeros((3, 5))).interval == (0, 0)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng, hits = np.random.default_rng(0), 0
    for _ in range(300):
        seeds, blocks = rng.standard_normal((4, 1)), rng.standard_normal((1, 8))
        found = paired_difference(seeds + blocks + 0.1 * rng.standard_normal((4, 8))).interval
        assert found is not None
        hits += found[0] < 0 < found[1]
    assert 0.92 < hits / 300 < 0.99

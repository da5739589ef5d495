from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from penstock.comparison.judging.estimates import estimated
from penstock.comparison.judging.statistics import (
    Estimate,
    Table,
    difference,
    holm,
    mean_over_seeds,
    over_seeds_and_blocks,
    t_quantile,
)
from penstock.tasks.problem import Measured


def two_way(scores: Table) -> Estimate:
    return over_seeds_and_blocks([scores], np.ones(scores.shape[1]))


@pytest.mark.parametrize(
    ("freedom", "expected"),  # from printed tables of Student's t, two-sided 95 %
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (5, 2.57058), (10, 2.22814), (30, 2.04227)],
)
def test_quantiles_are_those_of_the_tables(freedom: float, expected: float) -> None:
    assert t_quantile(freedom) == pytest.approx(expected, rel=2e-4)
    assert t_quantile(1e5) == pytest.approx(1.95996, rel=2e-4)


def test_one_value_has_no_interval() -> None:
    assert mean_over_seeds(np.array([2.0])).interval is None
    assert two_way(np.ones((3, 1))).interval is None


def test_the_mean_over_seeds_by_hand() -> None:
    found = mean_over_seeds(np.array([1.0, 2.0, 3.0]))
    assert found.interval == pytest.approx((2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5), rel=1e-3)


@pytest.mark.parametrize("effects", [0.0, 1.0])
def test_seeds_and_blocks_by_analysis_of_variance(effects: float) -> None:
    """Beside a million draws of what the variances may be (Tsui & Weerahandi 1989)."""
    chance = np.random.default_rng(2).standard_normal((4, 6)) + 0.5
    x = chance + effects * np.add.outer([0, 3, 1, 5], np.arange(6))
    (S, K), draw = x.shape, np.random.default_rng(0)
    rows, columns = x.mean(axis=1), x.mean(axis=0)
    rest = x - rows[:, None] - columns + x.mean()
    seeds = K * ((rows - x.mean()) ** 2).sum() / draw.chisquare(S - 1, 10**6)
    blocks = S * ((columns - x.mean()) ** 2).sum() / draw.chisquare(K - 1, 10**6)
    both = (rest**2).sum() / (S - 1) / (K - 1)
    total = np.maximum(seeds, both) + np.maximum(blocks, both) - both
    errors, found = (total / S / K) ** 0.5, two_way(x)
    assert found.interval is not None
    low, high = found.interval
    assert x.mean() - low == pytest.approx(high - x.mean())
    assert 2 * ndtr((low - x.mean()) / errors).mean() == pytest.approx(0.05, rel=0.01)
    assert found.p == pytest.approx(2 * ndtr(-abs(x.mean()) / errors).mean(), rel=0.01)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_where_seeds_alone_differ_it_is_students_t(seeds: int) -> None:
    of_seed = np.random.default_rng(seeds).standard_normal(seeds) + 2
    found = two_way(of_seed[:, None] + np.zeros(7))
    alone = mean_over_seeds(of_seed)
    assert found.interval == pytest.approx(alone.interval, rel=1e-3)
    assert found.p == pytest.approx(alone.p, rel=1e-3)


def test_a_block_of_twice_the_weight_counts_twice() -> None:
    x, weights = np.random.default_rng(0).standard_normal((3, 5)), np.array([1.0, 1, 2, 1, 4])
    found = over_seeds_and_blocks([x], weights)
    assert found.mean == pytest.approx(np.average(x, axis=1, weights=weights).mean())
    alike = over_seeds_and_blocks([x + 3.0], weights)
    assert np.ptp(found.interval or 0) == pytest.approx(np.ptp(alike.interval or 1))


def test_the_error_of_a_weighted_mean() -> None:
    """Block effects of the mean, as many as drawn: their spread is what SE says, on average."""
    rng, weights = np.random.default_rng(0), np.array([1.0, 1, 2, 1, 4, 1, 1, 3])
    drawn = [over_seeds_and_blocks([rng.standard_normal((1, 8))], weights) for _ in range(2000)]
    halves = [(one.interval[1] - one.interval[0]) / 2 for one in drawn if one.interval]
    error = np.mean(np.square(halves)) ** 0.5 / t_quantile(7)
    assert error == pytest.approx(np.std([one.mean for one in drawn]), rel=0.1)


def test_equal_contestants_differ_by_nothing() -> None:
    x = np.arange(6.0).reshape(2, 3)
    found = difference(x, x, np.ones(3), paired=True)
    assert (found.mean, found.interval, found.p) == (0, None, None)


@pytest.mark.parametrize(("blocks", "sure"), [(2, False), (3, False), (4, True), (10, True)])
def test_a_difference_that_never_changes_is_not_sure_of_itself(blocks: int, sure: bool) -> None:
    found = difference(
        np.zeros((3, blocks)), np.full((1, blocks), 0.1), np.ones(blocks), paired=True
    )
    assert found.interval is not None
    assert found.interval[0] < found.mean < found.interval[1]
    assert (found.interval[1] < 0) == sure


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("scales", [(1, 1, 0.3), (0, 1, 1), (0.3, 1, 0.3), (1, 0.1, 1)])
@pytest.mark.parametrize("paired", [True, False])
def test_equal_ones_differ_about_as_rarely_as_it_says(
    seeds: int, scales: tuple[float, float, float], paired: bool
) -> None:
    rng, missed, draws = np.random.default_rng(0), 0, 300
    own, hard, rest = scales
    weights = rng.uniform(0.5, 1.5, 10)
    for _ in range(draws):
        first, second = (
            own * rng.standard_normal((seeds, 1))
            + hard * rng.standard_normal((1, 10))
            + rest * rng.standard_normal((seeds, 10))
            for _ in range(2)
        )
        p = difference(first, second, weights, paired=paired).p
        missed += p is not None and p < 0.05
    assert missed / draws < 0.085  # 0.05, and 2.8 standard errors


def test_holm_by_hand() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_blocks_that_touch_by_harvey_leybourne_and_newbold() -> None:
    """Their statistic, from its formula, for one series of differences and h = 2."""
    d = np.random.default_rng(0).standard_normal(9).cumsum()
    n, h, z = len(d), 2, d - d.mean()
    gamma = [float(z[k:] @ z[: n - k]) / n for k in range(h)]
    dm = d.mean() / ((gamma[0] + 2 * sum(gamma[1:])) / n) ** 0.5
    star = dm * ((n + 1 - 2 * h + h * (h - 1) / n) / n) ** 0.5
    found = over_seeds_and_blocks([d[None]], np.ones(n), lag=1)
    assert found.interval is not None
    half = (found.interval[1] - found.interval[0]) / 2
    assert found.mean / (half / t_quantile(n - 1)) == pytest.approx(star)


def test_two_blocks_that_touch_tell_nothing() -> None:
    one, other = np.zeros((3, 2)), np.array([[1.0, 1.1]] * 3)
    found = difference(one, other, np.ones(2), paired=True, lag=1)
    assert (found.interval, found.p) == (None, None)
    assert difference(one, other, np.ones(2), paired=True).interval is not None


@pytest.mark.parametrize(("horizon", "lag", "held"), [(24, 1, (0.93, 0.98)), (24, 0, (0.8, 0.92))])
def test_errors_of_many_steps_go_together_across_blocks(
    horizon: int, lag: int, held: tuple[float, float]
) -> None:
    """Forecasts of a random walk, h steps ahead, in ten blocks of h: how often 0 is inside."""
    rng, inside, draws = np.random.default_rng(0), 0, 600
    for _ in range(draws):
        walk = rng.standard_normal(12 * horizon).cumsum()
        errors = (walk[horizon:] - walk[:-horizon])[: 10 * horizon]
        found = over_seeds_and_blocks([errors.reshape(1, 10, -1).mean(2)], np.ones(10), lag)
        assert found.interval is not None
        inside += found.interval[0] < 0 < found.interval[1]
    assert held[0] < inside / draws < held[1]


@pytest.mark.parametrize("lag", [0, 1])
def test_every_metric_has_the_interval_of_seeds_and_blocks(lag: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.uniform(1, 2, 8)
    tables = {metric: rng.standard_normal((3, 8)) for metric in ("MAE", "RMSE")}
    metrics = [{m: float(x[s].mean()) for m, x in tables.items()} for s in range(3)]
    rows = [
        Measured(
            metrics[s], tuple(tables["MAE"][s]), tuple(weights), (),
            {"RMSE": tuple(tables["RMSE"][s])}, lag,
        )
        for s in range(3)
    ]  # fmt: skip
    problem = SimpleNamespace(metrics=tuple(tables))
    task: Any = SimpleNamespace(problem=problem, baselines={"x": SimpleNamespace(measured=rows[0])})
    means, intervals = estimated(task, rows)
    for metric, x in tables.items():
        expected = over_seeds_and_blocks([x], weights, lag)
        assert expected.interval is not None
        assert means[metric] == pytest.approx(x.mean())
        moved = [bound - expected.mean + means[metric] for bound in expected.interval]
        assert intervals[metric] == pytest.approx(moved)


def test_hundreds_of_seeds_are_no_more_than_floats_can_hold() -> None:
    found = two_way(np.random.default_rng(0).standard_normal((600, 5)) + np.arange(5))
    assert found.interval is not None
    assert found.interval[0] < found.mean < found.interval[1]


def test_what_sums_up_to_rounding_is_no_difference() -> None:
    third, fourth = np.array([[1 / 3, 0.0, 0.0]]), np.array([[0.0, 1 / 3, 0.0]])
    found = difference(third * (1 + 1e-15), fourth, np.ones(3), paired=True)
    assert found.mean == 0
    assert found.interval is not None

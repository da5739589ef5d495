import numpy as np
import pytest
import torch

from penstock.tasks.series.naive import (
    drift,
    error_quantiles,
    last_value,
    moving_average,
    seasonal_naive,
)

VALUES = np.random.default_rng(0).standard_normal((3, 20))


def test_last_value() -> None:
    found = last_value(torch.from_numpy(VALUES), 4).numpy()
    assert np.array_equal(found, [[row[-1]] * 4 for row in VALUES])


def test_seasonal_naive_repeats_the_last_season() -> None:
    found = seasonal_naive(torch.from_numpy(VALUES), 11, 5).numpy()
    T = VALUES.shape[1]
    for row, forecast in zip(VALUES, found, strict=True):
        for k in range(1, 12):
            assert forecast[k - 1] == row[T - 1 + k - 5 * int(np.ceil(k / 5))]


def test_drift_is_the_line_through_first_and_last() -> None:
    first, last = torch.from_numpy(VALUES[:, 0]), torch.from_numpy(VALUES[:, -1])
    found = drift(first, last, torch.full((3,), 19), 3).numpy()
    for row, forecast in zip(VALUES, found, strict=True):
        line = np.poly1d(np.polyfit([0, 19], [row[0], row[-1]], 1))
        assert np.allclose(forecast, line([20, 21, 22]))


def test_moving_average() -> None:
    found = moving_average(torch.from_numpy(VALUES), 3, 5).numpy()
    assert found == pytest.approx(np.repeat(VALUES[:, -5:].mean(1)[:, None], 3, axis=1))


def test_intervals_shift_the_forecast_by_past_errors() -> None:
    errors = np.random.default_rng(1).standard_normal((50, 4))
    errors[3, 2] = np.nan
    points = torch.from_numpy(VALUES[:, :4])
    shifts = error_quantiles(torch.from_numpy(errors), (0.1, 0.5, 0.9))
    found = (points[..., None] + shifts).numpy()
    expected = np.nanquantile(errors, [0.1, 0.9], axis=0)
    assert found[..., 0] == pytest.approx(VALUES[:, :4] + expected[0])
    assert np.array_equal(found[..., 1], VALUES[:, :4])
    assert found[..., 2] == pytest.approx(VALUES[:, :4] + expected[1])

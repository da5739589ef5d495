"""Classical forecasts, held to loops and to scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from penstock.data import Options
from penstock.data.samples import sample
from penstock.models.forecaster import History
from penstock.tasks import find_task, linear
from penstock.tasks.series.classical import Known, RidgeForecast, Theta, _seasonal
from penstock.tasks.task import Task

SIZES = {"horizon": 5, "context": 20, "season": 1, "quantiles": 3, "past": 0, "known": 0}


def history(values: np.ndarray, known: int = 0) -> History:
    rows, steps = values.shape
    draw = np.random.default_rng(9)
    return History(
        torch.from_numpy(values),
        torch.empty(rows, steps, 0),
        torch.from_numpy(draw.standard_normal((rows, steps + 5, known))),
        torch.from_numpy(values[:, 0]),
        torch.full((rows,), steps - 1),
    )


def drawn(rows: int = 4, steps: int = 20, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, steps)).cumsum(axis=1)


@pytest.mark.parametrize("theta", [1.0, 4 / 3, 2.0, 4.0])
@pytest.mark.parametrize("alpha", [0.05, 0.4, 1.0])
def test_theta_by_its_two_lines(alpha: float, theta: float) -> None:
    """Of the line of slope b, and of smoothing applied to θ y + (1 − θ) line, 1/θ of it."""
    values = drawn()
    method = Theta.of(
        SIZES,
        shifts=torch.zeros(5, 3).double(),
        alpha=torch.tensor(alpha, dtype=torch.float64),
        share=torch.tensor(1 - 1 / theta, dtype=torch.float64),
    )
    found = method.point(history(values)).numpy()
    for row, y in enumerate(values):
        t = np.arange(20)
        slope, level = np.polyfit(t, y, 1)
        bent = theta * y + (1 - theta) * (level + slope * t)
        smoothed = bent[0]
        for value in bent[1:]:
            smoothed = alpha * value + (1 - alpha) * smoothed
        ahead = level + slope * (19 + np.arange(1, 6))
        assert found[row] == pytest.approx(smoothed / theta + ahead * (1 - 1 / theta), abs=1e-9)


def test_the_season_that_theta_takes_out() -> None:
    cycle = np.array([3.0, -1.0, -2.0])
    values = np.tile(cycle, 7)[None, :20] + 0.5 * np.arange(20)
    found = _seasonal(torch.from_numpy(values), 3)[0].numpy()
    assert found == pytest.approx(np.tile(cycle, 7)[:20], abs=0.4)
    assert not _seasonal(torch.from_numpy(values), 11).any()  # the context holds no two
    sizes = {**SIZES, "season": 3}
    weights = {"alpha": torch.tensor(1.0).double(), "share": torch.tensor(0.5).double()}
    method = Theta.of(sizes, shifts=torch.zeros(5, 3).double(), **weights)
    ahead = method.point(history(values))[0].numpy()
    expected = np.tile(cycle, 9)[20:25] + 0.5 * 19 + 0.25 * np.arange(1, 6)  # half the slope
    assert ahead == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("known", [0, 2])
def test_ridge_of_each_step_as_scikit_learn(known: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_PENALTIES", (1.0,))
    past, target = history(drawn(80), known), torch.from_numpy(drawn(80, 5, 1))
    target[3, 2] = torch.nan
    sizes = {**SIZES, "known": known}
    windows = Known(past, target)
    found = RidgeForecast.chosen(sizes, windows, windows).point(past).numpy()
    values, beside = past.contexts.numpy(), past.known.numpy()
    for k in range(5):
        x = np.c_[values[:, :-1] - values[:, -1:], values[:, -1:], beside[:, 20 + k]]
        z, y = (x - x.mean(0)) / x.std(0), target[:, k].numpy() - values[:, -1]
        seen = ~np.isnan(y)
        if k == 2:
            z = (x - x[seen].mean(0)) / x[seen].std(0)
        expected = values[:, -1] + Ridge(alpha=1.0).fit(z[seen], y[seen]).predict(z)
        assert found[:, k] == pytest.approx(expected, abs=1e-8)


@pytest.fixture(scope="module")
def shops() -> Task:
    kind = find_task("forecast")
    return kind.prepare(kind.read(sample("shops"), Options(task="forecast")))


def test_what_each_kind_is_worth(shops: Task) -> None:
    """On sales that follow the day of the week and prices, a fitted model beats every rule."""
    errors = {
        (one.method.kind, name): shops.problem.measure(one.predict()).metrics["MASE"]
        for name, one in shops.baselines.items()
    }
    kinds = [kind for kind, _ in errors]
    assert kinds == ["blind"] + 4 * ["naive"] + 3 * ["classical"]
    best = min(errors, key=lambda one: errors[one])
    assert best == ("classical", "gradient boosting")


def test_intervals_of_classical_forecasts_are_of_validation_errors(shops: Task) -> None:
    for name in ("theta", "ridge on the context", "gradient boosting"):
        held = shops.problem.measure(shops.baselines[name].predict()).metrics["80 % coverage"]
        assert held == pytest.approx(0.8, abs=0.06), name


def test_theta_of_a_single_value_is_that_value() -> None:
    sizes, values = {**SIZES, "context": 1}, drawn(4, 1)
    half = torch.tensor(0.5, dtype=torch.float64)
    method = Theta.of(sizes, shifts=torch.zeros(5, 3).double(), alpha=half, share=half)
    assert method.point(history(values)).numpy() == pytest.approx(np.repeat(values, 5, axis=1))

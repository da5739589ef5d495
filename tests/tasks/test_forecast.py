from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from penstock.data import Dataset, read, sunspots
from penstock.errors import ArgumentError, DataError
from penstock.tasks import find_task, tasks
from penstock.tasks.forecast import Forecast
from penstock.tasks.forecaster import MEDIAN, QUANTILES, extend
from penstock.training.loop import Budget, Training


def dataset(**columns: list[float | None] | np.ndarray) -> Dataset:
    return read(pl.DataFrame(columns))


def noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(length)


def test_tasks_are_found_by_looking() -> None:
    assert tasks()["forecast"] is Forecast
    with pytest.raises(ArgumentError, match="did you mean 'forecast'"):
        find_task("forcast")


def test_an_untrained_network_forecasts_the_last_value() -> None:
    task = Forecast.prepare(sunspots())
    expected = task.baselines()["last value"][..., MEDIAN]
    found = task.predict(task.network("gru", 5))
    assert all(torch.equal(found[..., q], expected) for q in range(len(QUANTILES)))


def test_a_level_never_seen_in_training_changes_little() -> None:
    network = Forecast.prepare(sunspots()).network("gru", 5)
    torch.nn.init.normal_(network.head.weight)  # type: ignore[union-attr, arg-type]
    context = torch.randn(4, 24)
    with torch.no_grad():
        far, farther = network(context + 100), network(context + 1000)
    assert torch.allclose(far, farther, atol=1e-3)


def test_metrics_and_baselines_by_hand() -> None:
    values = sunspots().series[0].values
    task = Forecast.prepare(sunspots(), 3)
    train, first_test = 309 - 77 - 46, 309 - 77
    m = task.selection.season
    unit = np.abs(values[m:train] - values[: train - m]).mean()
    starts = range(first_test, 309 - 3 + 1)
    forecasts = {
        "last value": lambda t, _: values[t - 1],
        "seasonal naive": lambda t, k: values[t + k - m],
        "drift": lambda t, k: values[t - 1] + (k + 1) * (values[t - 1] - values[0]) / (t - 1),
        "moving average": lambda t, _: values[t - m : t].mean(),
    }
    for name, forecast in forecasts.items():
        errors = [[abs(values[t + k] - forecast(t, k)) for k in range(3)] for t in starts]
        found = task.measure(task.baselines()[name])
        assert found.metrics["MAE"] == pytest.approx(np.mean(errors))
        assert found.metrics["MASE"] == pytest.approx(np.mean(errors) / unit)
        assert found.profile == pytest.approx(np.mean(errors, axis=0) / unit)


def test_blocks_are_consecutive_and_their_mean_is_the_score() -> None:
    task = Forecast.prepare(dataset(y=noise(400)), 1)
    found = task.measure(task.baselines()["last value"])
    assert len(found.blocks) == 10
    assert np.mean(found.blocks) == pytest.approx(found.metrics["MASE"])


def test_values_of_the_test_part_leak_nowhere() -> None:
    data = sunspots()
    changed = data.series[0].values.copy()
    changed[309 - 77 :] = 1000 + noise(77)
    other = replace(data, series=(replace(data.series[0], values=changed),))
    tasks_ = [Forecast.prepare(one) for one in (data, other)]
    a, b = tasks_
    assert a.settings() == b.settings()
    assert a.selection.scales == b.selection.scales
    assert np.array_equal(a.selection.naive_errors, b.selection.naive_errors)
    for part in ("train", "validation"):
        index = torch.arange(a.size(part))
        assert a.size(part) == b.size(part)
        for one, two in zip(a.batch(part, index), b.batch(part, index), strict=True):
            assert torch.equal(one, two)
    losses = []
    for task in tasks_:
        torch.manual_seed(0)
        budget = Budget(steps=8, round_steps=4)
        losses.append(Training(task, task.network("rnn", 3), seed=0, budget=budget).run().losses)
    assert losses[0] == losses[1]


def test_missing_targets_are_never_scored() -> None:
    values: list[float | None] = [*noise(200)]
    values[170] = None
    task = Forecast.prepare(dataset(y=values), 2)
    context, _, observed = task.parts["test"].batch(torch.arange(task.size("test")))
    predictions = last = context[:, -1:, None].expand(-1, 2, len(QUANTILES)).clone()
    wrong = torch.where(observed[..., None], last, torch.tensor(1e9))
    assert task.measure(wrong) == task.measure(predictions)
    assert not observed.all()
    batch = task.batch("test", torch.arange(task.size("test")))
    spoilt = (batch[0], torch.where(batch[2], batch[1], torch.tensor(1e9)), *batch[2:])
    network = task.network("rnn", 3)
    assert torch.equal(task.loss(network, batch), task.loss(network, spoilt))


def test_scores_weigh_series_by_their_own_unit() -> None:
    small, large = noise(200, 1), 1000 * noise(200, 1)
    task = Forecast.prepare(dataset(small=small, large=large), 1)
    alone = Forecast.prepare(dataset(small=small), 1)
    scores = [t.measure(t.baselines()["drift"]).metrics["MASE"] for t in (task, alone)]
    assert scores[0] == pytest.approx(scores[1])


def test_constant_and_short_series_are_left_out_and_named() -> None:
    frame = pl.DataFrame(
        {
            "unique_id": ["a"] * 100 + ["flat"] * 100 + ["short"] * 5,
            "ds": [*range(100), *range(100), *range(5)],
            "y": [*noise(100), *[3.0] * 100, *noise(5)],
        }
    )
    task = Forecast.prepare(read(frame), 2)
    assert [one.id for one in task.selection.series] == ["a"]
    assert [note.rpartition(": ")[2] for note in task.notes()] == ["short", "flat"]


@pytest.mark.parametrize(
    ("values", "horizon", "kind", "words"),
    [
        (noise(100), 0, ArgumentError, ["horizon is 0", "from 1"]),
        (noise(100), 100, ArgumentError, ["100 steps", "100 rows", "--horizon"]),
        (noise(100), 60, DataError, ["too few rows", "60", "100", "--horizon"]),
        (noise(10), None, DataError, ["too few rows", "10"]),
        (np.full(100, 2.5), None, DataError, ["'y' is constant", "2.5", "rows 1 to 100"]),
        (np.r_[np.ones(80), noise(20)], None, DataError, ["'y' is constant in its training"]),
    ],
)
def test_what_does_not_suffice_is_named(
    values: np.ndarray, horizon: int | None, kind: type[Exception], words: list[str]
) -> None:
    with pytest.raises(kind) as caught:
        Forecast.prepare(dataset(y=values), horizon)
    assert all(word in str(caught.value) for word in words), caught.value


def test_the_number_of_rows_asked_for_suffices() -> None:
    with pytest.raises(DataError, match="takes 15 rows"):
        Forecast.prepare(dataset(y=noise(14)), 1)
    task = Forecast.prepare(dataset(y=noise(15)), 1)
    assert all(task.size(part) for part in ("train", "validation", "test"))


def test_extend_forecasts_beyond_each_end() -> None:
    frame = pl.DataFrame(
        {
            "unique_id": ["a"] * 30 + ["flat"] * 30 + ["short"] * 3,
            "ds": [*range(30), *range(0, 60, 2), *range(3)],
            "y": [*noise(30), *[3.0] * 30, *noise(3)],
        }
    )
    task = Forecast.prepare(dataset(y=noise(100)), 2)
    found, short = extend(task.network("rnn", 4), read(frame), 10)
    assert short == ["short"]
    assert found["ds"].to_list() == [30, 31, 60, 62]
    assert found["step"].to_list() == [1, 2, 1, 2]
    last = noise(30)[-1]
    assert found["forecast"].to_list() == pytest.approx([last, last, 3, 3])


def test_examples_are_in_the_unit_of_the_data() -> None:
    task = Forecast.prepare(sunspots())
    values = sunspots().series[0].values
    drawn = task.example_predictions(task.baselines()["last value"])
    for shown, ahead in zip(task.examples(), drawn, strict=True):
        at = int(shown["times"][shown["context"]]) - 1700
        assert shown["actual"] == values[at - shown["context"] : at + 12].tolist()
        assert ahead == pytest.approx([values[at - 1]] * 12)

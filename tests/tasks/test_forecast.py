import importlib
import pkgutil
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import mean_squared_error

from penstock import tasks as package
from penstock.data import Dataset, Source, read, sunspots
from penstock.errors import ArgumentError, DataError
from penstock.models.forecaster import MEDIAN, QUANTILES, Forecaster
from penstock.record.structure import Structure
from penstock.tasks import find_task, tasks
from penstock.tasks.series.codec import extend
from penstock.tasks.series.forecast import FORECAST
from penstock.tasks.task import TaskKind
from penstock.training.loop import Budget, Training


def dataset(**columns: list[float | None] | np.ndarray) -> Dataset:
    return read(pl.DataFrame(columns))


def noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(length)


def test_tasks_are_found_by_looking() -> None:
    assert tasks()["forecast"] is FORECAST
    modules = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    values = [value for m in modules for value in vars(importlib.import_module(m.name)).values()]
    kinds = {kind.name: kind for kind in values if isinstance(kind, TaskKind)}
    assert kinds == tasks()  # none is named otherwise than its file
    with pytest.raises(ArgumentError, match="did you mean 'forecast'"):
        find_task("forcast")


def test_an_untrained_network_forecasts_the_last_value() -> None:
    task = FORECAST.prepare(sunspots())
    expected = task.baselines["last value"].predict()[..., MEDIAN]
    found = task.problem.predict(task.network("gru", Structure(5)))
    assert all(torch.equal(found[..., q], expected) for q in range(len(QUANTILES)))


def test_a_level_never_seen_in_training_changes_little() -> None:
    network = FORECAST.prepare(sunspots()).network("gru", Structure(5))
    torch.nn.init.normal_(network.head.weight)  # type: ignore[union-attr, arg-type]
    context = torch.randn(4, 24)
    with torch.no_grad():
        far, farther = network(context + 100), network(context + 1000)
    assert torch.allclose(far, farther, atol=1e-3)


def test_metrics_and_baselines_by_hand() -> None:
    values = sunspots().series[0].values
    task = FORECAST.prepare(sunspots(), 3)
    train, first_test = 309 - 77 - 46, 309 - 77
    m = task.problem.selection.season
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
        found = task.problem.measure(task.baselines[name].predict())
        assert found.metrics["MAE"] == pytest.approx(np.mean(errors))
        assert found.metrics["MASE"] == pytest.approx(np.mean(errors) / unit)
        assert found.profile == pytest.approx(np.mean(errors, axis=0) / unit)


def test_blocks_are_consecutive_and_their_mean_is_the_score() -> None:
    task = FORECAST.prepare(dataset(y=noise(400)), 1)
    found = task.problem.measure(task.baselines["last value"].predict())
    assert len(found.blocks) == 10
    assert np.mean(found.blocks) == pytest.approx(found.metrics["MASE"])


def test_values_of_the_test_part_leak_nowhere() -> None:
    data = sunspots()
    changed = data.series[0].values.copy()
    changed[309 - 77 :] = 1000 + noise(77)
    other = replace(data, series=(replace(data.series[0], values=changed),))
    tasks_ = [FORECAST.prepare(one) for one in (data, other)]
    a, b = tasks_
    assert a.settings == b.settings
    assert a.problem.selection.scales == b.problem.selection.scales
    assert np.array_equal(a.problem.selection.naive_errors, b.problem.selection.naive_errors)
    for part in ("train", "validation"):
        index = torch.arange(a.problem.size(part))
        assert a.problem.size(part) == b.problem.size(part)
        for one, two in zip(
            a.problem.batch(part, index), b.problem.batch(part, index), strict=True
        ):
            assert torch.equal(one, two)
    losses = []
    for task in tasks_:
        torch.manual_seed(0)
        budget = Budget(steps=8, round_steps=4)
        losses.append(
            Training(task.problem, task.network("rnn", Structure(3)), seed=0, budget=budget)
            .run()
            .losses
        )
    assert losses[0] == losses[1]


def test_missing_targets_are_never_scored() -> None:
    values: list[float | None] = [*noise(200)]
    values[170] = None
    task = FORECAST.prepare(dataset(y=values), 2)
    context, _, observed = task.problem.parts["test"].batch(torch.arange(task.problem.size("test")))
    predictions = last = context[:, -1:, None].expand(-1, 2, len(QUANTILES)).clone()
    wrong = torch.where(observed[..., None], last, torch.tensor(1e9))
    assert task.problem.measure(wrong) == task.problem.measure(predictions)
    assert not observed.all()
    batch = task.problem.batch("test", torch.arange(task.problem.size("test")))
    spoilt = (batch[0], torch.where(batch[2], batch[1], torch.tensor(1e9)), *batch[2:])
    network = task.network("rnn", Structure(3))
    assert torch.equal(task.problem.loss(network, batch), task.problem.loss(network, spoilt))


def test_scores_weigh_series_by_their_own_unit() -> None:
    small, large = noise(200, 1), 1000 * noise(200, 1)
    task = FORECAST.prepare(dataset(small=small, large=large), 1)
    alone = FORECAST.prepare(dataset(small=small), 1)
    scores = [
        t.problem.measure(t.baselines["drift"].predict()).metrics["MASE"] for t in (task, alone)
    ]
    assert scores[0] == pytest.approx(scores[1])


def test_constant_and_short_series_are_left_out_and_named() -> None:
    frame = pl.DataFrame(
        {
            "unique_id": ["a"] * 100 + ["flat"] * 100 + ["short"] * 5,
            "ds": [*range(100), *range(100), *range(5)],
            "y": [*noise(100), *[3.0] * 100, *noise(5)],
        }
    )
    task = FORECAST.prepare(read(frame), 2)
    assert [one.id for one in task.problem.selection.series] == ["a"]
    assert [note.rpartition(": ")[2] for note in task.notes] == ["short", "flat"]


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
        FORECAST.prepare(dataset(y=values), horizon)
    assert all(word in str(caught.value) for word in words), caught.value


def test_the_number_of_rows_asked_for_suffices() -> None:
    with pytest.raises(DataError, match="takes 15 rows"):
        FORECAST.prepare(dataset(y=noise(14)), 1)
    task = FORECAST.prepare(dataset(y=noise(15)), 1)
    assert all(task.problem.size(part) for part in ("train", "validation", "test"))


def test_extend_forecasts_beyond_each_end() -> None:
    frame = pl.DataFrame(
        {
            "unique_id": ["a"] * 30 + ["flat"] * 30 + ["short"] * 3,
            "ds": [*range(30), *range(0, 60, 2), *range(3)],
            "y": [*noise(30), *[3.0] * 30, *noise(3)],
        }
    )
    task = FORECAST.prepare(dataset(y=noise(100)), 2)
    found, short = extend(
        task.network("rnn", Structure(4)), read(frame), {**task.spec, "context": 10}
    )
    assert short == ["short"]
    assert found["ds"].to_list() == [30, 31, 60, 62]
    assert found["step"].to_list() == [1, 2, 1, 2]
    last = noise(30)[-1]
    assert found["forecast"].to_list() == pytest.approx([last, last, 3, 3])


def test_examples_are_in_the_unit_of_the_data() -> None:
    task = FORECAST.prepare(sunspots())
    values = sunspots().series[0].values
    drawn = task.examples.predicted(task.baselines["last value"].predict())
    for shown, ahead in zip(task.examples.shown(), drawn, strict=True):
        at = int(shown.times[shown.context]) - 1700
        assert shown.actual == values[at - shown.context : at + 12].tolist()
        assert ahead == pytest.approx([values[at - 1]] * 12)


def promoted(length: int = 160, ahead: int = 0, known: str = "promo") -> pl.DataFrame:
    """Noise that jumps by 20 where `known` is 1; the last `ahead` rows have no value."""
    draw = np.random.default_rng(0)
    promo = (draw.random(length) < 0.3).astype(float)
    y = [*(20 * promo + draw.standard_normal(length))[: length - ahead], *[None] * ahead]
    return pl.DataFrame({"t": np.arange(length), "y": y, known: promo})


def with_beside(**options: tuple[str, ...]) -> Any:
    return FORECAST.prepare(read(promoted(), target=["y"], time_column="t", **options), 2)


@pytest.mark.parametrize("kind", ["known", "past"])
def test_windows_hold_the_columns_beside(kind: str) -> None:
    task = with_beside(**{kind: ("promo",)})
    promo = promoted()["promo"].to_numpy()
    scale = getattr(task.problem.selection, kind)[0]
    train = promo[: task.problem.selection.splits[0].train]
    assert (scale.mean, scale.std) == pytest.approx((train.mean(), train.std()))
    *_, past, known = task.problem.batch("test", torch.arange(task.problem.size("test")))
    L, h = task.problem.selection.context, 2
    for window, at in enumerate(task.problem.parts["test"].targets.tolist()):
        if kind == "known":
            expected = scale.apply(promo[at - L : at + h])
            assert known[window, :, 0].numpy() == pytest.approx(expected, abs=1e-5)
            assert past.shape == (len(known), L, 0)
        else:
            expected = scale.apply(promo[at - L : at])
            assert past[window, :, 0].numpy() == pytest.approx(expected, abs=1e-5)
            assert known.shape == (len(past), L + h, 0)


def trained(task: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    network = task.network("gru", Structure(8))
    Training(task.problem, network, seed=0, budget=Budget(steps=200, learning_rate=1e-2)).run()
    return network


def test_what_is_known_ahead_is_used_and_what_is_not_cannot_be() -> None:
    scores = {}
    for kind in ("known", "past"):
        task = with_beside(**{kind: ("promo",)})
        scores[kind] = task.problem.measure(task.problem.predict(trained(task))).metrics["MASE"]
    assert scores["known"] < 0.5 * scores["past"]


def test_columns_ahead_reach_their_own_step_alone() -> None:
    task = with_beside(known=("promo",))
    network = task.network("gru", Structure(5))
    torch.nn.init.normal_(network.head.weight)
    context, _, _, past, known = task.problem.batch("test", torch.arange(3))
    changed = known.clone()
    changed[:, -1] += 1  # the column at the last step ahead
    with torch.no_grad():
        one, other = (network(context, past, columns) for columns in (known, changed))
    assert torch.equal(one[:, 0], other[:, 0])
    assert not torch.isclose(one[:, 1], other[:, 1]).any()


def test_a_model_with_columns_ahead_needs_them_for_the_steps_to_come() -> None:
    task = with_beside(known=("promo",))
    network, spec = trained(task), task.spec
    source = Source("next.csv", promoted(162, ahead=2))
    frame, _ = task.codec.apply(network, spec, source)
    promo = promoted(162)["promo"].to_list()[-2:]
    assert frame["ds"].to_list() == [160, 161]
    for value, on in zip(frame["forecast"], promo, strict=True):
        assert value == pytest.approx(20 * on, abs=5)
    with pytest.raises(DataError, match=r"'y' has 1 rows after its last value.*needs 2.*promo"):
        task.codec.apply(network, spec, Source("next.csv", promoted(161, ahead=1)))


def test_missing_cells_beside_are_carried_forward_and_the_mean_at_first() -> None:
    frame = promoted().with_columns(promo=pl.when(pl.col("t") > 4).then("promo"))
    frame = frame.with_columns(promo=pl.when(pl.col("t") != 50).then("promo"))
    data = read(frame, target=["y"], time_column="t", past=["promo"])
    assert np.isnan(data.series[0].past[:5, 0]).all()
    assert data.series[0].past[50, 0] == data.series[0].past[49, 0]
    panel = FORECAST.prepare(data, 2).problem.parts["train"].panel
    assert panel.past[:5, 0].tolist() == [0] * 5


def test_the_interval_of_a_naive_forecast_is_that_of_its_past_errors() -> None:
    task = FORECAST.prepare(sunspots(), 2)
    train = task.problem.parts["train"]
    values, scale = sunspots().series[0].values, task.problem.selection.scales[0]
    starts = train.targets.numpy()
    found = task.baselines["last value"].predict()
    for k in range(2):
        errors = values[starts + k] - values[starts - 1]
        low, high = np.quantile(errors, [0.1, 0.9]) / scale.std
        assert (found[:, k, 0] - found[:, k, 1]).numpy() == pytest.approx(low)
        assert (found[:, k, 2] - found[:, k, 1]).numpy() == pytest.approx(high)


def test_metrics_by_hand() -> None:
    task = FORECAST.prepare(sunspots(), 2)
    found = task.baselines["drift"].predict()
    _, target, observed = task.problem.parts["test"].batch(torch.arange(task.problem.size("test")))
    assert observed.all()
    y, p = target.numpy(), found.numpy()
    losses = [
        np.where(y > p[..., j], q * (y - p[..., j]), (1 - q) * (p[..., j] - y))
        for j, q in enumerate(QUANTILES)
    ]
    unit = task.problem.selection.scales[0].std / task.problem.selection.naive_errors[0]
    metrics = task.problem.measure(found).metrics
    assert metrics["pinball"] == pytest.approx(np.mean(losses) * unit)
    outside = (y < p[..., 0]) | (y > p[..., 2])
    assert metrics["80 % coverage"] == pytest.approx(1 - outside.mean())
    scale, season = task.problem.selection.scales[0], task.problem.selection.season
    actual, ahead = scale.undo(y), scale.undo(p[..., 1])
    assert metrics["MSE"] == pytest.approx(mean_squared_error(actual, ahead))
    assert metrics["RMSE"] == pytest.approx(np.sqrt(metrics["MSE"]))
    share = np.abs(actual - ahead) / (np.abs(actual) + np.abs(ahead))
    assert metrics["sMAPE"] == pytest.approx(200 * share.mean())
    naive = task.problem.measure(task.baselines["seasonal naive"].predict()).metrics
    assert season > 1
    assert metrics["skill"] == pytest.approx(1 - metrics["MASE"] / naive["MASE"])
    assert naive["skill"] == pytest.approx(0)


def test_intervals_are_widened_by_what_validation_says() -> None:
    """By the smallest that holds 80 % and one window more of those of each step ahead."""
    draw = np.random.default_rng(3)
    growing = np.sin(np.arange(700) / 3) + np.arange(700) / 700 * draw.standard_normal(700)
    task = FORECAST.prepare(dataset(y=growing), 3)
    network = trained(task)
    own = task.problem.predict(network)
    task.problem.calibrate(network)
    wider, past, target = task.problem.predict(network), *task.problem.known("validation")
    by = wider[0, :, 2] - own[0, :, 2]
    assert torch.allclose(own[..., 0] - wider[..., 0], by.expand(len(own), -1), atol=1e-6)
    assert torch.equal(own[..., 1], wider[..., 1])
    assert by.min() > 0.1
    ahead, count = network.ahead(past).detach().numpy(), len(target)  # type: ignore[operator]
    for step in range(3):
        low, high, y = ahead[:, step, 0], ahead[:, step, 2], target[:, step].numpy()
        held = int(((y >= low - 1e-6) & (y <= high + 1e-6)).sum())
        assert held - 2 <= 0.8 * (count + 1) <= held + 2
    again = task.network("gru", Structure(8))
    again.load_state_dict(network.state_dict())
    assert torch.equal(task.problem.predict(again), wider)


def test_intervals_cover_what_they_say() -> None:
    draw = np.random.default_rng(1)
    task = FORECAST.prepare(dataset(y=np.sin(np.arange(900) / 3) + 0.3 * draw.standard_normal(900)))
    held = task.problem.measure(task.problem.predict(trained(task))).metrics["80 % coverage"]
    assert 0.65 < held < 0.9


def test_quantiles_are_in_order_and_drawn_as_bands() -> None:
    task = FORECAST.prepare(sunspots())
    network = task.network("rnn", Structure(5))
    torch.nn.init.normal_(network.head.weight)
    found = task.problem.predict(network)
    assert (found.diff(dim=-1) >= 0).all()
    bands, points = task.examples.bands(found), task.examples.predicted(found)
    for band, row in zip(bands, points, strict=True):
        assert all(low <= point <= high for (low, high), point in zip(band, row, strict=True))


def test_beyond_the_end_the_network_reads_the_last_values_and_what_is_known() -> None:
    network = Forecaster("gru", Structure(4), horizon=2, past=1, known=1)
    torch.nn.init.normal_(network.head.weight)
    context, past, known = torch.randn(1, 3), torch.randn(1, 3, 1), torch.randn(1, 5, 1)
    y, rows = context[0], []
    for t in range(5):
        last = min(t, 2)
        rows.append([y[last] - y[2], y[last].tanh(), past[0, last, 0], known[0, t, 0]])
    with torch.no_grad():
        output, _ = network.recurrent(torch.tensor([rows]))
        assert torch.allclose(network(context, past, known), network.head(output[:, 3:]))


@pytest.mark.parametrize("unit", [1e-60, 1e60])
def test_metrics_do_not_depend_on_the_unit(unit: float) -> None:
    measured = [
        FORECAST.prepare(dataset(y=(np.arange(200) % 7 + noise(200)) * scale), 3)
        .baselines["drift"]
        .measured
        for scale in (1.0, unit)
    ]
    usual, other = (one.metrics for one in measured)
    assert usual["MASE"] > 0
    assert other["MASE"] == pytest.approx(usual["MASE"])
    assert other["MSE"] == pytest.approx(usual["MSE"] * unit**2)
    assert measured[1].blocks == pytest.approx(measured[0].blocks)

"""A model measured on other data: the metrics of the test part where the file holds just that."""

import itertools
from functools import cache

import numpy as np
import polars as pl
import pytest
import torch

from penstock.data.files import Source
from penstock.data.samples import sample
from penstock.data.series import Options
from penstock.errors import DataError
from penstock.record.structure import Structure
from penstock.tasks import find_task, tasks

SAMPLES = {
    "forecast": "shops", "classify": "gestures", "regress": "adding", "tag": "brackets",
    "text": "rhyme", "bytes": "rhyme", "frames": "canon",
}  # fmt: skip
BY_PART = ("classify", "frames", "regress", "tag")  # of these the test part can stand alone


@cache
def prepared(name):
    kind, source = find_task(name), sample(SAMPLES[name])
    return kind.prepare(kind.read(source, Options(task=name)))


def models(task):
    """Return a network that says something of its own, and every naive and linear method."""
    torch.manual_seed(0)
    network = task.network("gru", Structure(5))
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return {"gru": network, **{n: one.method for n, one in task.baselines.items()}}


def test_part(name):
    members, source = prepared(name).problem.members("test"), sample(SAMPLES[name])
    if source.arrays is not None:
        return Source("test", arrays={key: source.arrays[key] for key in members})
    return Source("test", source.rows().filter(pl.col("id").is_in(members)))


test_part.__test__ = False


def test_every_task_is_measured_here():
    assert {*SAMPLES} == {*tasks()}


@pytest.mark.parametrize("name", BY_PART)
def test_the_test_part_alone_has_the_metrics_of_the_test_part(name):
    task = prepared(name)
    for model in models(task).values():
        wanted = task.problem.measure(task.problem.predict(model)).metrics
        found, _ = task.codec.evaluate(model, task.spec, test_part(name))
        assert found == pytest.approx(wanted, rel=1e-5)
        assert [*found] == [*task.problem.metrics]


@pytest.mark.parametrize("name", ["text", "bytes"])
def test_text_is_read_in_one_pass(name):
    task = prepared(name)
    source = sample("rhyme")
    text = source.text[-900:] + "éé".encode()
    codes = [task.spec["alphabet"].index(c) if c in task.spec["alphabet"] else
             len(task.spec["alphabet"]) for c in ([*text] if name == "bytes" else
                                                  map(ord, text.decode()))]  # fmt: skip
    for model in models(task).values():
        found, notes = task.codec.evaluate(model, task.spec, Source("a.txt", text=text))
        bits, state = [], None
        with torch.no_grad():  # a symbol at a time, as the model goes on writing
            for code, following in itertools.pairwise(codes):
                logits, state = model.follow(torch.tensor([code]), state)
                bits.append(-logits.double().log_softmax(0)[following] / np.log(2))
        values = np.mean(bits), np.mean(bits) * np.log(2), 2 ** np.mean(bits)
        wanted = dict(zip(task.problem.metrics, values, strict=True))
        assert found == pytest.approx(wanted, rel=2e-6)
        assert notes[0].startswith("4 bytes" if name == "bytes" else "2 characters")


@pytest.mark.parametrize("steps", [2, 3, 300])
def test_an_n_gram_starts_with_what_there_is(steps):
    task = prepared("text")
    text = sample("rhyme").text[:steps]
    for model in (one.method for one in task.baselines.values()):
        found, _ = task.codec.evaluate(model, task.spec, Source("a.txt", text=text))
        assert 0 < found["bits per character"] < 20


def test_forecasts_are_those_of_predict_from_each_place():
    task = prepared("forecast")
    table = sample("shops").rows().filter(pl.col("unique_id") == "shop 3").tail(65)
    values, horizon, context = table["y"].to_numpy(), task.spec["horizon"], task.spec["context"]
    row = pl.int_range(pl.len())
    for model in models(task).values():
        errors, held, losses, shares, naive = [], [], [], [], []
        season = task.spec["season"]
        for at in range(context, 65 - horizon + 1):
            known = table.head(at + horizon).with_columns(y=pl.when(row < at).then("y"))
            ahead, _ = task.codec.apply(model, task.spec, Source("cut", known))
            came = values[at : at + horizon]
            errors.append(np.abs(ahead["forecast"].to_numpy() - came))
            held.append((came >= ahead["low"].to_numpy()) & (came <= ahead["high"].to_numpy()))
            shares.append(errors[-1] / (np.abs(came) + np.abs(ahead["forecast"].to_numpy())))
            naive.append(np.abs(np.resize(values[at - season : at], horizon) - came))
            for level, column in ((0.1, "low"), (0.5, "forecast"), (0.9, "high")):
                off = came - ahead[column].to_numpy()
                losses.append(np.maximum(level * off, (level - 1) * off))
        unit = np.abs(values[season:] - values[:-season]).mean()
        found, notes = task.codec.evaluate(model, task.spec, Source("end", table))
        assert found == pytest.approx(
            {
                "MASE": np.mean(errors) / unit,
                "MAE": np.mean(errors),
                "RMSE": np.sqrt(np.mean(np.square(errors))),
                "MSE": np.mean(np.square(errors)),
                "sMAPE": 200 * np.mean(shares),
                "skill": 1 - np.mean(errors) / np.mean(naive),
                "pinball": np.mean(losses) / unit,
                "80 % coverage": np.mean(held),
            },
            rel=1e-5,
        )
        assert "mean |y[t] - y[t-7]| of all that is given" in notes[-1]


def test_a_forecast_is_scaled_by_all_that_came_before_it():
    kind = find_task("forecast")
    task = kind.prepare(kind.read(sample("sunspots"), Options(task="forecast")))
    network, steps = models(task)["gru"], task.spec["context"] + task.spec["horizon"]
    values = task.data.series[0].values[:steps] ** 2
    before, came = np.split(values, [task.spec["context"]])
    scaled = torch.from_numpy((before - before.mean()) / before.std())
    with torch.no_grad():
        change = network(scaled[None].float())[0].sort(dim=-1).values[:, 1].double()
    forecast = (scaled[-1] + change).numpy() * before.std() + before.mean()
    rows = pl.DataFrame({"YEAR": range(1700, 1700 + steps), "SUNACTIVITY": values})
    found, _ = task.codec.evaluate(network, task.spec, Source("one place", rows))
    assert found["MAE"] == pytest.approx(np.abs(forecast - came).mean(), rel=1e-6)


def test_what_is_missing_is_never_scored():
    task = prepared("forecast")
    table = sample("shops").rows().filter(pl.col("unique_id") == "shop 3")
    holes = table.with_columns(y=pl.when(pl.col("day") % 50 != 30).then("y"))
    seen, filled = holes["y"].is_not_null().to_numpy(), table["y"].to_numpy().copy()
    filled[~seen] = filled[np.flatnonzero(~seen) - task.spec["season"]]
    errors = [
        abs(filled[at + k] - filled[at - 1])
        for at in range(task.spec["context"], 200 - task.spec["horizon"] + 1)
        for k in range(task.spec["horizon"])
        if seen[at + k]
    ]
    model = task.baselines["last value"].method
    found, _ = task.codec.evaluate(model, task.spec, Source("holes", holes))
    assert found["MAE"] == pytest.approx(np.mean(errors))


def test_constant_and_short_series_are_left_out_and_said():
    task, table = prepared("forecast"), sample("shops").rows()
    model, shop = models(task)["gru"], pl.col("unique_id")
    whole = table.filter(shop == "shop 3").tail(60)
    flat = table.filter(shop == "shop 4").tail(60).with_columns(y=pl.lit(7.0))
    both = pl.concat([whole, flat, table.filter(shop == "shop 5").tail(25)])
    found, notes = task.codec.evaluate(model, task.spec, Source("both", both))
    assert found == task.codec.evaluate(model, task.spec, Source("one", whole))[0]
    assert "2 of 3 series left out, too short or constant" in notes


@pytest.mark.parametrize("name", ["classify", "tag"])
def test_classes_that_the_model_does_not_know_are_left_out_and_said(name):
    task, whole = prepared(name), test_part(name).rows()
    model, label = models(task)["gru"], task.spec["layout"]["label"]
    strange = whole["id"].is_in(whole["id"].unique(maintain_order=True)[:3].to_list())
    table = whole.with_columns(pl.when(strange).then(pl.lit("?!")).otherwise(label).alias(label))
    found, notes = task.codec.evaluate(model, task.spec, Source("test", table))
    kept = Source("kept", whole.filter(~strange))
    assert found == pytest.approx(task.codec.evaluate(model, task.spec, kept)[0], rel=1e-5)
    count = 3 if name == "classify" else int(strange.sum())
    unit = "sequences" if name == "classify" else "steps"
    assert notes[-1].startswith(f"{count} of ")
    assert f"{unit} left out, of classes that the model does not know: '?!'" in notes[-1]
    nothing = whole.with_columns(pl.lit("?!").alias(label))
    with pytest.raises(DataError, match=r"holds '\?!'; the model knows"):
        task.codec.evaluate(model, task.spec, Source("test", nothing))


@pytest.mark.parametrize("name", ["classify", "regress", "tag"])
def test_sequences_without_labels(name):
    task, whole = prepared(name), test_part(name).rows()
    model, label = models(task)["gru"], task.spec["layout"]["label"]
    for table in (
        whole.drop(label),
        whole.with_columns(pl.lit(None, whole.schema[label]).alias(label)),
    ):
        with pytest.raises(DataError, match=f"test has no labels in column '{label}'"):
            task.codec.evaluate(model, task.spec, Source("test", table))
    first = whole["id"][0]
    table = whole.with_columns(pl.when(pl.col("id") != first).then(label).alias(label))
    found, notes = task.codec.evaluate(model, task.spec, Source("test", table))
    kept = Source("kept", whole.filter(pl.col("id") != first))
    assert found == pytest.approx(task.codec.evaluate(model, task.spec, kept)[0], rel=1e-5)
    assert "left out, without a label" in notes[-1]


FEW = {
    "forecast": {"table": sample("shops").rows().head(25)},
    "text": {"text": b"a"},
    "bytes": {"text": b"a"},
    "frames": {"arrays": {"a": np.ones((1, 12)), "b": np.zeros((1, 12))}},
}


@pytest.mark.parametrize("name", sorted(FEW))
def test_data_too_few_to_measure(name):
    task = prepared(name)
    with pytest.raises(DataError, match=r"^few[ :].*[;:]") as caught:
        task.codec.evaluate(models(task)["gru"], task.spec, Source("few", **FEW[name]))
    assert "\n" not in str(caught.value)

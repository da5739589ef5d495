"""Every baseline of every task is a model: kept in a file, loaded, applied to other data."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import safetensors.torch
import torch
from threadpoolctl import threadpool_info

from penstock.comparison.request import Request
from penstock.comparison.run import run_comparison
from penstock.data import Options, Source, sunspots
from penstock.data.samples import sample, samples
from penstock.data.understanding import understand
from penstock.errors import ArgumentError, DataError
from penstock.record.structure import Structure
from penstock.tasks import find_task, tasks
from penstock.tasks.methods import Method
from penstock.tasks.series.forecast import ForecastBaselines
from penstock.tasks.task import Task, TaskKind
from penstock.training.loop import Budget


def test_baselines_are_fitted_on_one_thread() -> None:
    """On a busy machine, threads that wait for each other take minutes instead of seconds."""
    counts: list[int] = []

    def fit() -> dict[str, Method]:
        counts.extend(one["num_threads"] for one in threadpool_info())
        return {}

    before = [one["num_threads"] for one in threadpool_info()]
    assert not replace(find_task("forecast").prepare(sunspots()), fit=fit).baselines
    assert {*counts} == {1}
    assert [one["num_threads"] for one in threadpool_info()] == before


def prepared(kind: TaskKind) -> tuple[Source, Task]:
    """Return the first sample that a task can learn from, and the task on it."""
    for name in sorted(
        samples(), key=lambda one: understand(sample(one), Options()).task != kind.asks
    ):
        source = sample(name)
        try:
            return source, kind.prepare(kind.read(source, Options(task=kind.asks)))
        except (DataError, ArgumentError):
            continue
    raise AssertionError(f"give the task {kind.name} a sample in data/samples.py")


@pytest.fixture(scope="module", params=sorted(tasks()))
def task(request: pytest.FixtureRequest) -> Task:
    return prepared(find_task(request.param))[1]


def loaded(task: Task, name: str, folder: Path) -> Any:
    """Return a baseline, the specification too, by way of files."""
    fitted, path = task.baselines[name], folder / "weights.safetensors"
    safetensors.torch.save_file(fitted.weights(), path)
    (folder / "spec.json").write_text(json.dumps(task.spec))
    spec = json.loads((folder / "spec.json").read_text())
    task.codec.check_spec(spec)
    return task.codec.rebuild_baseline(name, spec, safetensors.torch.load_file(path)), spec


def test_what_was_loaded_predicts_as_what_was_fitted(task: Task, tmp_path: Path) -> None:
    source = prepared(task.kind)[0]
    for name, fitted in task.baselines.items():
        again, spec = loaded(task, name, tmp_path)
        assert torch.equal(task.problem.predict(again), fitted.predict()), name
        frame, _ = task.codec.apply(again, spec, source)
        assert frame.equals(task.codec.apply(fitted.method, task.spec, source)[0]), name
        assert len(frame)
        assert frame.null_count().sum_horizontal()[0] == 0, name


def test_baselines_are_fitted_once_and_predict_once(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(task.baselines.values()))
    assert task.baselines is task.baselines
    before = first.predict()
    monkeypatch.setattr(type(task.problem), "predict", None)
    assert first.predict() is before


def test_a_comparison_fits_them_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, fit = [], ForecastBaselines.__call__

    def counted(self: ForecastBaselines) -> dict[str, Method]:
        fitted.append(self)
        return fit(self)

    monkeypatch.setattr(ForecastBaselines, "__call__", counted)
    budget = Budget(steps=2, round_steps=1)
    request = Request(cells=["rnn"], seeds=1, rates=(1e-2,), out=tmp_path)
    task = find_task("forecast").prepare(sunspots())
    run_comparison(task, request, budget=budget)
    assert len(fitted) == 1


def test_the_codec_knows_the_baselines_that_are_fitted(task: Task) -> None:
    assert {*task.baselines} <= {*task.codec.methods}
    kinds = {one.kind for one in task.codec.methods.values()}
    assert kinds <= {"blind", "naive", "classical"}


def spoilt(weights: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    """Return weights with the first of them not as it was."""
    name = sorted(weights)[0]
    value, rest = weights[name], {n: v for n, v in weights.items() if n != name}
    if how == "missing":
        return rest
    other = {
        "longer": lambda: torch.cat([value.flatten(), value.flatten()]),
        "another type": value.float,
        "not finite": lambda: value.double() * float("nan"),
    }[how]()
    return {**rest, name: other}


@pytest.mark.parametrize("how", ["missing", "longer", "another type", "not finite"])
def test_weights_that_do_not_fit_are_refused(task: Task, how: str) -> None:
    for name, fitted in task.baselines.items():
        with pytest.raises(DataError):
            task.codec.rebuild_baseline(name, task.spec, spoilt(fitted.weights(), how))


def test_an_unknown_baseline_is_named(task: Task) -> None:
    with pytest.raises(DataError, match="unknown baseline 'lost value'"):
        task.codec.rebuild_baseline("lost value", task.spec, {})


@pytest.mark.parametrize(
    "change",
    [
        lambda w: {**w, "kinds": w["kinds"] + torch.tensor([1, -1])},
        lambda w: {**w, "grams": w["grams"].flip(0)},
        lambda w: {**w, "counts": -w["counts"]},
        lambda w: {**w, "grams": w["grams"] + 10**9},
    ],
)
def test_counts_that_do_not_fit_together_are_refused(change: Any) -> None:
    kind = find_task("text")
    task = kind.prepare(kind.read(sample("rhyme"), Options()))
    fitted = task.baselines["2-gram"]
    with pytest.raises(DataError, match="fit together"):
        task.codec.rebuild_baseline("2-gram", task.spec, change(fitted.weights()))


def test_a_seasonal_forecast_beyond_the_end_is_the_last_season() -> None:
    kind = find_task("forecast")
    data = kind.read(sample("sunspots"), Options())
    task = kind.prepare(data)
    fitted = task.baselines["seasonal naive"]
    frame, _ = kind.codec.apply(fitted.method, task.spec, sample("sunspots"))
    values, season = data.series[0].values, task.settings["season"]
    expected = [values[len(values) - season + k % season] for k in range(len(frame))]
    assert frame["forecast"].to_numpy() == pytest.approx(np.array(expected))
    assert (frame["low"] < frame["high"]).all()


def test_an_ngram_goes_on_with_what_it_saw() -> None:
    kind = find_task("text")
    task = kind.prepare(kind.read(Source("a.txt", text=b"abcd" * 400), Options()))
    fitted = task.baselines["2-gram"]
    frame, _ = kind.codec.apply(fitted.method, task.spec, Source("b.txt", text=b"abcdab"))
    written = "".join(frame["character"][:40])
    hits = [a + b in "abcda" for a, b in itertools.pairwise(written)]
    assert written[0] == "c"
    assert np.mean(hits) > 0.9


def test_a_naive_forecast_needs_no_columns_ahead() -> None:
    kind, source = find_task("forecast"), sample("shops")
    told = Options(target=("y",), known=("promo",), task="forecast")
    task = kind.prepare(kind.read(source, told))
    with pytest.raises(DataError, match="rows after its last value"):
        task.codec.apply(task.network("rnn", Structure(3)), task.spec, source)
    frame, _ = kind.codec.apply(task.baselines["seasonal naive"].method, task.spec, source)
    assert frame["unique_id"].n_unique() == 8
    rows = source.rows().filter(pl.col("unique_id") == "shop 0")["y"].to_list()
    season = task.settings["season"]
    assert frame["forecast"][0] == pytest.approx(rows[-season])


def test_a_step_is_known_by_its_number_in_the_sequence_also_in_a_later_piece() -> None:
    steps = np.tile(np.arange(250), 12)
    table = pl.DataFrame(
        {
            "id": np.repeat([f"s{k}" for k in range(12)], 250),
            "x": np.random.default_rng(0).standard_normal(len(steps)),
            "label": np.where(steps < 230, "early", "late"),
        }
    )
    kind, source = find_task("tag"), Source("steps", table)
    task = kind.prepare(kind.read(source, Options()))
    at_step = task.baselines["most frequent at the step"]
    assert task.problem.measure(at_step.predict()).metrics["error rate"] == 0
    frame, _ = kind.codec.apply(at_step.method, task.spec, source)
    assert frame["predicted"].to_list() == table["label"].to_list()

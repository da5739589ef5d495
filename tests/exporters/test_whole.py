"""A trained model as one module: what it gives is what `predict` gives."""

import numpy as np
import polars as pl
import pytest
import torch

import penstock
from penstock.comparison import compare as command
from penstock.comparison import run as compare_module
from penstock.comparison.trials.workers import Here
from penstock.data import Options
from penstock.data.following.frames import read_frames
from penstock.data.following.text import encode, read_text
from penstock.data.forecasting.readers import read_series
from penstock.data.labelled.sequences import read_sequences
from penstock.data.samples import sample as samples_of
from penstock.errors import ExportError
from penstock.exporters import describe
from penstock.training.loop import Budget


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """Return a function that trains a little, in this process, and gives a model."""
    monkeypatch.setattr(compare_module, "_budget", lambda _: Budget(steps=8, round_steps=4))
    monkeypatch.setattr(compare_module, "GENERATIONS", (2,))
    monkeypatch.setattr(command, "_pool", lambda _workers, _ray: Here())

    def train(data, **options):
        results = penstock.compare(
            data, ["gru"], size="small", seeds=1, rates=[0.02], out=tmp_path / "found", **options
        )
        return results.model("gru")

    return train


def exported(model, folder):
    """Return what the file of a model says it is, and what it computes."""
    path = model.export(folder / "model.pt2")
    return describe(path), torch.export.load(path).module()


def tables(data):
    """Return the raw inputs of sequences, padded with what must not count: numbers and words."""
    T = int(data.lengths.max())
    rows = [data.offsets[k] + np.minimum(np.arange(T), n - 1) for k, n in enumerate(data.lengths)]
    return np.stack(rows), torch.from_numpy(data.lengths.astype(np.int64))


def codes_of(data, rows, spec):
    """Return the symbols as the docstring of `whole` says: their place in the sorted vocabulary."""
    columns = []
    for column, words in zip(data.symbols, spec["encoding"]["vocabularies"], strict=True):
        places = {word: k + 1 for k, word in enumerate(words)}
        columns.append([places.get(symbol, 0) for symbol in column])
    return torch.tensor(columns).T[torch.from_numpy(rows)]


def labelled(model, data):
    rows, lengths = tables(data)
    inputs = {"lengths": lengths}
    if data.numbers.shape[1]:
        inputs["numbers"] = torch.from_numpy(data.numbers[rows])
    if len(data.symbols):
        inputs["codes"] = codes_of(data, rows, model.about["spec"])
    return inputs, lengths


def test_series(trained, tmp_path):
    model = trained("sunspots")
    words, program = exported(model, tmp_path)
    assert words == "values [N, T] → forecast [N, 12, 3]"
    series = read_series(samples_of("sunspots"), Options()).series[0]
    both = torch.from_numpy(np.stack([series.values, 3 * series.values + 1e4]))
    found = program(both)
    expected = model.predict("sunspots").select("low", "forecast", "high").to_numpy()
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)
    np.testing.assert_allclose(found[1], 3 * expected + 1e4, rtol=1e-6)
    assert torch.equal(
        program(torch.full((1, 90), 7.0, dtype=torch.float64))[0, :, 1],
        torch.full((12,), 7.0).double(),
    )


def test_series_with_columns_beside(trained, tmp_path):
    draw = np.random.default_rng(0)
    n, h = 260, 4
    known, past = draw.normal(size=n + h), 100 * draw.normal(size=n + h)
    y = np.sin(np.arange(n + h) / 3) + np.roll(known, 1)
    frame = pl.DataFrame({"t": np.arange(n + h), "y": y, "k": known, "p": past, "flat": 3.0})
    options = {"target": "y", "known": ["k"], "past": ["p", "flat"], "time_column": "t"}
    model = trained(frame[:n], horizon=h, **options)
    words, program = exported(model, tmp_path)
    assert words == "values [N, T], past [N, T, 2], known [N, T + 4, 1] → forecast [N, 4, 3]"
    ahead = frame.with_columns(
        pl.when(pl.col("t") < n).then("y"), pl.when(pl.col("t") < n).then("p")
    )
    expected = model.predict(ahead).select("low", "forecast", "high").to_numpy()
    beside = np.stack([past[:n], np.full(n, 3.0)], axis=1)
    found = program(
        values=torch.from_numpy(y[None, :n]),
        past=torch.from_numpy(beside[None]),
        known=torch.from_numpy(known[None, :, None]),
    )
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


def test_classes_of_sequences(trained, tmp_path):
    model, data = trained("gestures"), read_sequences(samples_of("gestures"), Options())
    words, program = exported(model, tmp_path)
    assert words == "lengths [N], numbers [N, T, 2] → shares [N, 3]"
    inputs, _ = labelled(model, data)
    expected = model.predict("gestures").select(pl.col("^p_.*$")).to_numpy()
    np.testing.assert_allclose(program(**inputs), expected, atol=1e-6)


def test_numbers_of_sequences(trained, tmp_path):
    model, data = trained("adding"), read_sequences(samples_of("adding"), Options())
    words, program = exported(model, tmp_path)
    assert words.endswith("→ values [N]")
    inputs, _ = labelled(model, data)
    expected = model.predict("adding")["predicted"].to_numpy()
    np.testing.assert_allclose(program(**inputs), expected, rtol=1e-5)


def test_tags(trained, tmp_path):
    model, data = trained("brackets"), read_sequences(samples_of("brackets"), Options())
    words, program = exported(model, tmp_path)
    assert words.startswith("lengths [N], codes [N, T, 1] → shares [N, T, ")
    inputs, lengths = labelled(model, data)
    shares = program(**inputs)
    inside = torch.cat([shares[k, :n] for k, n in enumerate(lengths)]).max(-1)
    expected = model.predict("brackets")
    np.testing.assert_allclose(inside.values, expected["probability"].to_numpy(), atol=1e-6)
    classes = np.array(model.about["spec"]["classes"])
    assert (classes[inside.indices] == expected["predicted"].to_numpy()).all()


def test_text(trained, tmp_path):
    model, data = trained("rhyme"), read_text(samples_of("rhyme"), "character")
    words, program = exported(model, tmp_path)
    V = len(model.about["spec"]["alphabet"]) + 1
    assert words == f"codes [N, T] → shares [N, T, {V}]"
    codes = encode(data, tuple(model.about["spec"]["alphabet"]))[None]
    shares = program(codes)[0, :-1].gather(1, codes[0, 1:, None]).double()
    metrics = model.evaluate("rhyme")
    assert -float(shares.log2().mean()) == pytest.approx(metrics["bits per character"], rel=1e-5)


def test_frames(trained, tmp_path):
    model, data = trained("canon"), read_frames(samples_of("canon"), Options())
    words, program = exported(model, tmp_path)
    D = len(model.about["spec"]["columns"])
    assert words == f"frames [N, T, {D}] → shares [N, T, {D}]"
    ends = [
        program(torch.from_numpy(data.values[a:b]).float()[None])[0, -1]
        for a, b in zip(data.offsets[:-1], data.offsets[1:], strict=True)
    ]
    expected = model.predict("canon").select(pl.col("^p_.*$")).to_numpy()
    np.testing.assert_allclose(torch.stack(ends), expected, atol=1e-6)


def test_a_baseline_is_refused(trained, tmp_path):
    trained("sunspots")
    model = penstock.load(tmp_path / "found", "drift")
    with pytest.raises(ExportError, match="'drift' is a baseline"):
        model.export(tmp_path / "m.pt2")
    assert not (tmp_path / "m.pt2").exists()

"""C99: trained models of every task, whole: what the C gives is what `predict` gives."""

import re
import struct
import subprocess

import numpy as np
import polars as pl
import pytest
import torch
from built import SANITIZED, STRICT, build

import penstock
from penstock.comparison.keeping.model import Model
from penstock.data.files import Source
from penstock.data.samples import sample
from penstock.data.series import Options
from penstock.data.understanding.describe import source_of
from penstock.errors import ExportError
from penstock.record.structure import Structure
from penstock.tasks import find_task

NEAR = {"atol": 2e-5, "rtol": 1e-5}


def made(task: str, source: Source, cell="gru", options=None, horizon=None, **structure):
    """Return a model of a task with weights that were drawn, and the data that it was made for."""
    kind = find_task(task)
    data = kind.read(source, options or Options())
    bound = kind.prepare(data, horizon)
    torch.manual_seed(1)
    network = bound.network(cell, Structure(**({"width": 9, "layers": 2} | structure))).eval()
    with torch.no_grad():
        network.head.weight.normal_()
        network.head.bias.normal_()
        if hasattr(network, "widening"):
            network.widening.uniform_(0, 0.5)
    about = {"name": cell, "task": task, "kind": "cell", "spec": bound.spec}
    return Model(network, about), data


READING = """#include "net.c"
#include <stdio.h>
#include <stdlib.h>
static int number(FILE *in) {{
  int32_t n;
  if (fread(&n, sizeof n, 1, in) != 1) exit(1);
  return n;
}}
int main(int argc, char **argv) {{
  FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
  net_state s;
  float x[{numbers} + 1], y[NET_OUTPUTS];
  int symbols[{symbols} + 1];
  if (argc != 3 || !in || !out) return 1;
  for (int left = number(in); left > 0; --left) {{
    net_reset(&s);
    for (int steps = number(in); steps > 0; --steps) {{
      if (fread(x, sizeof *x, {numbers}, in) != {numbers}) return 1;
      for (int c = 0; c < {symbols}; ++c) symbols[c] = number(in);
      {step}
    }}
    {end}
  }}
  (void)symbols;
  fclose(in);
  return fclose(out);
}}
"""
WRITE = "fwrite(y, sizeof *y, NET_OUTPUTS, out);"


def read_by_c(folder, model, sequences, flags=("-O2",), **options):
    """Return what the C of a model gives for sequences: numbers [T, F] and codes [T, C] each."""
    model.export(folder / "net.c", **options)
    F, C = sequences[0][0].shape[1], sequences[0][1].shape[1]
    every = "net_finish" not in (folder / "net.h").read_text()
    symbols = "*symbols" if C == 1 and not F else "symbols"
    given = ["&s", *(["x"] * (F > 0)), *([symbols] * (C > 0)), *(["y"] * every)]
    main = folder / "main.c"
    main.write_text(
        READING.format(
            numbers=F,
            symbols=C,
            step=f"net_step({', '.join(given)}); {WRITE if every else ''}",
            end="" if every else f"net_finish(&s, y); {WRITE}",
        )
    )
    data = struct.pack("<i", len(sequences))
    for numbers, codes in sequences:
        data += struct.pack("<i", len(numbers))
        for row, code in zip(numbers, codes, strict=True):
            data += row.astype("<f4").tobytes() + code.astype("<i4").tobytes()
    (folder / "in").write_bytes(data)
    program = build(main, *STRICT, *flags)
    subprocess.run([program, folder / "in", folder / "out"], check=True, timeout=300)
    outputs = int(re.search(r"_OUTPUTS (\d+)", (folder / "net.h").read_text())[1])
    return np.frombuffer((folder / "out").read_bytes(), "<f4").reshape(-1, outputs)


def sequences_of(data, vocabularies):
    """Return numbers and codes of each sequence, as a user of the C would code them."""
    codes = [
        [["", *words].index(v) if v in words else 0 for v in column]
        for column, words in zip(data.symbols, vocabularies, strict=True)
    ]
    codes = np.array(codes).reshape(len(codes), -1).T.reshape(len(data.numbers), -1)
    return [
        (data.numbers[a:b], codes[a:b])
        for a, b in zip(data.offsets[:-1], data.offsets[1:], strict=True)
    ]


def labelled(task):
    """Return a frame of sequences with numbers, gaps in them, words and labels."""
    draws = np.random.default_rng(0)
    rows, frames = 12, []
    for k in range(24):
        values = draws.normal(50, 7, rows)
        label = {"classify": k % 3, "regress": float(values.mean()), "tag": values > 50}[task]
        frames.append(
            pl.DataFrame(
                {
                    "id": f"s{k}",
                    "a": [None if r == 3 else v for r, v in enumerate(values)],
                    "b": draws.normal(0, 1e-3, rows),
                    "constant": 4.0,
                    "word": draws.choice(["up", "down", "*/ off"], rows),
                    "label": label,
                }
            ).with_columns(pl.col("label").cast(pl.String if task != "regress" else pl.Float64))
        )
    return source_of(pl.concat(frames))


@pytest.mark.parametrize("task", ["classify", "regress", "tag"])
def test_labelled_sequences(tmp_path, task):
    """Numbers, gaps, a constant column, words and unknown ones, under the sanitizers."""
    options = Options(id="id", target=("label",))
    source = labelled(task)
    model, data = made(task, source, options=options)
    frame, _ = model.apply(source)
    vocabularies = model.about["spec"]["encoding"]["vocabularies"]
    given = read_by_c(tmp_path, model, sequences_of(data, vocabularies), SANITIZED)
    if task == "tag":
        assert frame["predicted"].to_list() == [
            model.about["spec"]["classes"][k] for k in given.argmax(1)
        ]
        np.testing.assert_allclose(np.exp(given.max(1)), frame["probability"], **NEAR)
    elif task == "classify":
        np.testing.assert_allclose(given, frame.select(pl.col("^p_.*$")).to_numpy(), **NEAR)
    else:
        np.testing.assert_allclose(given[:, 0], frame["predicted"], rtol=1e-5)
    assert "* / off" in (tmp_path / "net.h").read_text()


def test_symbols_alone(tmp_path):
    """One column of symbols is an argument of its own; a code that is none is an unknown one."""
    source = sample("brackets")
    model, data = made("tag", source, "lstm")
    frame, _ = model.apply(source)
    sequences = sequences_of(data, model.about["spec"]["encoding"]["vocabularies"])
    given = read_by_c(tmp_path, model, sequences)
    np.testing.assert_allclose(np.exp(given.max(1)), frame["probability"], **NEAR)
    strange = [(np.zeros((1, 0)), np.array([[code]])) for code in (0, -1, 99)]
    known, *others = read_by_c(tmp_path, model, strange)
    assert all((known == other).all() for other in others)


@pytest.mark.parametrize("task", ["text", "bytes"])
def test_text(tmp_path, task):
    """The text, then what `predict` drew: each symbol had the probability that the C gives it."""
    source = sample("rhyme")
    model, data = made(task, source)
    frame, _ = model.apply(source)
    alphabet = model.about["spec"]["alphabet"]
    codes = [alphabet.index(c) for c in data.codes.tolist()]
    shown = [*(data.show(c) for c in alphabet), "\N{REPLACEMENT CHARACTER}"]
    drawn = [shown.index(symbol) for symbol in frame[data.unit if task == "text" else "byte"]]
    both = np.array([*codes, *drawn])[:, None]
    given = read_by_c(tmp_path, model, [(np.zeros((len(both), 0)), both)])
    ahead = given[len(codes) - 1 : -1]
    chances = np.exp(ahead[np.arange(len(drawn)), drawn])
    np.testing.assert_allclose(chances, frame["probability"], **NEAR)


def test_frames(tmp_path):
    """The chances of what follows the last frame of each sequence."""
    source = sample("canon")
    model, data = made("frames", source, "lstm")
    frame, _ = model.apply(source)
    pairs = zip(data.offsets[:-1], data.offsets[1:], strict=True)
    runs = [(data.values[a:b], np.zeros((b - a, 0), int)) for a, b in pairs]
    given = read_by_c(tmp_path, model, runs)
    last = np.cumsum([len(run) for run, _ in runs]) - 1
    np.testing.assert_allclose(given[last], frame.select(pl.col("^p_.*$")).to_numpy(), **NEAR)


FORECAST = """#include "net.c"
#include <stdio.h>
int main(int argc, char **argv) {{
  static float values[{n}], past[{n} * {P} + 1], known[({n} + {h}) * {K} + 1];
  float y[NET_HORIZON * NET_QUANTILES];
  FILE *in = fopen(argv[1], "rb");
  size_t read;
  if (argc != 2 || !in) return 1;
  read = fread(values, 4, {n}, in) + fread(past, 4, {n} * {P}, in);
  read += fread(known, 4, ({n} + {h}) * {K}, in);
  if (read != {n} + {n} * {P} + ({n} + {h}) * {K}) return 1;
  net_forecast({call}values, {n}{given}, y);
  for (int k = 0; k < NET_HORIZON * NET_QUANTILES; ++k) printf("%.9g ", (double)y[k]);
  return fclose(in);
}}
"""


def forecast_by_c(folder, model, one, horizon, flags=SANITIZED):
    """Return the quantiles [h, 3] that the C of a model gives for a series."""
    model.export(folder / "net.c")
    spec, n = model.about["spec"], len(one.values)
    P, K = len(spec["past"]), len(spec["known"])
    main = folder / "main.c"
    given = (", past" if P else "") + (", known" if K else "")
    main.write_text(FORECAST.format(n=n, P=P, K=K, h=horizon, given=given, call=""))
    parts = [one.values, one.past[:n, :P], one.known[: n + horizon, :K]]
    data = b"".join(np.ascontiguousarray(p, dtype="<f4").tobytes() for p in parts)
    (folder / "in").write_bytes(data)
    program = build(main, *STRICT, *flags)
    done = subprocess.run([program, folder / "in"], check=True, capture_output=True, timeout=300)
    return np.array([float(word) for word in done.stdout.split()]).reshape(horizon, 3)


@pytest.mark.parametrize("context", [None, 7])
def test_forecasts(tmp_path, context):
    """From the whole of a series, whatever of it the layers read."""
    source = sample("sunspots")
    model, data = made("forecast", source, horizon=6, context=context)
    frame, _ = model.apply(source)
    given = forecast_by_c(tmp_path, model, data.series[0], 6)
    wanted = frame.select("low", "forecast", "high").to_numpy()
    np.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("level", [0.0, 1e4])
def test_forecasts_with_columns_beside(tmp_path, level):
    """Columns up to the present, with gaps, and columns that are known ahead."""
    draws, n, h = np.random.default_rng(0), 300, 5
    frame = pl.DataFrame(
        {
            "t": np.arange(n + h),
            "y": [*(level + draws.normal(0, 3, n).cumsum()), *[None] * h],
            "p": [None if r % 50 == 7 else float(r % 9) for r in range(n + h)],
            "k": np.sin(np.arange(n + h)) * 100,
        }
    )
    options = Options(target=("y",), time=("t",), known=("k",), past=("p",))
    model, data = made("forecast", source_of(frame), options=options, horizon=h)
    wanted, _ = model.apply(source_of(frame))
    given = forecast_by_c(tmp_path, model, data.series[0], h)
    columns = wanted.select("low", "forecast", "high").to_numpy()
    np.testing.assert_allclose(given, columns, rtol=1e-5, atol=2e-3)


def test_models_that_have_no_c(tmp_path):
    """A baseline, and layers that read from the end, are refused by name; no file is left."""
    source = sample("gestures")
    both, _ = made("classify", source, bidirectional=True)
    baseline = Model(torch.nn.Linear(1, 1), both.about | {"name": "mean", "kind": "baseline"})
    for model, message in ((both, "a step knows no later steps"), (baseline, "mean is a baseline")):
        with pytest.raises(ExportError, match=message):
            penstock.export(model, tmp_path / "net.c")
    assert not [*tmp_path.iterdir()]


def test_a_model_with_separate_int8_weights(tmp_path, capfd):
    """Both options go with whole models."""
    model, _ = made("forecast", sample("sunspots"), horizon=4)
    model.export(tmp_path / "net.c", weights="separate", int8=True)
    main = tmp_path / "main.c"
    main.write_text('#include "net.h"\nint main(void) { return 0; }\n')
    build(main, *STRICT, str(tmp_path / "net.c"))
    assert "rms" in capfd.readouterr().out
    assert (tmp_path / "net.weights").stat().st_size < 6000

"""Every layout of data that README names, from the file to the report and to predictions."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from penstock.cli.main import run
from penstock.comparison import compare as command
from penstock.comparison.judging.checks.data import leak
from penstock.comparison.trials.workers import Here
from penstock.data import Options, Source, load
from penstock.data.samples import sample
from penstock.data.understanding import understand
from penstock.record.reading import load_results
from penstock.tasks import find_task

STEPS = 9


def wide() -> pl.DataFrame:
    """One column a series."""
    time = np.arange(150)
    draw = np.random.default_rng(0).standard_normal((2, 150))
    return pl.DataFrame({"day": time, "a": np.sin(time / 3) + 0.1 * draw[0], "b": draw[1].cumsum()})


def long() -> pl.DataFrame:
    """Long, with ids, and columns beside the values."""
    return sample("shops").rows().with_columns(heat=pl.col("y").shift(1).fill_null(0) * 0.1)


def planned() -> pl.DataFrame:
    """The same, with promotions known for three days ahead."""
    ahead = pl.int_range(pl.len()).over("unique_id") >= pl.len().over("unique_id") - 3
    return long().with_columns(pl.when(ahead).then(None).otherwise(pl.col("y")).alias("y"))


def rows(label: str, uneven: bool = False, ids: bool = False) -> pl.DataFrame:
    """A sequence a row: class or number beside its steps."""
    draw = np.random.default_rng(1)
    values = draw.standard_normal((90, STEPS)).round(3)
    table = pl.DataFrame(values, schema=[f"t{k}" for k in range(STEPS)], orient="row")
    if uneven:
        inside = [pl.int_range(pl.len()) % 7 + 3 > k for k in range(STEPS)]
        table = table.select(pl.when(inside[k]).then(pl.col(f"t{k}")) for k in range(STEPS))
    total = values.sum(axis=1)
    named = [("low", "high")[int(t > 0)] for t in total]
    table = table.with_columns(pl.Series("label", named if label == "class" else total))
    return table.insert_column(0, pl.Series("id", [f"r{n}" for n in range(90)])) if ids else table


def piano() -> pl.DataFrame:
    """Frames of ones and zeros, long with ids."""
    arrays = sample("canon").arrays
    assert arrays is not None
    parts = [
        pl.DataFrame(roll, schema=[f"note {k}" for k in range(12)]).insert_column(
            0, pl.Series("piece", [name] * len(roll))
        )
        for name, roll in arrays.items()
    ]
    return pl.concat(parts)


def one_sequence() -> pl.DataFrame:
    """A label at every step of a single sequence."""
    return sample("brackets").rows().drop("id").head(600)


TABLES: dict[str, tuple[str, Any, list[str]]] = {
    "one column a series": ("forecast", wide, ["--horizon", "3"]),
    "one series of several": ("forecast", wide, ["--target", "a", "--horizon", "3"]),
    "long with an id column": ("forecast", long, ["--target", "y", "--horizon", "3"]),
    "known ahead and up to now": (
        "forecast", planned,
        ["--target", "y", "--known", "promo", "--past", "heat", "--horizon", "3"],
    ),
    "classes of ids": ("classify", lambda: sample("gestures").rows(), []),
    "classes of rows": ("classify", lambda: rows("class"), []),
    "classes of uneven rows with ids": ("classify", lambda: rows("class", True, True), []),
    "numbers of ids": ("regress", lambda: sample("adding").rows(), []),
    "numbers of rows": ("regress", lambda: rows("number"), []),
    "numbers of uneven rows": ("regress", lambda: rows("number", True), []),
    "a label at every step": ("tag", lambda: sample("brackets").rows(), []),
    "a label at every step of one": ("tag", one_sequence, []),
    "columns of ones and zeros": ("frames", piano, []),
    "columns of ones and zeros of one": ("frames", lambda: piano().drop("piece"), []),
}  # fmt: skip


def written(table: pl.DataFrame, path: Path) -> str:
    table.write_csv(path) if path.suffix == ".csv" else table.write_parquet(path)
    return str(path)


def compared(data: str, task: str, options: list[str], folder: Path) -> None:
    """Compare on a file, with a budget of a few steps; then use what was made."""
    out = str(folder / "out")
    quick = ["--cells", "rnn", "--seeds", "1", "--steps", "4", "--rates", "0.01", "--size", "small",
             "--out", out]  # fmt: skip
    assert run(["compare", data, *options, *quick]) == 0
    found = load_results(folder / "out" / "results.json")
    assert found.task == task
    for report in ("report.html", "report.md", "results.csv"):
        assert "rnn" in (folder / "out" / report).read_text("utf-8")
    trained = next(one for one in found.contestants if one.name == "rnn")
    assert np.isfinite(trained.metrics[found.metrics[0]])
    assert run(["predict", out, data, "--out", str(folder / "ahead.csv")]) == 0
    assert pl.read_csv(folder / "ahead.csv").height
    assert run(["inspect", out, data, "--out", str(folder / "page.html")]) == 0


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials in this process: starting others takes seconds."""
    monkeypatch.setattr(command, "_pool", lambda _workers, _ray: Here())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("layout", TABLES)
def test_a_table(layout: str, suffix: str, tmp_path: Path) -> None:
    task, make, options = TABLES[layout]
    compared(written(make(), tmp_path / f"data{suffix}"), task, options, tmp_path)


@pytest.mark.parametrize("task", ["text", "bytes"])
def test_a_text(task: str, tmp_path: Path) -> None:
    text = sample("rhyme").text
    assert text is not None
    (tmp_path / "data.txt").write_bytes(text + (bytes(256) if task == "bytes" else b""))
    compared(str(tmp_path / "data.txt"), task, [], tmp_path)


def test_arrays(tmp_path: Path) -> None:
    arrays = sample("canon").arrays
    assert arrays is not None
    np.savez(tmp_path / "data.npz", **arrays)
    compared(str(tmp_path / "data.npz"), "frames", [], tmp_path)


@pytest.mark.parametrize("layout", TABLES)
def test_a_dataframe_is_read_as_its_file(layout: str, tmp_path: Path) -> None:
    """Polars and pandas from Python; the same data as from CSV, to the last bit."""
    task, make, _ = TABLES[layout]
    table = make()
    beside = Options(("y",), known=("promo",), past=("heat",))
    options = beside if make in (long, planned) else Options()
    prints = set()
    for source in (table, table.to_pandas(), written(table, tmp_path / "data.csv")):
        loaded = load(source)
        assert understand(loaded, options).task == task
        prints.add(find_task(task).read(loaded, options).fingerprint())
    assert len(prints) == 1


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("name", ["classify", "regress"])
def test_a_step_that_gives_the_label_away_is_found(name: str, uneven: bool) -> None:
    """Of sequences in rows each step is a column, and one of them may be made from the label."""
    table = rows("class" if name == "classify" else "number", uneven)
    made = (pl.col("label") == "high") if name == "classify" else 3 - 2 * pl.col("label")
    given = table.with_columns(made.cast(pl.Float64).alias("t2"))
    for one, expected in ((table, []), (given, ["column 't2' gives the target away"])):
        task = find_task(name)
        evidence = task.prepare(task.read(Source("data.csv", one), Options())).problem.evidence()
        assert list(evidence.columns) == [f"t{k}" for k in range(STEPS)]
        assert [*leak(SimpleNamespace(evidence=evidence))] == expected  # type: ignore[arg-type]

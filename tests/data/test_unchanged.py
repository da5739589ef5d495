"""A column that was constant in training says nothing later: forecasts are those without a jump."""

import numpy as np
import polars as pl
import torch

from penstock.data import Options, Source
from penstock.record.structure import Structure
from penstock.tasks import find_task


def test_a_known_column_that_jumps_after_training_changes_no_forecast() -> None:
    values = np.sin(np.arange(240) / 2) + np.random.default_rng(0).normal(size=240) / 9
    forecasts = []
    for last in (14.62, 15.62, 1e6):
        price = np.where(np.arange(240) < 200, 14.62, last)
        frame = pl.DataFrame({"ds": range(240), "y": values, "price": price})
        kind = find_task("forecast")
        task = kind.prepare(kind.read(Source("a", frame), Options(known=("price",))), 4)
        assert "constant in training, and so not used: price" in task.notes
        torch.manual_seed(0)
        network = task.network("gru", Structure(8))
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(0.3 * torch.randn_like(weight))
        forecasts.append(task.problem.predict(network))
    assert torch.equal(forecasts[0], forecasts[1])
    assert torch.equal(forecasts[0], forecasts[2])


def test_an_input_that_changes_after_training_changes_no_label() -> None:
    rows = pl.DataFrame(
        {"id": np.repeat(np.arange(40), 5), "x": np.random.default_rng(1).normal(size=200)}
    )
    rows = rows.with_columns(label=pl.col("id") % 2, level=2.5, noise=pl.col("x") * 2)
    part = pl.when(pl.col("id") < 30).then(pl.lit("train")).otherwise(pl.lit("test"))
    encoded = []
    for last in (2.5, 7.5):
        level = pl.when(pl.col("id") < 30).then(2.5).otherwise(last)
        frame = rows.with_columns(level=level, part=part)
        kind = find_task("classify")
        options = Options(task="classify", split="part", past=("level",))
        encoded.append(kind.prepare(kind.read(Source("a", frame), options)).problem.numbers)
    assert torch.equal(*encoded)

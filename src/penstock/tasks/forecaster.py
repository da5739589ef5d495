"""The forecasting network, and how a trained one continues series.

A recurrent layer reads x_t = (y_t − y_T, tanh y_t), t = 1 … T, y in scaled units. A linear map V
of its last output o_T gives the changes from the last value: ŷ_{T+k} = y_T + (V o_T + b)_k, with
V = 0 and b = 0 at first. An untrained network is therefore the forecast "last value", and what it
learns is what is better than that.

Why these two inputs: the first is the same at any level, so that a series that leaves the range
of its training part (a trend, a random walk) does not lead the network into the unknown; the
second tells the level, within bounds, for series that swing between limits.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from penstock.cells import Cell, find_cell
from penstock.cells.base import Place
from penstock.data import Dataset, Series
from penstock.data.calendar import continue_times
from penstock.data.scaling import fit_scale
from penstock.errors import DataError
from penstock.layers.recurrent import Recurrent

_BATCH = 1024  # windows predicted at once
_INPUTS = 2


class Forecaster(nn.Module):
    """The network. Shapes: context [B, L], result [B, h], the changes; both in scaled units."""

    def __init__(self, cell: str | type[Cell], width: int, horizon: int) -> None:
        super().__init__()
        features = find_cell(cell)().usage(Place(_INPUTS, width)).output_size
        self.recurrent = Recurrent(cell, _INPUTS, width, batch_first=True)
        self.head = nn.Linear(features, horizon)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, context: Tensor) -> Tensor:
        """Return the changes from the last value, for each step ahead."""
        inputs = torch.stack([context - context[:, -1:], context.tanh()], dim=-1)
        output, _ = self.recurrent(inputs)
        changes: Tensor = self.head(output[:, -1])
        return changes


def forecast(network: nn.Module, contexts: Tensor) -> Tensor:
    """Return forecasts [W, h] float64 from contexts [W, L] float64, both in scaled units."""
    network.eval()
    with torch.inference_mode():
        changes = torch.cat([network(part.float()) for part in torch.split(contexts, _BATCH)])
        return contexts[:, -1:] + changes


def extend(network: nn.Module, dataset: Dataset, context: int) -> tuple[pl.DataFrame, list[str]]:
    """Return the forecast beyond the end of each series, and the series too short for one.

    Each series is scaled by all its values, the past of the forecast. The frame has the columns
    unique_id, step (1 … h), ds (the time; empty where it cannot be told), and forecast.

    Raises:
        DataError: every series is shorter than the context.
    """
    long = [one for one in dataset.series if len(one) >= context]
    short = [one.id for one in dataset.series if len(one) < context]
    if not long:
        raise DataError(
            f"{dataset.name}: the model looks at the last {context} values, "
            f"but the longest series has {max(map(len, dataset.series))}; give more rows"
        )
    scales = [fit_scale(one.values, one.observed) for one in long]
    contexts = [s.apply(one.values[-context:]) for one, s in zip(long, scales, strict=True)]
    ahead = forecast(network, torch.from_numpy(np.stack(contexts))).numpy()
    values = [scale.undo(row) for scale, row in zip(scales, ahead, strict=True)]
    return pl.concat(_frames(long, values), how="vertical_relaxed"), short


def _frames(series: Sequence[Series], values: Sequence[np.ndarray]) -> list[pl.DataFrame]:
    frames = []
    for one, ahead in zip(series, values, strict=True):
        steps = np.arange(1, len(ahead) + 1)
        ds = continue_times(one.times, len(ahead))
        if ds is None:
            ds = pl.Series([None] * len(ahead), dtype=one.times.dtype)
        frame = {"step": steps, "ds": ds, "forecast": ahead}
        frames.append(pl.DataFrame(frame).select(pl.lit(one.id).alias("unique_id"), pl.all()))
    return frames

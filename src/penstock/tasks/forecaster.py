"""The forecasting network, and how a trained one continues series.

A recurrent layer reads x_t = (y_t − y_T, tanh y_t), t = 1 … T, y in scaled units. A linear map V
of its last output o_T gives the changes from the last value: ŷ_{T+k} = y_T + (V o_T + b)_k, with
V = 0 and b = 0 at first. An untrained network is therefore the forecast "last value", and what it
learns is what is better than that. Each ŷ is three: the quantiles of `QUANTILES`.

Why these two inputs: the first is the same at any level, so that a series that leaves the range
of its training part (a trend, a random walk) does not lead the network into the unknown; the
second tells the level, within bounds, for series that swing between limits.

Columns beside the values join x_t. Where some are known ahead, the layer goes on reading them
over the h steps to forecast, with the other inputs held at their last values, and each ŷ_{T+k} is
a map of its own output o_{T+k}.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penstock.cells import Cell, Place, find_cell
from penstock.data import Dataset, Series
from penstock.data.calendar import continue_times, in_zone
from penstock.data.scaling import Scale, fit_scale, refilled
from penstock.data.windows import scale_columns
from penstock.errors import DataError
from penstock.layers.recurrent import Recurrent

QUANTILES = (0.1, 0.5, 0.9)
MEDIAN = 1
_BATCH = 1024  # windows predicted at once
_INPUTS = 2


class Forecaster(nn.Module):
    """The network.

    Shapes: context [B, L], past [B, L, P], known [B, L + h, K]; result [B, h, Q], the changes; all
    in scaled units.
    """

    def __init__(
        self, cell: str | type[Cell], width: int, horizon: int, past: int = 0, known: int = 0
    ) -> None:
        super().__init__()
        inputs, self.horizon, self.known = _INPUTS + past + known, horizon, known
        features = find_cell(cell)().usage(Place(inputs, width)).output_size
        self.recurrent = Recurrent(cell, inputs, width, batch_first=True)
        self.head = nn.Linear(features, len(QUANTILES) * (1 if known else horizon))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self, context: Tensor, past: Tensor | None = None, known: Tensor | None = None
    ) -> Tensor:
        """Return the changes from the last value, for each step ahead and quantile."""
        inputs = torch.stack([context - context[:, -1:], context.tanh()], dim=-1)
        if past is not None:
            inputs = torch.cat([inputs, past], dim=-1)
        if known is not None and self.known:
            held = inputs[:, -1:].expand(-1, self.horizon, -1)
            inputs = torch.cat([torch.cat([inputs, held], dim=1), known], dim=-1)
        output, _ = self.recurrent(inputs)
        ahead = output[:, -self.horizon :] if self.known else output[:, -1]
        changes: Tensor = self.head(ahead).reshape(len(context), self.horizon, len(QUANTILES))
        return changes


def forecast(network: nn.Module, contexts: Tensor, past: Tensor, known: Tensor) -> Tensor:
    """Return forecasts [W, h, Q] float64 from contexts [W, L] float64, in scaled units.

    Quantiles that cross are put in order, which makes none worse (Chernozhukov, Fernández-Val &
    Galichon 2010, arXiv:0704.3649).
    """
    network.eval()
    parts = zip(*(torch.split(one, _BATCH) for one in (contexts, past, known)), strict=True)
    with torch.inference_mode():
        changes = torch.cat([network(one.float(), *beside) for one, *beside in parts])
        return contexts[:, -1:, None] + changes.sort(dim=-1).values


def extend(
    network: nn.Module,
    dataset: Dataset,
    context: int,
    known: Sequence[Scale] = (),
    past: Sequence[Scale] = (),
    season: int = 1,
) -> tuple[pl.DataFrame, list[str]]:
    """Return the forecast beyond the end of each series, and the series too short for one.

    Each series is scaled by all its values, the past of the forecast. The frame has the columns
    unique_id, step (1 … h), ds (the time; empty where it cannot be told), forecast (the median),
    low and high (between them lie 80 % of what comes, as far as training could tell).

    Raises:
        DataError: every series is shorter than the context, or the columns known ahead are not
            given for the steps to forecast.
    """
    long = [
        replace(one, values=refilled(one.values, one.observed, season))
        for one in dataset.series
        if len(one) >= context
    ]
    short = [one.id for one in dataset.series if len(one) < context]
    if not long:
        raise DataError(
            f"{dataset.name}: the model looks at the last {context} values, "
            f"but the longest series has {max(map(len, dataset.series))}; give more rows"
        )
    if known:
        _check_ahead(dataset, long, int(network.horizon))  # type: ignore[arg-type]
    return _frame(dataset, long, _ahead(network, long, context, known, past)), short


def _ahead(
    network: nn.Module,
    long: Sequence[Series],
    context: int,
    known: Sequence[Scale],
    past: Sequence[Scale],
) -> list[NDArray[np.float64]]:
    """Return the forecast [h, Q] beyond the end of each series, in its unit."""
    horizon = int(network.horizon)  # type: ignore[arg-type]
    scales = [fit_scale(one.values, one.observed) for one in long]
    contexts = [s.apply(one.values[-context:]) for one, s in zip(long, scales, strict=True)]
    seen = scale_columns([one.past[-context:] for one in long], past)
    told = scale_columns(
        [one.known[len(one) - context : len(one) + horizon] for one in long], known
    )
    ahead = forecast(
        network,
        torch.from_numpy(np.stack(contexts)),
        seen.reshape(len(long), context, len(past)),
        told.reshape(len(long), context + horizon, len(known)),
    ).numpy()
    return [scale.undo(rows) for scale, rows in zip(scales, ahead, strict=True)]


def _check_ahead(dataset: Dataset, series: Sequence[Series], horizon: int) -> None:
    names = ", ".join(dataset.columns.known)
    for one in series:
        if len(one.known) < len(one) + horizon:
            raise DataError(
                f"{dataset.name}: series {one.id!r} has {len(one.known) - len(one)} rows after its "
                f"last value; the model needs {horizon}, with {names} filled in and the value empty"
            )


def _frame(
    dataset: Dataset, series: Sequence[Series], values: Sequence[NDArray[np.float64]]
) -> pl.DataFrame:
    steps = len(values[0])
    kind = series[0].times.dtype
    times = [continue_times(one.times, steps, dataset.spacing) for one in series]
    empty = pl.Series("ds", [None] * steps, dtype=kind)
    ahead = np.concatenate(values)
    ds = pl.concat([empty if one is None else one.cast(kind).alias("ds") for one in times])
    return pl.DataFrame(
        {
            "unique_id": np.repeat([one.id for one in series], steps),
            "step": np.tile(np.arange(1, steps + 1), len(series)),
            "ds": in_zone(ds, dataset.zone),
            "forecast": ahead[:, MEDIAN],
            "low": ahead[:, 0],
            "high": ahead[:, -1],
        }
    )

"""How good forecasts are: the metrics, and forecasts from every place in series that are given."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from penstock.data import Dataset, Series
from penstock.data.forecasting.windows import check_beside
from penstock.data.scaling import naive_error
from penstock.errors import DataError
from penstock.models.forecaster import MEDIAN, QUANTILES
from penstock.tasks.codec import Evaluated
from penstock.tasks.series.ahead import forecasts, refill, scales_beside
from penstock.tasks.series.naive import pinball, seasonal_naive
from penstock.tasks.shared import spread

COVERAGE = "80 % coverage"
MEANINGS = {
    "MASE": "mean of |y − ŷ| / (mean |y[t] − y[t−m]| of the series' training part), m the season",
    "MAE": "mean of |y − ŷ|",
    "RMSE": "root of the mean of (y − ŷ)²",
    "MSE": "mean of (y − ŷ)²",
    "sMAPE": "mean of 200 |y − ŷ| / (|y| + |ŷ|), in %",
    "skill": "1 − MASE / MASE of the seasonal naive forecast: above 0 is better than it",
    "pinball": "mean of max(q e, (q − 1) e), e = y − ŷ of quantile q, in the unit of MASE",
    COVERAGE: "share of values inside the interval of 80 %, at best 0.8",
}
_MOST_PLACES = 4000  # forecasts that are measured; more would cost time and tell nothing new


def scores(
    ahead: Tensor, target: Tensor, observed: Tensor, again: Tensor, weight: Tensor
) -> dict[str, float]:
    """Return the metrics of forecasts in the unit of the values; see `MEANINGS`.

    Shapes: ahead [W, h, Q]; target, observed, and again, the seasonal naive forecast, [W, h];
    weight [W, 1], what makes errors those of MASE.
    """

    def mean(values: Tensor) -> float:
        return float(values[observed].double().mean())

    forecast = ahead[..., MEDIAN]
    error, size = (forecast - target).abs(), forecast.abs() + target.abs()
    mase, theirs = mean(error * weight), mean((again - target).abs() * weight)
    inside = (target >= ahead[..., 0]) & (target <= ahead[..., -1])
    return {
        "MASE": mase,
        "MAE": mean(error),
        "RMSE": mean(error.square()) ** 0.5,
        "MSE": mean(error.square()),
        "sMAPE": mean(torch.where(size > 0, 200 * error / size, 0.0)),
        "skill": 1 - mase / theirs if theirs else 0.0,
        "pinball": mean(pinball(ahead, target, QUANTILES).mean(dim=-1) * weight),
        COVERAGE: mean(inside),
    }


def backtest(model: nn.Module, dataset: Dataset, spec: dict[str, Any]) -> Evaluated:
    """Return the metrics of the forecasts that `extend` makes from each place of each series.

    A forecast sees, and is scaled by, what came before its place alone. MASE and pinball are in the
    unit mean |y_t − y_{t−m}| of the whole series given, as it has no training part.

    Raises:
        DataError: no series that changes has a context and then a horizon.
    """
    series, steps = [], spec["context"] + spec["horizon"]
    for one in dataset.series:
        if len(one) >= steps and naive_error(one.values, spec["season"], one.observed):
            series.append(refill(one, spec))
    if not series:
        raise DataError(
            f"{dataset.name}: the model looks at {spec['context']} values and forecasts "
            f"{spec['horizon']}; no series has {steps} rows and changes: give more rows"
        )
    check_beside(dataset, series, *scales_beside(model, spec))
    places = _places(series, spec)
    chosen = [places[k] for k in spread(len(places), _MOST_PLACES).tolist()]
    ahead = forecasts(model, [series[owner].until(row) for owner, row in chosen], spec)
    left = len(dataset.series) - len(series)
    notes = {
        f"{left} of {len(dataset.series)} series left out, too short or constant": left,
        f"{len(chosen)} of {len(places)} forecasts are measured, evenly spread": len(places)
        > len(chosen),
        f"MASE and pinball are in units of mean |y[t] - y[t-{spec['season']}]| of all that is "
        "given, not of a training part": True,
    }
    metrics = _measured(series, chosen, torch.from_numpy(np.stack(ahead)), spec)
    return metrics, tuple(note for note, applies in notes.items() if applies)


def _places(series: Sequence[Series], spec: dict[str, Any]) -> list[tuple[int, int]]:
    """Return the number of a series and the row of a first target, where one was observed."""
    context, horizon = spec["context"], spec["horizon"]
    return [
        (owner, row)
        for owner, one in enumerate(series)
        for row in range(context, len(one) - horizon + 1)
        if one.observed[row : row + horizon].any()
    ]


def _measured(
    series: Sequence[Series], places: Sequence[tuple[int, int]], ahead: Tensor, spec: dict[str, Any]
) -> dict[str, float]:
    """Return the metrics of forecasts [W, h, Q] from each of the places."""
    season, horizon = spec["season"], spec["horizon"]
    units = [naive_error(one.values, season, one.observed) for one in series]
    chosen = [(series[owner], row, slice(row, row + horizon)) for owner, row in places]
    before = np.stack([one.values[row - season : row] for one, row, _ in chosen])
    return scores(
        ahead,
        torch.from_numpy(np.stack([one.values[span] for one, _, span in chosen])),
        torch.from_numpy(np.stack([one.observed[span] for one, _, span in chosen])),
        seasonal_naive(torch.from_numpy(before), horizon, season),
        torch.tensor([[1 / units[owner]] for owner, _ in places], dtype=torch.float64),
    )

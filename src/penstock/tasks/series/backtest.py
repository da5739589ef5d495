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
from penstock.tasks.series.naive import pinball
from penstock.tasks.shared import spread

_MOST_PLACES = 4000  # forecasts that are measured; more would cost time and tell nothing new


def scores(
    predictions: Tensor, target: Tensor, observed: Tensor, unit: Tensor, weight: Tensor
) -> dict[str, float]:
    """Return the metrics of forecasts [W, h, Q]; see `ForecastProblem`.

    Shapes: target and observed [W, h]; unit, of the values, and weight, what makes errors those of
    MASE, [W, 1] or [1].
    """
    error = (predictions[..., MEDIAN] - target).abs()
    missed = (target < predictions[..., 0]) | (target > predictions[..., -1])
    losses = pinball(predictions, target, QUANTILES).mean(dim=-1)
    return {
        "MASE": float((error * weight)[observed].mean()),
        "MAE": float((error * unit)[observed].mean()),
        "pinball": float((losses * weight)[observed].mean()),
        "80 % missed": float(missed[observed].double().mean()),
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
    units = [naive_error(one.values, spec["season"], one.observed) for one in series]
    spans = [(series[owner], slice(row, row + spec["horizon"])) for owner, row in places]
    return scores(
        ahead,
        torch.from_numpy(np.stack([one.values[span] for one, span in spans])),
        torch.from_numpy(np.stack([one.observed[span] for one, span in spans])),
        torch.ones(1, dtype=torch.float64),
        torch.tensor([[1 / units[owner]] for owner, _ in places], dtype=torch.float64),
    )

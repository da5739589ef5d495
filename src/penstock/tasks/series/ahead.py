"""What a model makes of the past of series: forecasts beyond their ends."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from penstock.data import Series
from penstock.data.forecasting.windows import scale_columns
from penstock.data.scaling import Scale, fit_scale, refilled
from penstock.models.forecaster import History
from penstock.tasks.codec import at_rest


def scales_beside(model: nn.Module, spec: dict[str, Any]) -> tuple[list[Scale], list[Scale]]:
    """Return the scales of the columns known ahead and of the others; a naive forecast needs none
    of the former.
    """
    known, past = ([Scale(**scale) for scale in spec[name]] for name in ("known", "past"))
    return known if model.known else [], past


def refill(one: Series, spec: dict[str, Any]) -> Series:
    """Return a series whose gaps hold the value of a season before; see `data.scaling.refilled`."""
    return replace(one, values=refilled(one.values, one.observed, spec["season"]))


def forecasts(
    model: nn.Module, series: Sequence[Series], spec: dict[str, Any]
) -> list[NDArray[np.float64]]:
    """Return the forecasts [h, Q] beyond the end of each series, in its own unit."""
    scales = [fit_scale(one.values, one.observed) for one in series]
    sizes = spec["context"], spec["horizon"]
    with at_rest(model):
        ahead = model.ahead(_history(series, scales, *sizes, *scales_beside(model, spec)))  # type: ignore[operator]
    return [scale.undo(rows) for scale, rows in zip(scales, ahead.numpy(), strict=True)]


def _history(
    series: Sequence[Series],
    scales: Sequence[Scale],
    context: int,
    horizon: int,
    known: Sequence[Scale],
    past: Sequence[Scale],
) -> History:
    """Return what came before the end of each series, scaled."""
    scaled = [
        scale.apply(np.append(one.values[0], one.values[-context:]))
        for scale, one in zip(scales, series, strict=True)
    ]
    seen = scale_columns([one.past[-context:] for one in series], past)
    told = scale_columns(
        [one.known[len(one) - context : len(one) + horizon] for one in series], known
    )
    return History(
        torch.from_numpy(np.stack([values[1:] for values in scaled])),
        seen.reshape(len(series), context, len(past)),
        told.reshape(len(series), context + horizon, len(known)),
        torch.tensor([values[0] for values in scaled], dtype=torch.float64),
        torch.tensor([len(one) - 1 for one in series]),
    )

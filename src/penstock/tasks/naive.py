"""Naive forecasts: what a network must beat to be of use (Hyndman & Athanasopoulos, ch. 5.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from penstock.data.windows import Windows

_SHORTEST_MEAN = 4  # values in a moving average


def point_forecasts(part: Windows, index: Tensor, season: int) -> dict[str, Tensor]:
    """Return the forecasts [B, h] of each naive method for windows of a part."""
    context, _, _ = part.batch(index)
    h, values = part.horizon, part.panel.values
    start = torch.from_numpy(part.panel.offsets)[part.owner[index]]
    last = part.targets[index] - 1
    return {
        "last value": last_value(context, h),
        "seasonal naive": seasonal_naive(context, h, season),
        "drift": drift(values[start], values[last], last - start, h),
        "moving average": moving_average(context, h, max(season, h, _SHORTEST_MEAN)),
    }


def last_value(context: Tensor, horizon: int) -> Tensor:
    """Return ŷ_{T+k} = y_T. Shapes: context [W, L], result [W, h]."""
    return context[:, -1:].expand(-1, horizon)


def seasonal_naive(context: Tensor, horizon: int, season: int) -> Tensor:
    """Return ŷ_{T+k} = y_{T+k−m⌈k/m⌉}, the last season repeated. Shapes as `last_value`."""
    return context[:, -season:].repeat(1, -(-horizon // season))[:, :horizon]


def moving_average(context: Tensor, horizon: int, width: int) -> Tensor:
    """Return ŷ_{T+k} = the mean of the last `width` values. Shapes as `last_value`."""
    return context[:, -width:].mean(dim=1, keepdim=True).expand(-1, horizon)


def with_quantiles(points: Tensor, errors: Tensor, levels: Sequence[float]) -> Tensor:
    """Return forecasts with an interval: ŷ + the quantiles of errors made before, by step ahead.

    The median is the point forecast itself (Hyndman & Athanasopoulos, ch. 5.5, with the errors'
    own distribution in place of the normal).

    Shapes: points [W, h], errors [V, h] (NaN where unknown), result [W, h, Q].
    """
    shifts = [errors.nanquantile(q, dim=0) if q != 0.5 else 0 for q in levels]
    return torch.stack([points + shift for shift in shifts], dim=-1)


def pinball(predictions: Tensor, target: Tensor, levels: Sequence[float]) -> Tensor:
    """Return max(q e, (q − 1) e), e = y − ŷ_q, for each level q (Koenker & Bassett 1978).

    Shapes: predictions and result [W, h, Q], target [W, h].
    """
    q = predictions.new_tensor(levels)
    error = target[..., None] - predictions
    return torch.maximum(q * error, (q - 1) * error)


def drift(first: Tensor, last: Tensor, elapsed: Tensor, horizon: int) -> Tensor:
    """Return ŷ_{T+k} = y_T + k (y_T − y_1)/(T − 1), the line through first and last value.

    Shapes: first, last, and elapsed = T − 1: [W]; result [W, h].
    """
    ahead = torch.arange(1, horizon + 1)
    return last[:, None] + ahead * ((last - first) / elapsed)[:, None]

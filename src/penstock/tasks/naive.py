"""Naive forecasts: what a network must beat to be of use (Hyndman & Athanasopoulos, ch. 5.2)."""

import torch
from torch import Tensor


def last_value(context: Tensor, horizon: int) -> Tensor:
    """Return ŷ_{T+k} = y_T. Shapes: context [W, L], result [W, h]."""
    return context[:, -1:].expand(-1, horizon)


def seasonal_naive(context: Tensor, horizon: int, season: int) -> Tensor:
    """Return ŷ_{T+k} = y_{T+k−m⌈k/m⌉}, the last season repeated. Shapes as `last_value`."""
    return context[:, -season:].repeat(1, -(-horizon // season))[:, :horizon]


def drift(first: Tensor, last: Tensor, elapsed: Tensor, horizon: int) -> Tensor:
    """Return ŷ_{T+k} = y_T + k (y_T − y_1)/(T − 1), the line through first and last value.

    Shapes: first, last, and elapsed = T − 1: [W]; result [W, h].
    """
    ahead = torch.arange(1, horizon + 1)
    return last[:, None] + ahead * ((last - first) / elapsed)[:, None]

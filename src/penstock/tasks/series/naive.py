"""Naive forecasts: what a network must beat to be of use (Hyndman & Athanasopoulos, ch. 5.2)."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from penstock.models.forecaster import History
from penstock.tasks.methods import Method, MethodKind, Sizes

_SHORTEST_MEAN = 4  # values in a moving average


class PointForecast(Method):
    """A point forecast, with an interval of the errors that it made on training windows.

    Sizes: horizon, context, season, quantiles, and how many columns are past and known. Weights:
    shifts [h, Q], what is added to the point forecast for each quantile; 0 for the median, which is
    the point forecast itself (Hyndman & Athanasopoulos, ch. 5.5, with the errors' own distribution
    in place of the normal).
    """

    kind: ClassVar[MethodKind] = "naive"
    shapes: ClassVar = {"shifts": ("horizon", "quantiles")}
    shifts: Tensor

    @property
    def known(self) -> int:
        """How many columns that are known ahead it reads."""
        return 0

    def point(self, history: History) -> Tensor:
        """Return the forecasts [W, h]."""
        raise NotImplementedError

    def ahead(self, history: History) -> Tensor:
        """Return the forecasts with their intervals [W, h, Q]."""
        return self.point(history)[..., None] + self.shifts

    @classmethod
    def fit(
        cls, sizes: Sizes, history: History, target: Tensor, levels: Sequence[float]
    ) -> "PointForecast":
        """Return the method, fitted on training windows with targets [V, h], NaN where unknown."""
        nothing = torch.zeros(sizes["horizon"], len(levels), dtype=torch.float64)
        points = cls.of(sizes, shifts=nothing).point(history)
        return cls.of(sizes, shifts=error_quantiles(target - points, levels))


class TrainingMean(PointForecast):
    """The mean of the series, for ever: 0, as values are scaled."""

    kind = "blind"

    def point(self, history: History) -> Tensor:
        """Return ŷ_{T+k} = ȳ."""
        return torch.zeros(len(history.contexts), self.sizes["horizon"], dtype=torch.float64)


class LastValue(PointForecast):
    """The last value, for ever."""

    def point(self, history: History) -> Tensor:
        """Return ŷ_{T+k} = y_T."""
        return last_value(history.contexts, self.sizes["horizon"])


class SeasonalNaive(PointForecast):
    """The last season, repeated."""

    def point(self, history: History) -> Tensor:
        """Return ŷ_{T+k} = y_{T+k−m⌈k/m⌉}."""
        return seasonal_naive(history.contexts, self.sizes["horizon"], self.sizes["season"])


class Drift(PointForecast):
    """The line through first and last value."""

    def point(self, history: History) -> Tensor:
        """Return ŷ_{T+k} = y_T + k (y_T − y_1)/(T − 1)."""
        last = history.contexts[:, -1]
        return drift(history.first, last, history.elapsed, self.sizes["horizon"])


class MovingAverage(PointForecast):
    """The mean of the last season, or of as many values as are forecast."""

    def point(self, history: History) -> Tensor:
        """Return ŷ_{T+k} = the mean of the last values."""
        horizon, season = self.sizes["horizon"], self.sizes["season"]
        return moving_average(history.contexts, horizon, max(season, horizon, _SHORTEST_MEAN))


NAIVE: dict[str, type[PointForecast]] = {
    "mean": TrainingMean,
    "last value": LastValue,
    "seasonal naive": SeasonalNaive,
    "drift": Drift,
    "moving average": MovingAverage,
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


def error_quantiles(errors: Tensor, levels: Sequence[float]) -> Tensor:
    """Return the quantiles of errors made before, by step ahead; 0 for the median.

    Shapes: errors [V, h] (NaN where unknown), result [h, Q]; 0 where no error is known.
    """
    none = torch.zeros(errors.shape[1], dtype=errors.dtype)
    shifts = [errors.nanquantile(q, dim=0) if q != 0.5 else none for q in levels]
    return torch.stack(shifts, dim=-1).nan_to_num(0.0)


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

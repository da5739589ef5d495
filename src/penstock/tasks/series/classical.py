"""Classical forecasts: Theta, ridge regression and gradient boosting on what came before.

Each is fitted on training windows, its settings are chosen on validation windows, and its interval
is that of its errors there. Forecasts are changes from the last value, as the network's are.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from penstock.errors import DataError
from penstock.models.forecaster import QUANTILES, History
from penstock.tasks.linear import LinearMap, ridge
from penstock.tasks.methods import Method, Sizes
from penstock.tasks.series.naive import PointForecast, error_quantiles, seasonal_naive
from penstock.tasks.trees import Forest, Samples, boosted

_SMOOTHING = tuple(k / 20 for k in range(1, 21))  # α of Theta
_SHARES = 0.0, 0.25, 0.5, 0.75, 1.0  # of the slope that Theta takes on
_MOST_LAGS = 24  # values that trees look at, besides what sums up the others
_MOST_ROWS = 10_000  # of a window and a step, that trees learn from


class Known(NamedTuple):
    """Windows whose targets are known.

    Attributes:
        history: what came before.
        target: [V, h], NaN where unknown.
    """

    history: History
    target: Tensor

    def changes(self) -> Tensor:
        """Return the changes from the last value [V, h]."""
        return self.target - self.history.contexts[:, -1:]


class Theta(PointForecast):
    """The Theta method on the context, without its season, its θ chosen.

    ŷ_{T+k} = ℓ_T + w b (k − 1 + (1 − (1 − α)^L)/α), where b is the slope of the line through the L
    values and ℓ_t = α y_t + (1 − α) ℓ_{t−1}, ℓ_1 = y_1 (Assimakopoulos & Nikolopoulos 2000, in the
    form of Hyndman & Billah 2003). w = 1 − 1/θ is ½ there; at 0 it is exponential smoothing, at 1
    that with all of the drift (Fiorucci et al. 2016, Int. J. Forecasting 32). The season, where the
    context holds two, is the mean at each of its places after that slope; it is taken out before
    and put back after. Weights: alpha [], and share [] = w.
    """

    kind = "classical"
    shapes: ClassVar = {**PointForecast.shapes, "alpha": (), "share": ()}
    alpha: Tensor
    share: Tensor

    def check(self) -> None:
        """Raise unless 0 < α ≤ 1 and 0 ≤ w ≤ 1.

        Raises:
            DataError: it is not so.
        """
        if not 0 < self.alpha <= 1:
            raise DataError("the weight 'alpha' is not above 0 and at most 1")
        if not 0 <= self.share <= 1:
            raise DataError("the weight 'share' is not from 0 to 1")

    def point(self, history: History) -> Tensor:
        """Return the forecasts [W, h]."""
        horizon, season = self.sizes["horizon"], self.sizes["season"]
        values = history.contexts.double()
        steps = values.shape[1]
        seasonal = _seasonal(values, season)
        values = values - seasonal
        weights = self.alpha * (1 - self.alpha) ** torch.arange(steps - 1, -1, -1).double()
        weights[0] = (1 - self.alpha) ** (steps - 1)
        ahead = torch.arange(horizon) + (1 - (1 - self.alpha) ** steps) / self.alpha
        flat = values @ weights
        again = seasonal_naive(seasonal, horizon, season) if season > 1 else 0
        return flat[:, None] + self.share * _slope(values)[:, None] * ahead + again

    @classmethod
    def chosen(cls, sizes: Sizes, train: Known, validation: Known) -> "Theta":  # noqa: ARG003
        """Return the method with the α and w that err least on validation windows."""
        tried = [
            cls.of(sizes, shifts=_nothing(sizes), alpha=alpha, share=share)
            for share in torch.tensor(_SHARES, dtype=torch.float64)
            for alpha in torch.tensor(_SMOOTHING, dtype=torch.float64)
        ]
        return min(tried, key=lambda one: _error(one, validation))


class RidgeForecast(PointForecast):
    """Ridge regression for each step ahead: on the context, and on the columns beside it.

    Weights: a linear map for each of the h steps, of F values: the changes from each value of the
    context to the last, that one, the past columns at the last step, and those known at the step
    that is forecast.
    """

    kind = "classical"
    shapes: ClassVar = {
        **PointForecast.shapes,
        "mean": ("horizon", "values"),
        "spread": ("horizon", "values"),
        "weight": ("horizon", "values"),
        "bias": ("horizon",),
    }
    mean: Tensor
    spread: Tensor
    weight: Tensor
    bias: Tensor

    @property
    def known(self) -> int:
        """How many columns that are known ahead it reads."""
        return int(self.sizes["known"])

    def check(self) -> None:
        """Raise unless the maps are of as many values as a window has.

        Raises:
            DataError: they are not.
        """
        wanted = sum(int(self.sizes[name]) for name in ("context", "past", "known"))
        if self.mean.shape[1] != wanted:
            raise DataError(f"the weight 'mean' has {self.mean.shape[1]} columns, not {wanted}")

    def point(self, history: History) -> Tensor:
        """Return the forecasts [W, h]."""
        looked = _ridge_columns(history, self.sizes["horizon"])
        maps = zip(self.mean, self.spread, self.weight, self.bias, looked, strict=True)
        ahead = [((x - mean) / spread) @ weight + bias for mean, spread, weight, bias, x in maps]
        return history.contexts[:, -1:] + torch.stack(ahead, dim=1)

    @classmethod
    def chosen(cls, sizes: Sizes, train: Known, validation: Known) -> "RidgeForecast":
        """Return the method fitted, with the penalty of each step that errs least."""
        horizon = sizes["horizon"]
        steps = zip(
            _samples(train, _ridge_columns(train.history, horizon)),
            _samples(validation, _ridge_columns(validation.history, horizon)),
            strict=True,
        )
        maps = [_fitted(*samples) for samples in steps]
        stacked = {
            "mean": torch.stack([one.mean for one in maps]),
            "spread": torch.stack([one.spread for one in maps]),
            "weight": torch.cat([one.weight for one in maps]),
            "bias": torch.cat([one.bias for one in maps]),
        }
        return cls.of(sizes, shifts=_nothing(sizes), **stacked)


class BoostedForecast(PointForecast, Forest):
    """Gradient boosting: one model of all steps ahead, whose number is one of its columns.

    The columns are, less the last value: the last 24 values, that of the last season at the same
    place and the mean of the last season; the last value and the spread of the context; the step
    ahead; the past columns at the last step, and those known at the step that is forecast.
    """

    kind = "classical"
    shapes: ClassVar = {
        **PointForecast.shapes,
        **Forest.shapes,
        "start": ("one",),
    }

    @property
    def known(self) -> int:
        """How many columns that are known ahead it reads."""
        return int(self.sizes["known"])

    def columns(self) -> int:
        """Return how many columns there are."""
        lags = min(int(self.sizes["context"]), _MOST_LAGS)
        return lags + 5 + int(self.sizes["past"]) + int(self.sizes["known"])

    def check(self) -> None:
        """Raise unless the trees lead somewhere, and there is one output.

        Raises:
            DataError: they do not, or there is not.
        """
        super().check()
        if len(self.start) != 1:
            raise DataError("the weight 'start' is not of one output")

    def point(self, history: History) -> Tensor:
        """Return the forecasts [W, h]."""
        looked = _tree_columns(history, self.sizes)
        steps = [self.summed(x)[:, 0] for x in looked]
        return history.contexts[:, -1:] + torch.stack(steps, dim=1)

    @classmethod
    def chosen(cls, sizes: Sizes, train: Known, validation: Known) -> "BoostedForecast":
        """Return the method fitted, with the size and number of trees that err least."""
        learned, chosen = (
            _together(_samples(windows, _tree_columns(windows.history, sizes)))
            for windows in (train, validation)
        )
        weights = boosted(learned, chosen, "number", {"outputs": 1})
        return cls.of(sizes, shifts=_nothing(sizes), **weights)


CLASSICAL: Mapping[str, type[Theta | RidgeForecast | BoostedForecast]] = {
    "theta": Theta,
    "ridge on the context": RidgeForecast,
    "gradient boosting": BoostedForecast,
}


def fit_classical(sizes: Sizes, train: Known, validation: Known) -> Iterator[tuple[str, Method]]:
    """Yield each classical forecast by name, fitted, its interval that of validation errors."""
    for name, kind in CLASSICAL.items():
        method = kind.chosen(sizes, train, validation)
        errors = validation.target - method.point(validation.history)
        shifts = error_quantiles(errors, QUANTILES)
        yield name, kind(sizes, {**method.state_dict(), "shifts": shifts})


def _error(method: PointForecast, windows: Known) -> float:
    return float((windows.target - method.point(windows.history)).abs().nanmean())


def _nothing(sizes: Sizes) -> Tensor:
    return torch.zeros(sizes["horizon"], sizes["quantiles"], dtype=torch.float64)


def _fitted(train: Samples, validation: Samples) -> LinearMap:
    """Return ridge regression; where no target is known, no change."""
    if len(train.y) and len(validation.y):
        return ridge(train, validation)
    columns = train.x.shape[1]
    nothing = torch.zeros(columns, dtype=torch.float64)
    return LinearMap(nothing, nothing + 1, nothing[None], torch.zeros(1, dtype=torch.float64))


def _samples(windows: Known, looked: Iterator[Tensor]) -> Iterator[Samples]:
    """Yield for each step ahead the columns of windows whose target is known, and its change."""
    for x, change in zip(looked, windows.changes().T, strict=True):
        seen = ~change.isnan()
        yield Samples(x[seen], change[seen])


def _together(samples: Iterator[Samples]) -> Samples:
    x, y = zip(*samples, strict=True)
    return Samples(torch.cat(x), torch.cat(y)).some(_MOST_ROWS)


def _ridge_columns(history: History, horizon: int) -> Iterator[Tensor]:
    """Yield for each step ahead what ridge regression looks at [W, F]."""
    last = history.contexts[:, -1:]
    same = [history.contexts[:, :-1] - last, last, history.past[:, -1].double()]
    for known in _ahead(history, horizon):
        yield torch.cat([*same, known], dim=1)


def _tree_columns(history: History, sizes: Sizes) -> Iterator[Tensor]:
    """Yield for each step ahead what trees look at [W, K]."""
    horizon, contexts = sizes["horizon"], history.contexts
    season, last = min(sizes["season"], contexts.shape[1]), contexts[:, -1:]
    lags = contexts[:, -min(sizes["context"], _MOST_LAGS) :] - last
    mean = contexts[:, -season:].mean(dim=1, keepdim=True) - last
    spread = contexts.std(dim=1, correction=0, keepdim=True)
    again = seasonal_naive(contexts, horizon, season) - last
    same = [lags, mean, last, spread, history.past[:, -1].double()]
    for k, known in enumerate(_ahead(history, horizon)):
        step = torch.full_like(last, k)
        yield torch.cat([*same, again[:, k : k + 1], step, known], dim=1)


def _ahead(history: History, horizon: int) -> Iterator[Tensor]:
    """Yield the columns known at each step ahead [W, K]."""
    known = history.known[:, history.contexts.shape[1] :].double()
    nothing = known.new_empty(len(known), 0)
    yield from (known[:, k] if known.shape[2] else nothing for k in range(horizon))


def _slope(values: Tensor) -> Tensor:
    """Return the slope of the least-squares line through each row [W, L]; 0 if L = 1."""
    if values.shape[1] == 1:
        return torch.zeros(len(values), dtype=values.dtype)
    place = torch.arange(values.shape[1]).double()
    place = place - place.mean()
    return values @ place / place.square().sum()


def _seasonal(values: Tensor, season: int) -> Tensor:
    """Return the seasonal part of each row [W, L]: of sum 0 over a season, 0 if L < 2 seasons."""
    steps = values.shape[1]
    if season < 2 or steps < 2 * season:
        return torch.zeros_like(values)
    straight = values - _slope(values)[:, None] * torch.arange(steps)
    count = steps // season
    whole = straight[:, steps - count * season :].reshape(-1, count, season).mean(dim=1)
    whole = whole - whole.mean(dim=1, keepdim=True)
    return whole.repeat(1, count + 1)[:, -steps:]  # the last season ends with the row

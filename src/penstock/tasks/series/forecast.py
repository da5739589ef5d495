"""Forecasting: from the last L values of a series, the next h; one model over all series.

The network (see `penstock.models.forecaster`) is trained on the pinball loss of scaled values,
which at the median is half the absolute error, as the score is an absolute error too. Training
windows are those of the training parts; validation and test windows have all their targets in
their own part.

Intervals are the network's quantiles, widened by their errors on validation windows; see
`Forecaster.widen`. Where the future is unlike the past they hold less than they say: what they held
of the test part is said.
"""

from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from penstock.data import Dataset
from penstock.data.forecasting.readers import read_series
from penstock.data.forecasting.stretches import stretch
from penstock.data.forecasting.windows import Panel, Windows, check_beside, windows
from penstock.models.forecaster import MEDIAN, QUANTILES, History
from penstock.tasks.codec import at_rest
from penstock.tasks.evidence import Evidence
from penstock.tasks.measuring import measured
from penstock.tasks.methods import Method
from penstock.tasks.problem import Examples, ExampleWindow, Measured, Problem
from penstock.tasks.series.backtest import COVERAGE, MEANINGS, scores
from penstock.tasks.series.blocks import blocks_of
from penstock.tasks.series.classical import Known, fit_classical
from penstock.tasks.series.codec import ForecastCodec
from penstock.tasks.series.evidence import forecast_evidence
from penstock.tasks.series.naive import NAIVE, pinball, seasonal_naive
from penstock.tasks.series.selection import Selection, select
from penstock.tasks.shared import spread
from penstock.tasks.task import Parts, TaskKind

# Windows kept of each part, evenly spread: more would cost time and tell nothing new.
_LIMITS = {"train": 10_000_000, "validation": 500, "test": 4000}
_CHOOSING = ("train", "validation")
_FITTED_ON = 4000  # windows that baselines are fitted on, and as many that choose


@dataclass(frozen=True)
class ForecastProblem(Problem):
    """Forecasting of one or many series.

    Metrics: see `penstock.tasks.series.backtest.MEANINGS` (MASE: Hyndman & Koehler 2006); ŷ is the
    median.
    """

    dataset: Dataset
    selection: Selection
    parts: dict[str, Windows]

    metrics = tuple(MEANINGS)
    meanings = MEANINGS
    profile_of = "step ahead"
    promised = MappingProxyType({COVERAGE: 0.8})

    def size(self, part: str) -> int:
        """Return the number of windows of a part."""
        return len(self.parts[part])

    def steps_in(self, part: str) -> int:
        """Return the number of values of a part."""
        spans = (cut.part(part) for cut in self.selection.splits)
        return sum(end - start for start, end in spans)

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return windows: contexts, changes from the last value, which were observed, beside.

        Shapes: [B, L], [B, h], [B, h], and the columns beside, [B, L, P] and [B, L + h, K].
        """
        context, target, observed = self.parts[part].batch(index)
        beside = self.parts[part].beside(index)
        return context.float(), (target - context[:, -1:]).float(), observed, *beside

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean pinball loss over the observed targets, half of it that of the median."""
        context, change, observed, past, known = batch
        losses = pinball(network(context, past, known), change, QUANTILES)[observed]
        return losses.mean() + losses[:, MEDIAN].mean() / len(QUANTILES)

    def history(self, part: str, index: Tensor) -> History:
        """Return what came before the targets of windows of a part at `index` [B]."""
        windowed = self.parts[part]
        starts = torch.from_numpy(windowed.panel.offsets)[windowed.owner[index]]
        elapsed = windowed.targets[index] - 1 - starts
        first = windowed.panel.values[starts]
        return History(windowed.batch(index)[0], *windowed.beside(index), first, elapsed)

    def calibrate(self, network: nn.Module) -> None:
        """Widen a network's intervals by what validation windows lay outside of them."""
        with at_rest(network):
            network.widen(*self.known("validation"))  # type: ignore[operator]

    def known(self, part: str, most: int | None = None) -> Known:
        """Return windows of a part, up to so many, evenly spread, with their targets."""
        windowed = self.parts[part]
        index = spread(len(windowed), most or len(windowed))
        _, target, observed = windowed.batch(index)
        return Known(self.history(part, index), torch.where(observed, target, torch.nan))

    def predict(self, model: nn.Module) -> Tensor:
        """Return forecasts [W, h, Q] for the test windows, in scaled units."""
        history = self.history("test", torch.arange(self.size("test")))
        with at_rest(model):
            forecasts: Tensor = model.ahead(history)  # type: ignore[operator]
            return forecasts

    def measure(self, predictions: Tensor) -> Measured:
        """Return the metrics, over all and by block of time, and MASE by step ahead."""
        context, target, observed = self.test()
        again = seasonal_naive(context, self.selection.horizon, self.selection.season)
        scales = self.selection.scales
        unit = self._of_owner([scale.std for scale in scales])
        level = self._of_owner([scale.mean for scale in scales])
        weight = 1 / self._of_owner(self.selection.naive_errors)
        ahead = predictions * unit[..., None] + level[..., None]
        actual, again = target * unit + level, again * unit + level
        scaled = (ahead[..., MEDIAN] - actual).abs() * weight

        def among(kept: Tensor) -> dict[str, float]:
            return scores(ahead, actual, observed & kept[:, None], again, weight)

        by_step = zip(scaled.T, observed.T, strict=True)
        profile = tuple(float(step[seen].mean()) for step, seen in by_step)
        return measured(among, blocks_of(self.selection, self.parts["test"], observed), profile)

    def members(self, part: str) -> list[str]:
        """Return the series of a part, with the first and the last of its times."""
        chosen = self.selection
        spans = [
            (one, *cut.part(part)) for one, cut in zip(chosen.series, chosen.splits, strict=True)
        ]
        return [f"{one.id}: {one.times[a]} to {one.times[b - 1]}" for one, a, b in spans if b > a]

    def profile_names(self) -> list[str]:
        """Return the steps ahead."""
        return [str(k + 1) for k in range(self.selection.horizon)]

    def evidence(self) -> Evidence:
        """Return the changes to predict, the columns beside them, and the spans of time."""
        columns = self.dataset.columns
        known, past = columns.spread(columns.known), columns.spread(columns.beside)
        timed = columns.time is not None
        evidence = forecast_evidence(self.selection, self.parts["train"], known, past, timed)
        spacing = self.dataset.spacing
        irregular = None
        if spacing is not None:
            irregular = spacing.unit == "none" and columns.elapsed is None
        return replace(evidence, irregular=irregular)

    def test(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return contexts, targets, and which were observed, of the test windows."""
        return self.parts["test"].batch(torch.arange(self.size("test")))

    def _of_owner(self, values: Any) -> Tensor:
        """Return a value of each series for every test window, [W, 1]."""
        every = torch.as_tensor(values, dtype=torch.float64)  # of plain floats it would be float32
        return every[self.parts["test"].owner][:, None]


@dataclass(frozen=True)
class ForecastBaselines:
    """The baselines of a problem; see `penstock.tasks.series.naive` and `.classical`."""

    problem: ForecastProblem
    sizes: dict[str, int]

    def __call__(self) -> dict[str, Method]:
        """Return each, fitted."""
        train, validation = (self.problem.known(part, _FITTED_ON) for part in _CHOOSING)
        naive: dict[str, Method] = {
            name: method.fit(self.sizes, *train, QUANTILES) for name, method in NAIVE.items()
        }
        return {**naive, **dict(fit_classical(self.sizes, train, validation))}


@dataclass(frozen=True)
class ForecastExamples(Examples):
    """Four test windows, each with its context and with what came (None: missing)."""

    problem: ForecastProblem

    def shown(self) -> list[ExampleWindow]:
        """Return the windows."""
        return [self._window(number) for number in self._index().tolist()]

    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the medians."""
        return [rows[:, MEDIAN].tolist() for rows in self._unscaled(predictions)]

    def bands(self, predictions: Tensor) -> list[list[tuple[float, float]]]:
        """Return the intervals of 80 %."""
        return [
            [(low, high) for low, *_, high in rows.tolist()] for rows in self._unscaled(predictions)
        ]

    def _window(self, number: int) -> ExampleWindow:
        chosen, test = self.problem.selection, self.problem.parts["test"]
        one = chosen.series[int(test.owner[number])]
        at = int(test.targets[number]) - int(test.panel.offsets[test.owner[number]])
        begin, end = at - chosen.context, at + chosen.horizon
        actual = np.where(one.observed, one.values, np.nan)[begin:end]
        return ExampleWindow(
            one.id,
            [str(time) for time in one.times[begin:end]],
            [None if np.isnan(value) else float(value) for value in actual],
            chosen.context,
            unit=one.id,
        )

    def _index(self) -> Tensor:
        return spread(self.problem.size("test"))

    def _unscaled(self, predictions: Tensor) -> list[np.ndarray]:
        """Return the forecasts [h, Q] in the data's unit."""
        index = self._index()
        owners = self.problem.parts["test"].owner[index].tolist()
        return [
            self.problem.selection.scales[owner].undo(predictions[window].numpy())
            for window, owner in zip(index.tolist(), owners, strict=True)
        ]


def _bind(data: Dataset, horizon: int | None, context: int | None = None) -> Parts:
    """Return the parts on a dataset; see `penstock.tasks.series.selection.select`."""
    chosen = select(data, horizon, context)
    check_beside(data, chosen.series, chosen.known, chosen.past)
    panel = Panel.of(chosen.series, chosen.scales, chosen.splits, chosen.known, chosen.past)
    parts = {
        part: windows(panel, part, chosen.context, chosen.horizon, limit)
        for part, limit in _LIMITS.items()
    }
    if data.last:
        every = windows(panel, "test", chosen.context, chosen.horizon, _LIMITS["train"])
        parts["test"] = every.last_of_each()
    problem, spec = ForecastProblem(data, chosen, parts), _spec(data, chosen)
    settings = {
        "horizon": chosen.horizon,
        "context": chosen.context,
        "season": chosen.season,
        "series": len(chosen.series),
        "windows": {part: len(cut) for part, cut in parts.items()},
        "test_windows": "last" if data.last else "rolling",
        "score_unit": f"mean |y[t] - y[t-{chosen.season}]| of the training part",
    }
    fit = ForecastBaselines(problem, CODEC.sizes(spec))
    return Parts(
        problem, fit, ForecastExamples(problem), settings, chosen.notes, spec, chosen.contexts
    )


def _spec(data: Dataset, chosen: Selection) -> dict[str, Any]:
    """Return horizon, context, columns, and the scales of the columns beside the values."""
    return {
        "horizon": chosen.horizon,
        "context": chosen.context,
        "season": chosen.season,
        "columns": data.about()["columns"],
        "known": [asdict(scale) for scale in chosen.known],
        "past": [asdict(scale) for scale in chosen.past],
    }


CODEC = ForecastCodec()
FORECAST = TaskKind(
    "forecast", "forecast", CODEC, read_series, _bind, has_horizon=True, has_context=True,
    redraw=stretch,
)  # fmt: skip

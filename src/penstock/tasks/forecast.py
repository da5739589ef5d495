"""Forecasting: from the last L values of a series, the next h; one model over all series.

The network (see `forecaster`) is trained on the mean absolute error of scaled values, as the
metrics are absolute errors too. Training windows are those of the training parts; validation and
test windows have all their targets in their own part.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics.functional import mean_absolute_error

from penstock.cells import Cell
from penstock.data import Dataset
from penstock.data.windows import Panel, Windows, windows
from penstock.tasks.base import Measured, Task
from penstock.tasks.forecaster import Forecaster, forecast
from penstock.tasks.naive import drift, last_value, seasonal_naive
from penstock.tasks.selection import Selection, select

_MOST_BLOCKS = 10
_EXAMPLES = 4
# Windows kept of each part, evenly spread: more would cost time and tell nothing new.
_LIMITS = {"train": 10_000_000, "validation": 500, "test": 4000}


@dataclass(frozen=True)
class Forecast(Task):
    """Forecasting of one or many series.

    Metrics: MASE, the mean of |y − ŷ| / (mean |y_t − y_{t−m}| of the series' training part)
    (Hyndman & Koehler 2006; m is the season; below 1 is better than the seasonal naive forecast
    was one step ahead), and MAE, the mean of |y − ŷ| in the data's unit.
    """

    selection: Selection
    parts: dict[str, Windows]

    name = "forecast"
    metrics = ("MASE", "MAE")

    @classmethod
    def prepare(cls, dataset: Dataset, horizon: int | None = None) -> Self:
        """Return the task on a dataset; see `penstock.tasks.selection.select`."""
        chosen = select(dataset, horizon)
        panel = Panel.of(chosen.series, chosen.scales, chosen.splits)
        parts = {
            part: windows(panel, part, chosen.context, chosen.horizon, limit)
            for part, limit in _LIMITS.items()
        }
        return cls(chosen, parts)

    def settings(self) -> dict[str, Any]:
        """Return horizon, context, season, and how many series and windows there are."""
        chosen = self.selection
        return {
            "horizon": chosen.horizon,
            "context": chosen.context,
            "season": chosen.season,
            "series": len(chosen.series),
            "windows": {part: len(found) for part, found in self.parts.items()},
            "score_unit": f"mean |y[t] - y[t-{chosen.season}]| of the training part",
        }

    def notes(self) -> tuple[str, ...]:
        """Return the notes of the reader and of the selection."""
        return self.selection.notes

    def network(self, cell: str | type[Cell], width: int) -> nn.Module:
        """Return an untrained `Forecaster`."""
        return Forecaster(cell, width, self.selection.horizon)

    def size(self, part: str) -> int:
        """Return the number of windows of a part."""
        return len(self.parts[part])

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return contexts [B, L], changes from the last value [B, h], and which were observed."""
        context, target, observed = self.parts[part].batch(index)
        return context.float(), (target - context[:, -1:]).float(), observed

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean absolute error over the observed targets."""
        context, change, observed = batch
        error: Tensor = network(context) - change
        return error.abs()[observed].mean()

    def predict(self, network: nn.Module) -> Tensor:
        """Return forecasts [W, h] for the test windows, in scaled units."""
        return forecast(network, self._test()[0])

    def baselines(self) -> dict[str, Tensor]:
        """Return the forecasts "last value", "seasonal naive" and "drift", in scaled units."""
        context, _, _ = self._test()
        test, h = self.parts["test"], self.selection.horizon
        start = torch.from_numpy(test.panel.offsets)[test.owner]
        last = test.targets - 1
        values = test.panel.values
        return {
            "last value": last_value(context, h),
            "seasonal naive": seasonal_naive(context, h, self.selection.season),
            "drift": drift(values[start], values[last], last - start, h),
        }

    def measure(self, predictions: Tensor) -> Measured:
        """Return MASE and MAE, and MASE by block of time and by step ahead."""
        _, target, observed = self._test()
        unit = self._of_owner([scale.std for scale in self.selection.scales])
        weight = unit / self._of_owner(self.selection.naive_errors)

        def error(factor: Tensor, rows: Tensor | slice = slice(None)) -> float:
            factor, seen = factor[rows].expand_as(observed[rows]), observed[rows]
            predicted, actual = (values[rows] * factor for values in (predictions, target))
            return float(mean_absolute_error(predicted[seen], actual[seen]))

        blocks = self._blocks()
        steps = range(self.selection.horizon)
        scaled = (predictions - target).abs() * weight
        return Measured(
            {"MASE": error(weight), "MAE": error(unit)},
            tuple(error(weight, blocks == block) for block in torch.unique(blocks)),
            tuple(float(scaled[:, k][observed[:, k]].mean()) for k in steps),
        )

    def examples(self) -> list[dict[str, Any]]:
        """Return four test windows: series, times, context, and what came (None: missing)."""
        found = []
        for window in self._example_index().tolist():
            test = self.parts["test"]
            one = self.selection.series[int(test.owner[window])]
            at = int(test.targets[window]) - int(test.panel.offsets[test.owner[window]])
            begin, end = at - self.selection.context, at + self.selection.horizon
            actual = np.where(one.observed, one.values, np.nan)[begin:end]
            found.append(
                {
                    "series": one.id,
                    "times": [str(time) for time in one.times[begin:end]],
                    "actual": [None if np.isnan(value) else float(value) for value in actual],
                    "context": self.selection.context,
                }
            )
        return found

    def example_predictions(self, predictions: Tensor) -> list[list[float]]:
        """Return the forecasts for the windows of `examples`."""
        index = self._example_index()
        owners = self.parts["test"].owner[index].tolist()
        return [
            self.selection.scales[owner].undo(predictions[window].numpy()).tolist()
            for window, owner in zip(index.tolist(), owners, strict=True)
        ]

    def _test(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.parts["test"].batch(torch.arange(self.size("test")))

    def _of_owner(self, values: Any) -> Tensor:
        """Return a value of each series for every test window, [W, 1]."""
        return torch.as_tensor(values)[self.parts["test"].owner][:, None]

    def _example_index(self) -> Tensor:
        count = min(_EXAMPLES, self.size("test"))
        return torch.linspace(0, self.size("test") - 1, count).long()

    def _blocks(self) -> Tensor:
        """Return the block of each test window [W]: a stretch of time of at least a horizon.

        Where the test parts are too short for two such stretches, groups of series.
        """
        test, chosen = self.parts["test"], self.selection
        stretches = max(cut.end - cut.validation for cut in chosen.splits) // chosen.horizon - 1
        count = min(_MOST_BLOCKS, stretches)
        if count >= 2 or len(chosen.series) == 1:
            return (test.place * max(count, 2)).long()
        return test.owner * min(_MOST_BLOCKS, len(chosen.series)) // len(chosen.series)

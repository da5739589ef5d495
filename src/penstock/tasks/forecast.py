"""Forecasting: from the last L values of a series, the next h; one model over all series.

The network (see `forecaster`) is trained on the pinball loss of scaled values, which at the median
is half the absolute error, as the score is an absolute error too. Training windows are those of
the training parts; validation and test windows have all their targets in their own part.

Intervals are the network's quantiles as they are. To widen them by the errors on validation
windows (Romano, Patterson & Candès 2019, arXiv:1905.03222) helps where the future is like these: on
the sunspots, whose last years are not, it made 40 % missed into 43 %. So what they held is said.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self, TypedDict

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from penstock.cells import Cell
from penstock.conform import Count, conform, same_length
from penstock.data import Dataset, Options, Source
from penstock.data.readers import read_series
from penstock.data.scaling import Scale
from penstock.data.series import Columns
from penstock.data.windows import Panel, Windows, windows
from penstock.tasks.base import Measured, Task, spread
from penstock.tasks.evidence import Evidence
from penstock.tasks.forecast_evidence import forecast_evidence
from penstock.tasks.forecaster import MEDIAN, QUANTILES, Forecaster, extend, forecast
from penstock.tasks.naive import pinball, point_forecasts, with_quantiles
from penstock.tasks.selection import Selection, blocks_of, select

# Windows kept of each part, evenly spread: more would cost time and tell nothing new.
_LIMITS = {"train": 10_000_000, "validation": 500, "test": 4000}
_PAST_ERRORS = 4000  # training windows from which the intervals of naive forecasts are taken


class _Spec(TypedDict):
    horizon: Count
    context: Count
    season: Count
    columns: Columns
    known: list[Scale]
    past: list[Scale]


@dataclass(frozen=True)
class Forecast(Task):
    """Forecasting of one or many series.

    Metrics: MASE, the mean of |y − ŷ| / (mean |y_t − y_{t−m}| of the series' training part)
    (Hyndman & Koehler 2006; m is the season; below 1 is better than the seasonal naive forecast
    was one step ahead; ŷ is the median), MAE, the mean of |y − ŷ| in the data's unit, pinball, the
    mean of max(q e, (q − 1) e), e = y − ŷ_q, over the quantiles q, in the unit of MASE, and
    80 % missed, the share of values outside the interval of 80 %: at best 0.2.
    """

    dataset: Dataset
    selection: Selection
    parts: dict[str, Windows]

    name = "forecast"
    metrics = ("MASE", "MAE", "pinball", "80 % missed")
    profile_of = "step ahead"

    @classmethod
    def read(cls, source: Source, options: Options) -> Dataset:
        """Return the series; see `penstock.data.read`."""
        return read_series(source, options)

    @classmethod
    def prepare(cls, data: Dataset, horizon: int | None = None) -> Self:
        """Return the task on a dataset; see `penstock.tasks.selection.select`."""
        chosen = select(data, horizon)
        panel = Panel.of(chosen.series, chosen.scales, chosen.splits, chosen.known, chosen.past)
        parts = {
            part: windows(panel, part, chosen.context, chosen.horizon, limit)
            for part, limit in _LIMITS.items()
        }
        return cls(data, chosen, parts)

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

    def spec(self) -> dict[str, Any]:
        """Return horizon, context, columns, and the scales of the columns beside the values."""
        chosen = self.selection
        return {
            "horizon": chosen.horizon,
            "context": chosen.context,
            "season": chosen.season,
            "columns": self.dataset.about()["columns"],
            "known": [asdict(scale) for scale in chosen.known],
            "past": [asdict(scale) for scale in chosen.past],
        }

    @classmethod
    def check_spec(cls, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: sizes, columns, and a scale for each beside."""
        conform(spec, _Spec, "spec")
        columns = Columns(**spec["columns"])
        for name, names in (("known", columns.known), ("past", columns.beside)):
            same_length(f"spec.{name}", spec[name], columns.spread(names))

    @classmethod
    def rebuild(cls, spec: dict[str, Any], cell: str | type[Cell], width: int) -> Forecaster:
        """Return an untrained `Forecaster`."""
        return Forecaster(cell, width, spec["horizon"], len(spec["past"]), len(spec["known"]))

    @classmethod
    def apply(
        cls, network: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return the forecast beyond the end of each series; see `extend`."""
        dataset = cls.read(source, Options.of_record(spec["columns"]))
        known, past = ([Scale(**scale) for scale in spec[name]] for name in ("known", "past"))
        frame, short = extend(network, dataset, spec["context"], known, past, spec["season"])
        notes = (f"too short, left out: {', '.join(short[:5])}",) if short else ()
        return frame, (*notes, *_no_times(dataset, frame))

    def size(self, part: str) -> int:
        """Return the number of windows of a part."""
        return len(self.parts[part])

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

    def predict(self, network: nn.Module) -> Tensor:
        """Return forecasts [W, h, Q] for the test windows, in scaled units."""
        test = self.parts["test"]
        return forecast(network, self._test()[0], *test.beside(torch.arange(len(test))))

    def baselines(self) -> dict[str, Tensor]:
        """Return naive forecasts [W, h, Q], in scaled units.

        Their intervals are the quantiles of the errors that each made on training windows.
        """
        train, test = self.parts["train"], self.parts["test"]
        before = spread(len(train), _PAST_ERRORS)
        _, target, observed = train.batch(before)
        points = point_forecasts(test, torch.arange(len(test)), self.selection.season)
        past = point_forecasts(train, before, self.selection.season)
        return {
            name: with_quantiles(
                forecasts, torch.where(observed, target - past[name], torch.nan), QUANTILES
            )
            for name, forecasts in points.items()
        }

    def measure(self, predictions: Tensor) -> Measured:
        """Return the metrics, and MASE by block of time and by step ahead."""
        _, target, observed = self._test()
        unit = self._of_owner([scale.std for scale in self.selection.scales])
        weight = unit / self._of_owner(self.selection.naive_errors)
        error = (predictions[..., MEDIAN] - target).abs()
        scaled = error * weight
        missed = (target < predictions[..., 0]) | (target > predictions[..., -1])
        losses = pinball(predictions, target, QUANTILES)
        blocks = blocks_of(self.selection, self.parts["test"])
        return Measured(
            {
                "MASE": float(scaled[observed].mean()),
                "MAE": float((error * unit)[observed].mean()),
                "pinball": float((losses.mean(dim=-1) * weight)[observed].mean()),
                "80 % missed": float(missed[observed].double().mean()),
            },
            tuple(
                float(scaled[blocks == block][observed[blocks == block]].mean())
                for block in torch.unique(blocks)
            ),
            tuple(
                float(step[seen].mean()) for step, seen in zip(scaled.T, observed.T, strict=True)
            ),
        )

    def profile_names(self) -> list[str]:
        """Return the steps ahead."""
        return [str(k + 1) for k in range(self.selection.horizon)]

    def examples(self) -> list[dict[str, Any]]:
        """Return four test windows, with what came (None: missing)."""
        found = []
        for window in spread(self.size("test")).tolist():
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
                    "kind": "line",
                    "unit": one.id,
                    "levels": [],
                }
            )
        return found

    def example_predictions(self, predictions: Tensor) -> list[list[float]]:
        """Return the medians for the windows of `examples`."""
        return [rows[:, MEDIAN].tolist() for rows in self._unscaled(predictions)]

    def example_bands(self, predictions: Tensor) -> list[list[tuple[float, float]]]:
        """Return the intervals of 80 % for the windows of `examples`."""
        return [
            [(low, high) for low, *_, high in rows.tolist()] for rows in self._unscaled(predictions)
        ]

    def evidence(self) -> Evidence:
        """Return the changes to foretell, the columns beside them, and the spans of time."""
        columns = self.dataset.columns
        known, past = (
            columns.spread(columns.known),
            columns.spread(columns.beside),
        )
        timed = columns.time is not None
        return forecast_evidence(self.selection, self.parts["train"], known, past, timed)

    def _unscaled(self, predictions: Tensor) -> list[np.ndarray]:
        """Return the forecasts [h, Q] for the windows of `examples`, in the data's unit."""
        index = spread(self.size("test"))
        owners = self.parts["test"].owner[index].tolist()
        return [
            self.selection.scales[owner].undo(predictions[window].numpy())
            for window, owner in zip(index.tolist(), owners, strict=True)
        ]

    def _test(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.parts["test"].batch(torch.arange(self.size("test")))

    def _of_owner(self, values: Any) -> Tensor:
        """Return a value of each series for every test window, [W, 1]."""
        return torch.as_tensor(values)[self.parts["test"].owner][:, None]


def _no_times(dataset: Dataset, frame: pl.DataFrame) -> tuple[str, ...]:
    """Return why forecasts have no time, if some have none."""
    if not frame["ds"].null_count():
        return ()
    why = "the times are irregular" if dataset.spacing else "the data have no times"
    return (f"ds is empty, as {why}",)

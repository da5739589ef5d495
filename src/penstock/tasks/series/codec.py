"""How a trained forecaster, or a naive forecast, is kept, and how it continues other series."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import TypedDict

from penstock.cells import Cell
from penstock.data import Dataset, Options, Series, Source
from penstock.data.forecasting.readers import read_series
from penstock.data.forecasting.windows import check_beside, scale_columns
from penstock.data.scaling import Scale, fit_scale, naive_error, refilled
from penstock.data.series import Columns
from penstock.data.time.calendar import continue_times, in_zone
from penstock.errors import DataError
from penstock.models.forecaster import MEDIAN, QUANTILES, Forecaster, History
from penstock.record.checked import Count, conform, same_length
from penstock.tasks.codec import Codec, Evaluated, at_rest
from penstock.tasks.methods import Method
from penstock.tasks.series.naive import METHODS, pinball
from penstock.tasks.shared import spread

_MOST_PLACES = 4000  # forecasts that are measured; more would cost time and tell nothing new


class ForecastSpec(TypedDict):
    """The specification of a forecasting model."""

    horizon: Count
    context: Count
    season: Count
    columns: Columns
    known: list[Scale]
    past: list[Scale]


class ForecastCodec(Codec):
    """Forecasts beyond the end of each series."""

    methods: Mapping[str, type[Method]] = METHODS

    def check_spec(self, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: sizes, columns, and a scale for each beside."""
        conform(spec, ForecastSpec, "spec")
        columns = Columns(**spec["columns"])
        for name, names in (("known", columns.known), ("past", columns.beside)):
            same_length(f"spec.{name}", spec[name], columns.spread(names))
        if columns.elapsed is not None and columns.elapsed not in columns.known:
            raise DataError("spec.columns.elapsed is none of the columns known")

    def sizes(self, spec: dict[str, Any]) -> dict[str, int]:
        """Return horizon and season, and how many quantiles there are."""
        return {name: spec[name] for name in ("horizon", "season")} | {"quantiles": len(QUANTILES)}

    def rebuild(self, spec: dict[str, Any], cell: str | type[Cell], width: int) -> Forecaster:
        """Return an untrained `Forecaster`."""
        return Forecaster(cell, width, spec["horizon"], len(spec["past"]), len(spec["known"]))

    def apply(
        self, model: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return the forecast beyond the end of each series; see `extend`."""
        dataset = read_series(source, Options.of_record(spec["columns"]))
        frame, short = extend(model, dataset, spec)
        notes = (f"too short, left out: {', '.join(short[:5])}",) if short else ()
        return frame, (*notes, *_no_times(dataset, frame))

    def evaluate(self, model: nn.Module, spec: dict[str, Any], source: Source) -> Evaluated:
        """Return the metrics of forecasts from every place in the series; see `backtest`."""
        dataset = read_series(source, Options.of_record(spec["columns"]))
        metrics, notes = backtest(model, dataset, spec)
        return metrics, (*dataset.notes, *notes)


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


def extend(
    model: nn.Module, dataset: Dataset, spec: dict[str, Any]
) -> tuple[pl.DataFrame, list[str]]:
    """Return the forecast beyond the end of each series, and the series too short for one.

    Each series is scaled by all its values, the past of the forecast. The frame has the columns
    unique_id, step (1 … h), ds (the time; empty where it cannot be told), forecast (the median),
    low and high (between them lie 80 % of what comes, as far as training could tell).

    Raises:
        DataError: every series is shorter than the context, or the columns known ahead are not
            given for the steps to forecast.
    """
    context, horizon = spec["context"], spec["horizon"]
    long = [_refilled(one, spec) for one in dataset.series if len(one) >= context]
    short = [one.id for one in dataset.series if len(one) < context]
    if not long:
        raise DataError(
            f"{dataset.name}: the model looks at the last {context} values, "
            f"but the longest series has {max(map(len, dataset.series))}; give more rows"
        )
    known, past = _beside(model, spec)
    if known:
        _check_ahead(dataset, long, horizon)
    check_beside(dataset, long, known, past)
    return _frame(dataset, long, _ahead(model, long, spec)), short


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
            series.append(_refilled(one, spec))
    if not series:
        raise DataError(
            f"{dataset.name}: the model looks at {spec['context']} values and forecasts "
            f"{spec['horizon']}; no series has {steps} rows and changes: give more rows"
        )
    check_beside(dataset, series, *_beside(model, spec))
    places = _places(series, spec)
    chosen = [places[k] for k in spread(len(places), _MOST_PLACES).tolist()]
    ahead = _ahead(model, [series[owner].until(row) for owner, row in chosen], spec)
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


def _beside(model: nn.Module, spec: dict[str, Any]) -> tuple[list[Scale], list[Scale]]:
    """Return the scales of the columns known ahead and of the others; a naive forecast needs none
    of the former.
    """
    known, past = ([Scale(**scale) for scale in spec[name]] for name in ("known", "past"))
    return known if model.known else [], past


def _refilled(one: Series, spec: dict[str, Any]) -> Series:
    return replace(one, values=refilled(one.values, one.observed, spec["season"]))


def _ahead(
    model: nn.Module, series: Sequence[Series], spec: dict[str, Any]
) -> list[NDArray[np.float64]]:
    """Return the forecasts [h, Q] beyond the end of each series, in its own unit."""
    scales = [fit_scale(one.values, one.observed) for one in series]
    sizes = spec["context"], spec["horizon"]
    with at_rest(model):
        ahead = model.ahead(_history(series, scales, *sizes, *_beside(model, spec)))  # type: ignore[operator]
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


def _check_ahead(dataset: Dataset, series: Sequence[Series], horizon: int) -> None:
    columns = dataset.columns
    given = [name for name in columns.known if name != columns.elapsed]
    if columns.elapsed:
        given += [columns.time] if isinstance(columns.time, str) else columns.time or ()
    names = ", ".join(given)
    for one in series:
        if len(one.known) < len(one) + horizon:
            raise DataError(
                f"{dataset.name}: series {one.id!r} has {len(one.known) - len(one)} rows after its "
                f"last value; the model needs {horizon}, with {names} filled in and the value empty"
            )


def _frame(
    dataset: Dataset, series: Sequence[Series], values: Sequence[NDArray[np.float64]]
) -> pl.DataFrame:
    steps = len(values[0])
    kind = series[0].times.dtype
    times = [_times_ahead(one, steps, dataset) for one in series]
    empty = pl.Series("ds", [None] * steps, dtype=kind)
    ahead = np.concatenate(values)
    ds = pl.concat([empty if one is None else one.cast(kind).alias("ds") for one in times])
    return pl.DataFrame(
        {
            "unique_id": np.repeat([one.id for one in series], steps),
            "step": np.tile(np.arange(1, steps + 1), len(series)),
            "ds": in_zone(ds, dataset.zone),
            "forecast": ahead[:, MEDIAN],
            "low": ahead[:, 0],
            "high": ahead[:, -1],
        }
    )


def _times_ahead(one: Series, steps: int, dataset: Dataset) -> pl.Series | None:
    """Return the times that the step tells or, where there is none, those given in rows ahead."""
    times = continue_times(one.times, steps, dataset.spacing)
    if times is None and one.later is not None and len(one.later) >= steps:
        return one.later[:steps]
    return times


def _no_times(dataset: Dataset, frame: pl.DataFrame) -> tuple[str, ...]:
    """Return why forecasts have no time, if some have none."""
    if not frame["ds"].null_count():
        return ()
    why = "the times are irregular" if dataset.spacing else "the data have no times"
    return (f"ds is empty, as {why}",)

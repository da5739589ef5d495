"""How a trained forecaster, or a naive forecast, is kept, and how it continues other series."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import nn
from typing_extensions import TypedDict

from penstock.cells import Cell
from penstock.data import Dataset, Options, Series, Source
from penstock.data.forecasting.readers import read_series
from penstock.data.forecasting.windows import check_beside
from penstock.data.scaling import Scale
from penstock.data.series import Columns
from penstock.data.time.calendar import continue_times, in_zone
from penstock.errors import DataError
from penstock.models.forecaster import MEDIAN, QUANTILES, Forecaster
from penstock.record.checked import Count, conform, same_length
from penstock.record.structure import Structure
from penstock.tasks.codec import Codec, Evaluated
from penstock.tasks.methods import Method
from penstock.tasks.series.ahead import forecasts, refill, scales_beside
from penstock.tasks.series.backtest import backtest
from penstock.tasks.series.classical import CLASSICAL
from penstock.tasks.series.naive import NAIVE


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

    methods: Mapping[str, type[Method]] = {**NAIVE, **CLASSICAL}

    def check_spec(self, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: sizes, columns, and a scale for each beside."""
        conform(spec, ForecastSpec, "spec")
        columns = Columns(**spec["columns"])
        for name, names in (("known", columns.known), ("past", columns.beside)):
            same_length(f"spec.{name}", spec[name], columns.spread(names))
        if columns.elapsed is not None and columns.elapsed not in columns.known:
            raise DataError("spec.columns.elapsed is none of the columns known")

    def sizes(self, spec: dict[str, Any]) -> dict[str, int]:
        """Return horizon, context and season, and how many quantiles and columns there are."""
        return {
            **{name: spec[name] for name in ("horizon", "context", "season")},
            "quantiles": len(QUANTILES),
            "past": len(spec["past"]),
            "known": len(spec["known"]),
        }

    def rebuild(
        self, spec: dict[str, Any], cell: str | type[Cell], structure: Structure
    ) -> Forecaster:
        """Return an untrained `Forecaster`."""
        return Forecaster(cell, structure, spec["horizon"], len(spec["past"]), len(spec["known"]))

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
    long = [refill(one, spec) for one in dataset.series if len(one) >= context]
    short = [one.id for one in dataset.series if len(one) < context]
    if not long:
        raise DataError(
            f"{dataset.name}: the model looks at the last {context} values, "
            f"but the longest series has {max(map(len, dataset.series))}; give more rows"
        )
    known, past = scales_beside(model, spec)
    if known:
        _check_ahead(dataset, long, horizon)
    check_beside(dataset, long, known, past)
    return _frame(dataset, long, forecasts(model, long, spec)), short


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

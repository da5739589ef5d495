"""Our classical forecasts beside those of statsforecast: python benchmarks/classical.py.

Both forecast the test windows of some well-known series (at most 30 of each, evenly spread) from
the same contexts; statsforecast's methods are fitted anew on each context, ours once, on the
training part. "All before" gives statsforecast the whole series up to the window. Prints the mean
absolute scaled error (MASE), and the time that a window takes.
Needs statsforecast, statsmodels and pandas.
"""

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import statsmodels.datasets as shipped
from statsforecast.models import AutoARIMA, AutoETS, AutoTheta

from penstock.data import Dataset, read, sunspots
from penstock.tasks import find_task
from penstock.tasks.series.forecast import ForecastProblem

MOST = 30
PEERS = (AutoETS, AutoTheta, AutoARIMA)
SLOW = 12  # seasons from which AutoARIMA takes seconds a window


def series() -> Iterator[tuple[str, Dataset]]:
    """Give the sunspots, and series that statsmodels ships."""
    yield "sunspots", sunspots()
    yield "Nile", _read(shipped.nile.load_pandas().data["volume"])
    months = shipped.co2.load_pandas().data["co2"].resample("MS").mean().interpolate()
    yield "CO2", read(pl.DataFrame({"ds": months.index.to_numpy(), "y": months.to_numpy()}))
    yield "real GDP", _read(shipped.macrodata.load_pandas().data["realgdp"])
    yield "El Niño", _read(shipped.elnino.load_pandas().data.drop(columns="YEAR").stack())


def _read(values: Any) -> Dataset:
    return read(pl.DataFrame({"ds": np.arange(len(values)), "y": values.to_numpy()}))


def errors(problem: ForecastProblem, index: Sequence[int], all_before: bool) -> Iterator[str]:
    """Give the rows of statsforecast's methods."""
    test, chosen = problem.parts["test"], problem.selection
    starts = [int(test.panel.offsets[test.owner[number]]) for number in index]
    for peer in PEERS:
        if peer is AutoARIMA and (all_before or chosen.season >= SLOW):
            continue
        began, missed = time.perf_counter(), []
        for number, start in zip(index, starts, strict=True):
            end = int(test.targets[number])
            seen = test.panel.values[start if all_before else end - chosen.context : end].numpy()
            ahead = peer(season_length=chosen.season).forecast(seen, chosen.horizon)["mean"]
            missed.append(np.abs(ahead - test.panel.values[end : end + chosen.horizon].numpy()))
        took = (time.perf_counter() - began) / len(index) * 1e3
        label = f"{peer.__name__}{', all before' if all_before else ''}"
        yield f"| {label} | {_scaled(problem, missed):.3f} | {took:.0f} |"


def _scaled(problem: ForecastProblem, missed: Any) -> float:
    scale = problem.selection.scales[0].std / problem.selection.naive_errors[0]
    return float(np.mean(missed)) * scale


def main() -> None:
    """Print a table for each series."""
    warnings.filterwarnings("ignore")
    for name, data in series():
        task = find_task("forecast").prepare(data)
        problem = task.problem
        assert isinstance(problem, ForecastProblem)
        index = range(0, problem.size("test"), max(1, problem.size("test") // MOST))
        known = problem.known("test")
        print(f"\n## {name}: {len(index)} windows, horizon {problem.selection.horizon}, ", end="")
        print(f"context {problem.selection.context}, season {problem.selection.season}\n")
        print("| method | MASE | ms a window |\n|---|---|---|")
        for label, baseline in task.baselines.items():
            began = time.perf_counter()
            ahead = baseline.method.point(known.history)  # type: ignore[operator]
            took = (time.perf_counter() - began) / len(ahead) * 1e3
            missed = (ahead - known.target).abs().numpy()[list(index)]
            print(f"| {label} | {_scaled(problem, missed):.3f} | {took:.3f} |")
        for all_before in (False, True):
            for row in errors(problem, index, all_before):
                print(row, flush=True)


if __name__ == "__main__":
    main()

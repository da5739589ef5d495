"""The table of contestants, as text: for the terminal and for the report."""

from penstock.compare.results import Contestant, Results

_DASH = "–"


def columns(results: Results) -> list[tuple[str, str]]:
    """Return each column's head, and what it means."""
    score = results.metrics[0]
    spread = "mean over seeds ± half its 95 % interval" if len(results.seeds) > 1 else "one seed"
    return [
        ("contestant", f"a cell, or a naive forecast; in the order of {score}"),
        *((metric, f"{spread}, on the test windows") for metric in results.metrics),
        ("params", "learned values of the whole network"),
        ("FLOPs/step", "of matrix products in one time step of one sequence"),
        ("train s", "seconds to train one seed"),
        ("predict s", "seconds to predict all test windows"),
    ]


def rows(results: Results) -> list[list[str]]:
    """Return the cells of the table, a row a contestant."""
    return [_row(one, results.metrics) for one in results.contestants]


def _row(one: Contestant, metrics: list[str]) -> list[str]:
    is_cell = one.kind == "cell"
    lost = sum(trial.status == "diverged" for trial in one.trials)
    name = f"{one.name} ({lost} of {len(one.trials)} diverged)" if lost else one.name
    return [
        name,
        *(_error(one, metric) for metric in metrics),
        f"{one.parameters:,}" if is_cell else _DASH,
        f"{one.flops_per_step:,}" if is_cell else _DASH,
        *(f"{one.times[t]:.2g}" if t in one.times else _DASH for t in ("train", "predict")),
    ]


def _error(one: Contestant, metric: str) -> str:
    if metric not in one.metrics:
        return _DASH
    mean, interval = one.metrics[metric], one.intervals[metric]
    half = f" ± {(interval[1] - interval[0]) / 2:.2g}" if interval else ""
    return (f"{mean:.3g}" if abs(mean) < 1000 else f"{mean:,.0f}") + half

"""The pictures of a report, as plotly figures without colours of their own ground or ink."""

from typing import Any

import plotly.graph_objects as go

from penstock.compare.results import Contestant, Results

# Okabe & Ito's palette, told apart by the colour-blind, readable on white and on black.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999")
_MARGIN = {"l": 56, "r": 12, "t": 12, "b": 48}


def errors(results: Results) -> go.Figure:
    """Return each contestant's score with its interval over seeds, best on top."""
    score, figure = results.metrics[0], _figure(results.metrics[0], "")
    able = [one for one in results.contestants if one.rank]
    for one in able:
        interval = one.intervals[score]
        half = (interval[1] - interval[0]) / 2 if interval else 0
        figure.add_scatter(
            x=[one.metrics[score]],
            y=[one.name],
            error_x={"type": "data", "array": [half]} if half else None,
            mode="markers",
            marker={"color": _colour(results, one), "size": 12, "symbol": _symbol(one)},
            name=one.name,
            showlegend=False,
        )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(rangemode="tozero")
    return figure.update_layout(height=110 + 40 * len(able))


def profile(results: Results) -> go.Figure:
    """Return the score at each step ahead, a line a contestant."""
    figure = _figure("steps ahead", results.metrics[0])
    for one in results.contestants:
        if one.rank:
            steps = list(range(1, len(one.profile) + 1))
            figure.add_scatter(x=steps, y=one.profile, **_line(results, one), mode="lines+markers")
    return figure.update_yaxes(rangemode="tozero")


def example(results: Results, number: int) -> go.Figure:
    """Return one test window: what came, and each contestant's forecast."""
    shown = results.examples[number]
    figure = _figure("", shown["series"])
    times, context = shown["times"], shown["context"]
    figure.add_scatter(
        x=times, y=shown["actual"], name="actual", mode="lines", line={"width": 3, "color": "gray"}
    )
    for one in results.contestants:
        if one.rank:
            ahead = one.predictions[number]
            figure.add_scatter(x=times[context:], y=ahead, **_line(results, one), mode="lines")
    figure.add_vline(x=times[context - 1], line={"dash": "dot", "color": "gray"})
    return figure


def _figure(x: str, y: str) -> go.Figure:
    figure = go.Figure()
    return figure.update_layout(
        template="none",
        height=360,
        margin=_MARGIN,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis_title=x,
        yaxis_title=y,
        legend={"orientation": "h", "y": -0.2},
    )


def _line(results: Results, one: Contestant) -> dict[str, Any]:
    dash = "solid" if one.kind == "cell" else "dot"
    return {"name": one.name, "line": {"color": _colour(results, one), "dash": dash}}


def _colour(results: Results, one: Contestant) -> str:
    names = sorted(other.name for other in results.contestants)
    return _COLOURS[names.index(one.name) % len(_COLOURS)]


def _symbol(one: Contestant) -> str:
    return "circle" if one.kind == "cell" else "diamond-open"

"""The pictures of a report, as plotly figures without colours of their own ground or ink."""

from collections.abc import Sequence
from itertools import groupby
from math import inf
from typing import Any

import plotly.graph_objects as go

from penstock.record.contestants import CellContestant, Contestant, baselines_among, cells_among
from penstock.record.results import Record

# Okabe & Ito's palette, told apart by the colour-blind, readable on white and on black.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999")
_NAIVE_DASHES = ("dot", "dashdot", "longdash", "longdashdot")
_MARGIN = {"l": 56, "r": 12, "t": 12, "b": 44}
_AFTER = "%{{y:.4g}} after %{{x}} steps<extra>%{{fullData.name}}, seed {:d}</extra>"
_SHOWN = 3  # contestants drawn at first in crowded pictures; the legend brings the others


def errors(results: Record) -> go.Figure:
    """Return each contestant's score with its interval, best on top."""
    score, figure = results.metrics[0], blank(results.metrics[0], "")
    able = _able(results)
    for one in able:
        if isinstance(one, CellContestant):
            seeds = [trial.metrics[score] for trial in one.measured]
            figure.add_scatter(
                x=seeds,
                y=[one.name] * len(seeds),
                mode="markers",
                marker={"color": _colour(results, one), "size": 6, "opacity": 0.45},
                hovertemplate="%{x:.4g}<extra>one seed</extra>",
            )
        figure.add_scatter(
            x=[one.metrics[score]],
            y=[one.name],
            error_x=_error_bar(one, score),
            mode="markers",
            marker={"color": _colour(results, one), "size": 13, "symbol": _symbol(one)},
            hovertemplate="%{x:.4g}<extra>%{y}</extra>",
        )
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure.update_layout(height=110 + 40 * len(able), showlegend=False)


def cost(results: Record) -> go.Figure:
    """Return score against the measured time of a training step, a point a cell."""
    score = results.metrics[0]
    figure = blank("milliseconds a training step", score)
    able = _able(results)
    for one in cells_among(able):
        figure.add_scatter(
            x=[1000 * one.times["step"]],
            y=[one.metrics[score]],
            error_y=_error_bar(one, score),
            mode="markers+text",
            text=[one.name],
            textposition="top center",
            marker={"color": _colour(results, one), "size": 14},
            hovertemplate="%{x:.3g} ms, %{y:.4g}<extra>%{text}</extra>",
        )
    naive = baselines_among(able)[0]
    line = {"dash": "dot", "color": _colour(results, naive), "width": 1.5}
    figure.add_hline(
        naive.metrics[score], line=line, annotation_text=naive.name, annotation_position="top left"
    )
    figure.update_xaxes(rangemode="tozero")
    return figure.update_layout(showlegend=False)


def learning(results: Record) -> go.Figure:
    """Return the validation loss of each trial after each round of steps."""
    figure = blank("steps", "validation loss")
    for one in cells_among(results.contestants):
        for number, trial in enumerate(one.trials):
            losses = [loss for _, loss in trial.losses]
            figure.add_scatter(
                x=[k * results.budget["round_steps"] for k in range(len(losses))],
                y=losses,
                name=one.name,
                legendgroup=one.name,
                showlegend=number == 0,
                mode="lines",
                opacity=0.7,
                line={"color": _colour(results, one), "width": 1.5},
                hovertemplate=_AFTER.format(trial.seed),
            )
    return figure


def tuning(results: Record) -> go.Figure:
    """Return the best validation loss at each learning rate tried; the one chosen is filled."""
    figure = blank("learning rate", "best validation loss")
    cells = cells_among(results.contestants)
    for one in cells:
        tried = sorted(
            (t.setting.learning_rate, t.best_loss) for t in one.tuning if t.best_loss < inf
        )
        if not tried:
            continue
        rates = [rate for rate, _ in tried]
        chosen = [12 if rate == one.setting.learning_rate else 7 for rate in rates]
        symbols = [
            "circle" if rate == one.setting.learning_rate else "circle-open" for rate in rates
        ]
        figure.add_scatter(
            x=rates,
            y=[loss for _, loss in tried],
            mode="lines+markers",
            marker={"size": chosen, "symbol": symbols},
            **_line(results, one),
        )
    rates = sorted({t.setting.learning_rate for one in cells for t in one.tuning})
    return figure.update_xaxes(type="log", tickvals=rates, ticktext=[f"{r:g}" for r in rates])


def sizes(results: Record) -> go.Figure:
    """Return the best validation loss at each size tried, over all that was tried with it."""
    figure = blank("parameters of the recurrent layers", "best validation loss")
    for one in cells_among(results.contestants):
        tried = sorted((t.setting.parameters, t.best_loss) for t in one.tuning)
        best = [(size, min(loss for _, loss in of)) for size, of in groupby(tried, lambda t: t[0])]
        shown = [pair for pair in best if pair[1] < inf]
        figure.add_scatter(
            x=[size for size, _ in shown],
            y=[loss for _, loss in shown],
            mode="lines+markers",
            **_line(results, one),
        )
    named = sorted(results.budget["tried"]["parameters"])
    return figure.update_xaxes(type="log", tickvals=named, ticktext=[f"{n:,}" for n in named])


def profile(results: Record) -> go.Figure:
    """Return the score at each step ahead, or of each part, a line a contestant."""
    figure = blank(results.profile_of, results.metrics[0])
    names = results.profile_names
    mode = "lines+markers" if all(map(str.isdecimal, names)) else "markers"  # classes: no line
    for one in _able(results):
        figure.add_scatter(x=names, y=one.profile, mode=mode, **_marked(results, one))
    return figure.update_yaxes(rangemode="tozero")


def confusion(results: Record, one: Contestant) -> go.Figure:
    """Return how often each class was taken for each, as a share of its members."""
    names = results.class_names
    places = list(range(len(names)))
    shares = [[count / max(sum(row), 1) for count in row] for row in one.confusion]
    figure = blank(f"what {one.name} says", "actual").add_heatmap(
        x=places,
        y=places,
        z=shares,
        customdata=one.confusion,
        zmin=0,
        zmax=1,
        colorscale=[[0, _faint(COLOURS[0])], [1, COLOURS[0]]],
        hovertemplate="%{y} taken for %{x}: %{customdata}, %{z:.1%}<extra></extra>",
    )
    ticks = {"tickvals": places, "ticktext": names, "automargin": True}
    figure.update_xaxes(**ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    return figure.update_layout(height=max(360, 110 + 18 * len(names)))


def example(results: Record, number: int) -> go.Figure:
    """Return one test window: the actual values and each forecast."""
    shown = results.examples[number]
    names, context = shown["times"], shown["context"]
    figure, times = blank("", shown["unit"]), names
    if len({*names}) < len(names):  # letters, say: place them by number, and write them below
        times = list(range(len(names)))
        figure.update_xaxes(tickvals=times, ticktext=names)
    bars = shown["kind"] == "bars"
    if any(value is not None for value in shown["actual"]):
        gray = {"width": 3, "color": "gray"}
        _add(figure, bars, times, shown["actual"], "actual", gray)
    for place, one in enumerate(_able(results)):
        visible = True if place < _SHOWN else "legendonly"
        if one.bands and place == 0:
            _add_band(
                figure,
                times[context:],
                one.bands[number],
                _colour(results, one),
                f"interval of {one.name}",
            )
        line = _line(results, one)
        _add(figure, bars, times[context:], one.predictions[number], visible=visible, **line)
    if context and not bars:
        figure.add_vline(x=times[context - 1], line={"dash": "dot", "color": "gray"})
    if shown["levels"]:
        levels = shown["levels"]
        figure.update_yaxes(tickvals=list(range(len(levels))), ticktext=levels, automargin=True)
    return figure


def _add(
    figure: go.Figure,
    bars: bool,
    x: Sequence[Any],
    y: Sequence[Any],
    name: str,
    line: dict[str, Any],
    visible: Any = True,
) -> None:
    if bars:
        figure.add_bar(x=x, y=y, name=name, marker={"color": line["color"]}, visible=visible)
    else:
        mode = "lines" if len(x) > 1 else "markers"
        figure.add_scatter(x=x, y=y, name=name, mode=mode, line=line, visible=visible)


def _add_band(
    figure: go.Figure, x: Sequence[Any], band: Sequence[Any], colour: str, name: str
) -> None:
    low, high = ([bounds[side] for bounds in band] for side in (0, 1))
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_scatter(x=x, y=low, showlegend=False, **edge)
    figure.add_scatter(x=x, y=high, fill="tonexty", fillcolor=_faint(colour), name=name, **edge)


def blank(x: str, y: str) -> go.Figure:
    """Return a figure with nothing but its axes' names."""
    return go.Figure().update_layout(
        template="none",
        height=360,
        margin=_MARGIN,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis_title=x,
        yaxis_title=y,
        hoverlabel={"namelength": -1},
    )


def _able(results: Record) -> list[Contestant]:
    return [one for one in results.contestants if one.rank]


def _error_bar(one: Contestant, score: str) -> dict[str, Any] | None:
    interval = one.intervals[score]
    half = (interval[1] - interval[0]) / 2 if interval else 0
    return {"type": "data", "array": [half], "thickness": 2} if half else None


def _line(results: Record, one: Contestant) -> dict[str, Any]:
    dash = "solid" if one.kind == "cell" else _NAIVE_DASHES[_place(results, one) % 4]
    return {"name": one.name, "line": {"color": _colour(results, one), "dash": dash}}


def _marked(results: Record, one: Contestant) -> dict[str, Any]:
    marker = {"size": 9, "symbol": _symbol(one), "color": _colour(results, one)}
    return {**_line(results, one), "marker": marker}


def _colour(results: Record, one: Contestant) -> str:
    return COLOURS[_place(results, one) % len(COLOURS)]


def _place(results: Record, one: Contestant) -> int:
    """Return a number that a name keeps whatever its rank, cells first."""
    return sorted((c.kind != "cell", c.name) for c in results.contestants).index(
        (one.kind != "cell", one.name)
    )


def _symbol(one: Contestant) -> str:
    return "circle" if one.kind == "cell" else "diamond-open"


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"

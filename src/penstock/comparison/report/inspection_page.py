"""An inspection as one HTML file that opens offline, and as a table in words."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from torch import Tensor

from penstock._version import __version__
from penstock.comparison.inspection import Inspection
from penstock.comparison.report.figures import COLOURS, blank
from penstock.inspect.gates import NEAR, gate_statistics
from penstock.record import markup
from penstock.record.markup import Figure, Grid

_BACK = "steps back from the last"


def summary(inspection: Inspection) -> list[tuple[str, str]]:
    """Return the main figures, each with what it is of."""
    flow, span, norms = inspection.flow, inspection.effects.span, sorted(inspection.descent.norms)
    cut = max(
        (p for p in inspection.pruned if p.quality <= _limit(inspection)), key=lambda p: p.share
    )
    return [
        ("gradient ‖∂h_T/∂h_t‖ grows", f"× {flow.growth:.4g} a step back{_kind(flow.growth)}"),
        ("memory span, to 1/e", _steps(span(), inspection)),
        ("memory span, to 1 %", _steps(span(0.01), inspection)),
        ("gradient norms in training", f"{norms[0]:.3g} to {norms[-1]:.3g}"),
        ("batches clipped at norm 1", f"{100 * inspection.descent.clipped(1.0):.0f} %"),
        (
            f"pruned at most, at 5 % more {inspection.metric}",
            f"{100 * cut.share:.0f} % of the weights: {cut.bytes:,} bytes "
            f"instead of {inspection.pruned[0].bytes:,}",
        ),
    ]


def gate_rows(inspection: Inspection) -> list[list[str]]:
    """Return layer, gate, mean, and shares near 0 and 1, over the traced window and all units."""
    rows = []
    for number, layer in enumerate(inspection.gates):
        for name, one in gate_statistics({n: v[:, None] for n, v in layer.items()}).items():
            shares = (one.mean, one.near_zero, one.near_one)
            rows.append([str(number), name, *(f"{float(s.mean()):.2f}" for s in shares)])
    return rows


GATE_HEADS = ("layer", "gate", "mean", f"below {NEAR:g}", f"above {1 - NEAR:g}")


def render(inspection: Inspection) -> str:
    """Return the page."""
    about = inspection.about
    return markup.page(
        "inspection.html",
        f"What {about['name']} does",
        f"{about['name']} with {about['structure']['width']} hidden units · "
        f"{about['task']} on {inspection.data}",
        f"Made by Penstock {__version__} with penstock inspect.",
        summary=summary(inspection),
        window=inspection.window,
        gates=Grid("Gates", GATE_HEADS, gate_rows(inspection)),
        figures=[*_curves(inspection), *_gate_figures(inspection)],
    )


def _curves(inspection: Inspection) -> Iterator[Figure]:
    steps = list(range(len(inspection.effects.effects)))
    flows = {"‖∂h_T/∂h_t‖": inspection.flow.norms, "‖∂loss/∂h_t‖": inspection.loss.norms}
    drawn = _lines(_BACK, "norm", flows)
    rows = [[str(k), *(f"{n[k]:.3g}" for n in flows.values())] for k in steps]
    caption = "Gradients on their way back. A straight line down: they vanish; up: they explode."
    yield Figure("flow", drawn, caption, Grid("Norms", [_BACK, *flows], rows))
    drawn = _lines(_BACK, "effect", {"‖∂o_T/∂x_t‖": inspection.effects.effects})
    rows = [[str(k), f"{inspection.effects.effects[k]:.3g}"] for k in steps]
    caption = "How much a small change of each input changes the last output."
    yield Figure("memory", drawn, caption, Grid("Effects", [_BACK, "effect"], rows))
    yield _pruning(inspection)
    norms = sorted(inspection.descent.norms)
    drawn = blank("threshold of the norm", "share of batches clipped")
    shares = [100 * inspection.descent.clipped(norm) for norm in norms]
    drawn.add_scatter(x=norms, y=shares, mode="lines", line={"color": COLOURS[0], "shape": "hv"})
    drawn.update_layout(showlegend=False, yaxis={"ticksuffix": " %"})
    caption = "The norms of training batches' gradients, and how many a threshold would clip."
    yield Figure("clipping", drawn, caption)


def _pruning(inspection: Inspection) -> Figure:
    drawn = blank("share of weights removed", inspection.metric)
    shares = [100 * p.share for p in inspection.pruned]
    drawn.add_scatter(
        x=shares, y=[p.quality for p in inspection.pruned], line={"color": COLOURS[0]}
    )
    drawn.update_layout(showlegend=False, xaxis={"ticksuffix": " %"})
    rows = [
        [f"{100 * p.share:.0f} %", f"{p.quality:.4g}", f"{p.left:,}", f"{p.bytes:,}"]
        for p in inspection.pruned
    ]
    heads = ["removed", inspection.metric, "values left", "bytes"]
    caption = "The smallest weights removed without training again. Lower is better."
    return Figure("pruning", drawn, caption, Grid("Pruning", heads, rows))


def _gate_figures(inspection: Inspection) -> Iterator[Figure]:
    for number, layer in enumerate(inspection.gates):
        for place, (name, values) in enumerate(layer.items()):
            caption = f"Layer {number}, {name}: a row a unit, over the steps of the window."
            yield Figure(f"gate-{number}-{place}", _heat(values), caption)


def _heat(values: Tensor) -> go.Figure:
    """Return values [T, S] as a heat map: those of a gate from 0 to 1, others around 0."""
    most = float(values.abs().max()) or 1.0
    gate = bool(((values >= 0) & (values <= 1)).all())
    scale: dict[str, Any] = {"colorscale": "Viridis", "zmin": 0, "zmax": 1}
    if not gate:
        scale = {"colorscale": "RdBu", "zmin": -most, "zmax": most}
    drawn = blank("step", "unit")
    rows = [[float(f"{v:.4g}") for v in row] for row in values.T.tolist()]
    return drawn.add_heatmap(z=rows, **scale).update_layout(showlegend=False)


def _lines(x: str, y: str, lines: Mapping[str, Sequence[float]]) -> go.Figure:
    drawn = blank(x, y).update_yaxes(type="log", exponentformat="power")
    for place, (name, values) in enumerate(lines.items()):
        steps = list(range(len(values)))
        shown = [value if value > 0 else None for value in values]
        drawn.add_scatter(x=steps, y=shown, name=name, line={"color": COLOURS[place]})
    return drawn.update_layout(showlegend=len(lines) > 1)


def _limit(inspection: Inspection) -> float:
    """Return the quality that pruning may not go beyond: 5 % more than without."""
    whole = inspection.pruned[0].quality
    return whole + 0.05 * abs(whole)


def _kind(growth: float) -> str:
    if math.isnan(growth) or 0.98 <= growth <= 1.02:
        return ""
    return " (it vanishes)" if growth < 1 else " (it explodes)"


def _steps(span: float, inspection: Inspection) -> str:
    return (
        f"over {len(inspection.effects.effects) - 1} steps"
        if span == math.inf
        else f"{span:.3g} steps"
    )

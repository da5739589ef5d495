"""results.json → report.html: one file that opens offline. Needs no torch."""

from collections.abc import Iterable
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from penstock.atomic import replacing
from penstock.compare import figures, table
from penstock.compare.results import Results, load_results


def write_report(results: Results, path: Path) -> None:
    """Write the report, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(render(results), "utf-8")


def rebuild_report(folder: Path) -> None:
    """Write the report of a comparison's folder anew from its results.json.

    Raises:
        DataError: there is no results.json of this schema.
    """
    write_report(load_results(folder / "results.json"), folder / "report.html")


def render(results: Results) -> str:
    """Return the report as HTML."""
    page = Template((resources.files("penstock.compare") / "report.html").read_text("utf-8"))
    head, *reasons = results.verdict.sentences
    return page.substitute(
        data=escape(results.data["name"]),
        verdict=escape(head),
        reasons=_list(reasons),
        table=_table(
            "The contestants", [head for head, _ in table.columns(results)], table.rows(results)
        ),
        legend=_list(f"{head}: {meaning}" for head, meaning in table.columns(results)),
        errors=_errors(results),
        profile=_profile(results),
        examples="".join(_example(results, n) for n in range(len(results.examples))),
        setup=_setup(results),
        plotly=get_plotlyjs(),
    )


def _errors(results: Results) -> str:
    score = results.metrics[0]
    caption = (
        f"{score} of each contestant with its 95 % interval over seeds (no bar: one seed, or a "
        "naive forecast). Lower is better. Circles are cells, diamonds naive forecasts."
    )
    return _figure("errors", figures.errors(results), caption)


def _profile(results: Results) -> str:
    able = [one for one in results.contestants if one.rank]
    steps = range(len(able[0].profile))
    values = [[str(k + 1), *(f"{one.profile[k]:.4g}" for one in able)] for k in steps]
    caption = f"{results.metrics[0]} by step ahead: how the error grows with the horizon."
    numbers = _table("Errors by step ahead", ["step", *(one.name for one in able)], values)
    return _figure("profile", figures.profile(results), caption, numbers)


def _example(results: Results, number: int) -> str:
    shown, able = results.examples[number], [c for c in results.contestants if c.rank]
    start = shown["context"]
    rows = [
        [time, "–" if actual is None else f"{actual:.4g}"]
        + [f"{one.predictions[number][k]:.4g}" for one in able]
        for k, (time, actual) in enumerate(
            zip(shown["times"][start:], shown["actual"][start:], strict=True)
        )
    ]
    caption = (
        f"Test window {number + 1}, series {shown['series']}: the last known value at "
        f"{shown['times'][start - 1]} (dotted line), then what came and each forecast."
    )
    numbers = _table(
        f"Test window {number + 1}", ["time", "actual", *(one.name for one in able)], rows
    )
    return _figure(f"example-{number}", figures.example(results, number), caption, numbers)


def _figure(name: str, figure: go.Figure, caption: str, numbers: str = "") -> str:
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=name,
        config={"responsive": True, "displayModeBar": False},
    )
    values = f"<details><summary>The numbers</summary>{numbers}</details>" if numbers else ""
    return (
        f'<figure aria-labelledby="{name}-caption"><figcaption id="{name}-caption">'
        f"{escape(caption)}</figcaption>{drawn}{values}</figure>"
    )


def _table(label: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide" role="region" aria-label="{escape(label)}" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _setup(results: Results) -> str:
    facts = {**results.data, **results.settings, **results.budget, **results.versions}
    del facts["sha256"]
    seeds = f"seeds: {', '.join(map(str, results.seeds))}"
    return _list([*results.notes, seeds, *(f"{name}: {value}" for name, value in facts.items())])

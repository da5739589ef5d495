"""The parts of a page as HTML: every word is escaped here."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from string import Template

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs


def page(title: str, about: str, main: str, origin: str) -> str:
    """Return a whole page that opens offline; `main` is HTML."""
    template = Template((resources.files("penstock.compare") / "page.html").read_text("utf-8"))
    words = {name: escape(text) for name, text in (("title", title), ("about", about))}
    return template.substitute(words, main=main, origin=escape(origin), plotly=get_plotlyjs())


def figure(name: str, drawn: go.Figure, caption: str, numbers: str = "") -> str:
    """Return a picture, for the page's script to draw, its caption, and its numbers folded."""
    data = (drawn.to_json() or "").replace("<", "\\u003c")  # no name in it ends the script
    values = folded("The numbers", numbers) if numbers else ""
    return (
        f'<figure aria-labelledby="{name}-caption"><figcaption id="{name}-caption">'
        f'{escape(caption)}</figcaption><div class="plot" id="{name}" role="img" '
        f'aria-labelledby="{name}-caption"></div>'
        f'<script type="application/json">{data}</script>{values}</figure>'
    )


def folded(summary: str, inside: str) -> str:
    """Return what can be folded out; `inside` is HTML."""
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>"


def table(
    label: str, heads: Sequence[str], rows: Iterable[Sequence[str]], kinds: Sequence[str] = ()
) -> str:
    """Return a table whose columns can be sorted; `kinds` are the classes of its rows."""
    head = "".join(
        f'<th scope="col"><button type="button">{escape(cell)}</button></th>' for cell in heads
    )
    body = "".join(
        f'<tr class="{kind}">'
        + "".join(_cell(cell, place) for place, cell in enumerate(row))
        + "</tr>"
        for row, kind in zip(rows, kinds or _nothing(), strict=False)
    )
    return (
        f'<div class="wide" role="region" aria-label="{escape(label)}" tabindex="0">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def pairs(items: Iterable[tuple[str, str]]) -> str:
    """Return names with what they stand for."""
    rows = (
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>'
        for name, text in items
    )
    return f'<table class="facts"><tbody>{"".join(rows)}</tbody></table>'


def bullets(items: Iterable[str]) -> str:
    """Return a list."""
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _cell(text: str, place: int) -> str:
    if place == 0:
        return f'<th scope="row">{escape(text)}</th>'
    return f"<td>{escape(text)}</td>"


def _nothing() -> Iterable[str]:
    while True:
        yield ""

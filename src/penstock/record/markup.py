"""Pages as HTML that open offline: templates escape every word, and only our own scripts run.

The templates are the files in `templates/`. Jinja2 escapes what they are given; a Content-Security-
Policy names by their hashes the scripts and the style that the page was made with, and nothing is
loaded from anywhere.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib import resources
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from penstock import plain

_NOTHING = Markup("")  # plotly adds a style that is empty, and fills it with rules


@dataclass(frozen=True)
class Grid:
    """A table whose columns can be sorted.

    Attributes:
        label: what it is of.
        heads: of its columns.
        rows: of texts; the first of each is its head.
        kinds: the classes of its rows, none if left out.
    """

    label: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    kinds: Sequence[str] = ()


@dataclass(frozen=True)
class Figure:
    """A picture, for the page's script to draw.

    Attributes:
        name: its id in the page.
        drawn: the picture; every string in it but a template of ours is taken for text.
        caption: what it shows.
        numbers: its values, folded below it.
    """

    name: str
    drawn: go.Figure
    caption: str
    numbers: Grid | None = None

    @property
    def data(self) -> Markup:
        """The picture as JSON that nothing in it can end before its time."""
        data = json.dumps(_as_text(json.loads(self.drawn.to_json() or "")), ensure_ascii=True)
        return Markup(data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def page(template: str, title: str, about: str, origin: str, **parts: Any) -> str:
    """Return a whole page by the template of that name."""
    plotly, script, style = (
        Markup(text) for text in (_plotly(), _file("page.js"), _file("page.css"))
    )
    values = {"title": title, "about": about, "origin": origin, **parts}
    return _environment().get_template(template).render(
        values, plotly=plotly, script=script, style=style,
        policy=_policy([plotly, script], [style, _NOTHING]),
    )  # fmt: skip


def fragment(template: str, **parts: Any) -> str:
    """Return a part of a page, without scripts or a style, by the template of that name."""
    return _environment().get_template(template).render(parts)


def _policy(scripts: Sequence[str], styles: Sequence[str]) -> str:
    """Return the rule that nothing but these scripts and styles counts, and nothing is loaded."""
    allowed = {
        "default-src": "'none'",
        "script-src": " ".join(map(_digest, scripts)),
        "style-src": " ".join(map(_digest, styles)),
        "style-src-attr": "'unsafe-inline'",  # plotly's, on a heat map; those that load are refused
        "img-src": "data:",  # heat maps
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{what} {sources}" for what, sources in allowed.items())


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@lru_cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_file),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    """Return a value as a template shows it: what no page can hold is spelled out."""
    return plain.lines(value) if type(value) is str else value


def _file(name: str) -> str:
    return (resources.files("penstock.record") / "templates" / name).read_text("utf-8")


@lru_cache
def _plotly() -> str:
    return str(get_plotlyjs()).replace("\r\n", "\n").replace("\r", "\n")  # as a browser reads it


def _as_text(value: Any) -> Any:
    """Return a picture in whose strings plotly finds no tags, as it would draw links of them."""
    if isinstance(value, dict):
        return {k: v if k == "hovertemplate" else _as_text(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return escape(plain.one_line(value), quote=False) if isinstance(value, str) else value

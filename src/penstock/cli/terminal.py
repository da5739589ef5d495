"""All that the command line prints: names from data and files are text here, never commands."""

from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from penstock import plain


def say(text: str, *, error: bool = False, newline: bool = True) -> None:
    """Print lines; what a terminal would obey in them is spelled out."""
    typer.echo(plain.lines(text), err=error, nl=newline)


def console(*, error: bool = False) -> Console:
    """Return a console for tables and wrapped lines, with the same care."""
    return _Plain(stderr=error, highlight=False, markup=False, emoji=False)


class _Plain(Console):
    """Where rich turns a string into text, no sign in it is obeyed."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain.lines(text), **options)

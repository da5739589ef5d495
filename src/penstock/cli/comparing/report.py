"""`penstock report`: a comparison's reports, made anew."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import terminal


def report(
    folder: Annotated[Path, typer.Argument(help="The folder that compare left.")] = Path(
        "penstock-compare"
    ),
) -> None:
    """Write report.html, report.md and results.csv anew from results.json; nothing is trained."""
    from penstock.comparison.report.report import rebuild_reports  # noqa: PLC0415  (plotly takes a second)

    rebuild_reports(folder)
    terminal.say(f"Written to {folder}: report.html, report.md, results.csv")

"""`penstock report`: a comparison's reports, made anew; of several, what they say together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from penstock import plain
from penstock.cli import terminal
from penstock.errors import ArgumentError
from penstock.record.contestants import Bounds
from penstock.record.reading import load_results


def report(
    folders: Annotated[
        list[Path], typer.Argument(help="The folder that compare left, or several.")
    ] = [Path("penstock-compare")],  # noqa: B006  (typer makes a list of its own)
) -> None:
    """Write report.html, report.md and results.csv anew from results.json; nothing is trained.

    Of several comparisons of one task, on different data, print what they say together: how often
    each contestant wins, and its skill beside a baseline.
    """
    if len(folders) > 1:
        _show_together(folders)
        return
    from penstock.comparison.report.report import rebuild_reports  # noqa: PLC0415  (plotly takes a second)

    rebuild_reports(folders[0])
    terminal.say(f"Written to {folders[0]}: report.html, report.md, results.csv")


def _show_together(folders: Sequence[Path]) -> None:
    """Print a table of all contestants over the data sets."""
    from penstock.comparison.judging.skill import skills  # noqa: PLC0415  (numpy)

    if len({folder.resolve() for folder in folders}) < len(folders):
        raise ArgumentError("a folder is given twice; give each comparison once")
    records = {str(folder): load_results(folder / "results.json") for folder in folders}
    together = skills(records)
    console = terminal.console()
    console.print(
        f"{len(records)} data sets, by {together.score}. Wins: over another contestant, on "
        f"average. Skill: 1 − the error beside that of '{plain.one_line(together.beside)}' "
        "(geometric mean). In brackets 95 % intervals for other data sets of the kind."
    )
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    grid.add_column("contestant")
    for head in ("wins", "skill"):
        grid.add_column(head, justify="right", no_wrap=True)
    for one in together.contestants:
        wins = _with_interval(one.wins, one.wins_interval)
        grid.add_row(plain.one_line(one.name), wins, _with_interval(one.skill, one.skill_interval))
    console.print(grid)
    if together.contestants[0].skill_interval is None:
        console.print("For intervals give five comparisons or more.")
    if together.left_out:
        names = ", ".join(map(plain.one_line, together.left_out))
        console.print(f"Left out, as not measured on all: {names}.", style="yellow")


def _with_interval(value: float, bounds: Bounds | None) -> str:
    around = "" if bounds is None else f" ({bounds[0]:.2f} to {bounds[1]:.2f})"
    return f"{value:.2f}{around}"

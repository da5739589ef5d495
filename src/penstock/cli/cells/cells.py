"""`penstock cells`: the cells there are."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import terminal

if TYPE_CHECKING:
    from penstock.explain.describe import Description

_LEGEND = (
    "A step's recurrence: matrix products side by side; a chain of them that wait for one "
    "another; elementwise, without any; or linear in the state and elementwise, so that time can "
    "be walked in parallel. `penstock explain CELL` says more of a cell."
)


def cells(
    input_size: Annotated[int, typer.Option(min=1, help="I, for the parameters.")] = 128,
    hidden_size: Annotated[int, typer.Option(min=1, help="H, for the parameters.")] = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """List the cells: paper, states, gates, parameters, and the kind of their recurrence."""
    from penstock.cells import cells as find_cells  # noqa: PLC0415  (torch takes seconds)
    from penstock.explain.describe import Description  # noqa: PLC0415

    described = [Description(cell, input_size, hidden_size) for cell in find_cells().values()]
    if as_json:
        terminal.say(json.dumps([_facts(cell) for cell in described], indent=1, ensure_ascii=False))
    else:
        _show(described)


def _facts(cell: "Description") -> dict[str, Any]:
    return {
        "name": cell.name,
        "title": cell.about.title,
        "paper": cell.about.paper,
        "year": cell.about.year,
        "states": list(cell.cell.states),
        "gates": cell.gates,
        "parameters": int(cell.parameters),
        "recurrence": "unknown" if cell.why_not_compiled else cell.recurrence.name,
    }


def _show(described: "list[Description]") -> None:
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = terminal.console()
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    grid.add_column("cell", no_wrap=True)
    grid.add_column("author", no_wrap=True, max_width=12)
    grid.add_column("year", min_width=4)
    grid.add_column("states", min_width=7, max_width=7)
    grid.add_column("gates", min_width=5, justify="right")
    grid.add_column("weights", no_wrap=True, justify="right")
    grid.add_column("recurrence", no_wrap=True)
    for cell in described:
        facts = _facts(cell)
        row = [cell.about.first_author, str(facts["year"] or ""), " ".join(facts["states"])]
        row += [str(facts["gates"]), f"{facts['parameters']:,}", facts["recurrence"]]
        grid.add_row(cell.name, *row)
    console.print(grid)
    sizes = f"I = {described[0].place.input_size}, H = {described[0].place.hidden_size}"
    console.print(f"\n{len(described)} cells; the weights are those of one layer with {sizes}.")
    console.print(_LEGEND)

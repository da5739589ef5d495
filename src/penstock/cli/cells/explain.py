"""`penstock explain`: a cell's equations, shapes and costs."""

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import terminal
from penstock.cli.cells._named import CellName

if TYPE_CHECKING:
    from rich.console import Console

    from penstock.explain.describe import Description

_COUNTED = (
    "A multiply-add is 2 FLOPs, any other operation on a number 1, tanh, σ and exp too. A sequence "
    "of T steps of B rows takes T·B times the FLOPs of a step. A step moves the weights that it "
    "reads once for all rows."
)


def explain(
    cell: CellName,
    input_size: Annotated[int, typer.Option(min=1, help="I, for the figures.")] = 128,
    hidden_size: Annotated[int, typer.Option(min=1, help="H, for the figures.")] = 256,
    batch: Annotated[int, typer.Option(min=1, help="B, for the figures.")] = 1,
    latex: Annotated[bool, typer.Option("--latex", help="Print the equations as LaTeX.")] = False,
) -> None:
    """Explain a cell: equations, shapes, parameters, FLOPs and bytes, kind of recurrence."""
    from penstock.cells import find_cell  # noqa: PLC0415

    kind = find_cell(cell)

    from penstock.explain.describe import Description  # noqa: PLC0415  (torch takes seconds)

    described = Description(kind, input_size, hidden_size, batch)
    if latex:
        terminal.say(described.latex)
    else:
        _show(described, terminal.console())


def _show(cell: "Description", console: "Console") -> None:
    console.print(f"{cell.name}: {cell.about.title}", style="bold")
    if cell.about.paper:
        console.print(cell.about.paper)
    for remark in cell.about.remarks:
        console.print(f"\n{remark}")
    _equations(cell, console)
    if (why := cell.why_not_compiled) is not None:
        console.print(f"\nNothing is counted, because {why}")
        return
    _title(console, "Recurrence")
    console.print(f"  {cell.recurrence.sentence}")
    _title(console, "Shapes, for T steps of B rows")
    _table(console, cell.shapes())
    _costs(cell, console)


def _equations(cell: "Description", console: "Console") -> None:
    _title(console, "Equations")
    for head, group in cell.equations:
        if head:
            console.print(f"  {head}:", style="italic")
        for equation in group:
            lines = textwrap.wrap(equation.text, console.width - 8) or [""]
            console.print(textwrap.indent("\n    ".join(lines), "  "), soft_wrap=True)
    console.print()
    _table(console, cell.glossary())


def _costs(cell: "Description", console: "Console") -> None:
    from penstock.explain.describe import formula  # noqa: PLC0415

    for title, rows in (
        ("Parameters", cell.parameter_rows()),
        ("FLOPs of a step, for one row", cell.flops_rows()),
        ("Bytes in float32", cell.bytes_rows()),
    ):
        _title(console, title)
        _table(console, ((r.label, formula(r.formula), formula(r.value)) for r in rows), True)
    sizes = ", ".join(f"{symbol} = {size}" for symbol, size in cell.sizes.items())
    console.print(f"\nThe figures are for {sizes}. {_COUNTED}")


def _title(console: "Console", text: str) -> None:
    console.print(f"\n{text}", style="bold")


def _table(console: "Console", rows: Iterable[tuple[str, ...]], figures: bool = False) -> None:
    """Print rows in columns, the last to the right where it holds figures."""
    from rich.table import Table  # noqa: PLC0415

    given = list(rows)
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for k in range(len(given[0])):
        last = k == len(given[0]) - 1
        grid.add_column(justify="right" if last and figures else "left", no_wrap=k == 0)
    for row in given:
        grid.add_row(f"  {row[0]}", *row[1:])
    with console.capture() as captured:
        console.print(grid)
    lines = (line.rstrip() for line in captured.get().splitlines())  # rich fills columns up
    console.print("\n".join(lines), soft_wrap=True)

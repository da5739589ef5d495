"""`penstock show`: what the compiler makes of a cell, stage by stage."""

from enum import StrEnum
from typing import Annotated

import typer

from penstock.cli import terminal
from penstock.cli.cells._named import CellName


class Shown(StrEnum):
    """What can be shown."""

    graph = "graph"
    backward = "backward"
    plan = "plan"
    c = "c"


def show(
    cell: CellName,
    stage: Annotated[
        Shown,
        typer.Option(
            help="One step as nodes; its gradient; the plan of both loops; the C of both."
        ),
    ] = Shown.graph,
    upper: Annotated[bool, typer.Option(help="As in a layer above another.")] = False,
) -> None:
    """Print a cell as the compiler sees it at one stage."""
    from penstock.cells import find_cell  # noqa: PLC0415

    kind = find_cell(cell)

    from penstock.cells import Place  # noqa: PLC0415  (torch takes seconds)
    from penstock.compiler import pipeline  # noqa: PLC0415
    from penstock.compiler.backends.c.source import generated  # noqa: PLC0415

    # No size stands in a graph or a kernel: one serves all.
    lowered = pipeline.lower(kind(), Place(3, 5, lowest=not upper))
    texts = {
        Shown.graph: lambda: str(lowered.hoisted),
        Shown.backward: lambda: str(lowered.backward),
        Shown.plan: lambda: str(lowered.plan),
        Shown.c: lambda: generated(lowered.plan),
    }
    terminal.say(texts[stage]())

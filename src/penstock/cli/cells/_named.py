"""How a cell is named on the command line."""

from typing import Annotated

import typer

CellName = Annotated[
    str,
    typer.Argument(
        help="A cell's name (`penstock cells` lists them), or one of your own: file.py:MyCell."
    ),
]

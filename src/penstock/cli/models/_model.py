"""The model and the data that a command is given, and what is said of their use."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import terminal
from penstock.errors import ArgumentError

if TYPE_CHECKING:
    from penstock.comparison.keeping.model import Model
    from penstock.data.files import Source

ModelPath = Annotated[
    Path, typer.Argument(help="models/<cell>.json, or the folder that compare left.")
]
OwnCell = Annotated[
    str | None,
    typer.Option(help="The model's cell, if it is your own: file.py:MyCell. The file is run."),
]


def opened(model: Path, data: Path, cell: str | None) -> "tuple[Model, Source]":
    """Return a model and other data; what is wrong with either is said before torch is imported.

    Raises:
        ModelFileError: there is no such model, or its files are damaged.
        DataError: the data cannot be read.
        ArgumentError: the user's own cell is not in the file.
    """
    from penstock.comparison.keeping.folder import find_model  # noqa: PLC0415
    from penstock.data.understanding.describe import source_of  # noqa: PLC0415

    check_own(cell)
    path, source = find_model(model), source_of(data)

    from penstock.comparison.keeping.model import load  # noqa: PLC0415  (torch takes seconds)

    define(cell)
    return load(path), source


def check_own(cell: str | None) -> None:
    """Raise unless `--cell` names a file that can be opened.

    Raises:
        ArgumentError: it does not.
    """
    from penstock.cells import check_name, is_in_file  # noqa: PLC0415

    if cell is not None:
        if not is_in_file(cell):
            raise ArgumentError(f"--cell is {cell!r}; give file.py:MyCell")
        check_name(cell)


def define(cell: str | None) -> None:
    """Run the file of a user's own cell, so that a model of it can be loaded."""
    from penstock.cells import find_cell  # noqa: PLC0415

    if cell is not None:
        find_cell(cell)


def say_use(did: str, model: Path, used: "Model", notes: Iterable[str]) -> None:
    """Say, beside the output, which model was chosen from a folder, and the notes on its use."""
    chosen = [f"{did} {used.name}, which the verdict says to take"] if model.is_dir() else []
    for line in (*chosen, *notes):
        terminal.say(f"penstock: {line}", error=True)

"""`penstock evaluate`: how good a trained model is on other data."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import terminal
from penstock.cli.models._model import ModelPath, OwnCell, opened, say_use


def evaluate(
    model: ModelPath,
    data: Annotated[Path, typer.Argument(help="A file with what is to be predicted in it.")],
    cell: OwnCell = None,
) -> None:
    """Print how good a model is on other data: the metrics of its task, one a line."""
    used, source = opened(model, data, cell)

    from penstock.comparison.report.table import number  # noqa: PLC0415

    metrics, notes = used.measure(source)
    say_use("measured is", model, used, notes)
    width = max(map(len, metrics))
    for name, value in metrics.items():
        terminal.say(f"{name:{width}}  {number(value)}")

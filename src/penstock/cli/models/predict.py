"""`penstock predict`: use a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import terminal
from penstock.cli.models._model import ModelPath, OwnCell, opened, say_use
from penstock.cli.models._output import check_output


def predict(
    model: ModelPath,
    data: Annotated[Path, typer.Argument(help="A file of the kind that the model learned from.")],
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write; printed if left out.")
    ] = None,
    cell: OwnCell = None,
) -> None:
    """Print what a model makes of other data, as CSV: of series, what comes after their ends."""
    if out is not None:
        check_output(out, model, data)
    used, source = opened(model, data, cell)

    from penstock.atomic import write  # noqa: PLC0415
    from penstock.comparison.report.exports import csv_of  # noqa: PLC0415

    frame, notes = used.apply(source)
    say_use("predicted by", model, used, notes)
    text = csv_of(frame)
    if out is None:
        terminal.say(text, newline=False)
    else:
        write(out, text)

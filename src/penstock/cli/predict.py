"""`penstock predict`: use a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import _terminal
from penstock.cli._output import check_output


def predict(
    model: Annotated[
        Path, typer.Argument(help="models/<cell>.json, or the folder that compare left.")
    ],
    data: Annotated[Path, typer.Argument(help="A file of the kind that the model learned from.")],
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write; printed if left out.")
    ] = None,
) -> None:
    """Print what a model makes of other data, as CSV: of series, what comes after their ends."""
    from penstock.comparison.folder import find_model  # noqa: PLC0415
    from penstock.data.understanding.describe import source_of  # noqa: PLC0415

    if out is not None:
        check_output(out, model, data)
    path, source = find_model(model), source_of(data)

    from penstock.atomic import write  # noqa: PLC0415
    from penstock.comparison.models import load  # noqa: PLC0415  (torch takes seconds)
    from penstock.comparison.report.exports import csv_of  # noqa: PLC0415

    loaded = load(path)
    frame, notes = loaded.apply(source)
    if model.is_dir():
        _terminal.say(
            f"penstock: predicted by {loaded.name}, which the verdict says to take", error=True
        )
    for note in notes:
        _terminal.say(f"penstock: {note}", error=True)
    text = csv_of(frame)
    if out is None:
        _terminal.say(text, newline=False)
        return
    write(out, text)

"""`penstock evaluate`: how good a trained model is on other data."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import _terminal


def evaluate(
    model: Annotated[
        Path, typer.Argument(help="models/<cell>.json, or the folder that compare left.")
    ],
    data: Annotated[Path, typer.Argument(help="A file with what is to be predicted in it.")],
) -> None:
    """Print how good a model is on other data: the metrics of its task, one a line."""
    from penstock.comparison.folder import find_model  # noqa: PLC0415
    from penstock.data.understanding.describe import source_of  # noqa: PLC0415

    path, source = find_model(model), source_of(data)

    from penstock.comparison.models import load  # noqa: PLC0415  (torch takes seconds)
    from penstock.comparison.report.table import number  # noqa: PLC0415

    loaded = load(path)
    metrics, notes = loaded.measure(source)
    if model.is_dir():
        _terminal.say(
            f"penstock: measured is {loaded.name}, which the verdict says to take", error=True
        )
    for note in notes:
        _terminal.say(f"penstock: {note}", error=True)
    width = max(map(len, metrics))
    for name, value in metrics.items():
        _terminal.say(f"{name:{width}}  {number(value)}")

"""`penstock describe`: what data hold, before anything is trained."""

import json
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.comparing._reading import DataPath, ReadingOptions, with_reading
from penstock.cli.terminal import say


@with_reading
def describe(
    reading: ReadingOptions,
    data: DataPath = Path("sunspots"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Say what data hold: task, series, times, roles of columns, and what looks odd."""
    understood = reading.read(data, reading.task).understood
    say(json.dumps(understood.record(), indent=1) if as_json else str(understood))

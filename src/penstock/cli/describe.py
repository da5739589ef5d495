"""`penstock describe`: what data hold, before anything is trained."""

import json
from pathlib import Path
from typing import Annotated

import typer

_SEVERAL = "with commas between, or the option repeated."


def describe(
    data: Annotated[
        str, typer.Argument(help="A file, a folder of files, or the name of a sample.")
    ] = "sunspots",
    task: Annotated[
        str | None, typer.Option(help="What to learn; told by the data if left out.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help=f"Columns to learn: values or labels, {_SEVERAL}")
    ] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast.")] = None,
    id_column: Annotated[str | None, typer.Option("--id", help="Column of series ids.")] = None,
    time_column: Annotated[
        str | None, typer.Option("--time-column", help="Column of times; two as Date,Time.")
    ] = None,
    known: Annotated[
        list[str] | None, typer.Option(help=f"Columns known ahead of time, {_SEVERAL}")
    ] = None,
    past: Annotated[
        list[str] | None, typer.Option(help=f"Columns known up to now, {_SEVERAL}")
    ] = None,
    static: Annotated[
        list[str] | None, typer.Option(help=f"Columns that stay the same in a series, {_SEVERAL}")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Column that says train, validation or test.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="File with the test part.")] = None,
    validation: Annotated[Path | None, typer.Option(help="File with the validation part.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of what must not be in two parts, as a speaker.")
    ] = None,
    frequency: Annotated[
        str | None, typer.Option(help="Step to bring irregular times to, as 1h.")
    ] = None,
    date_format: Annotated[
        str | None, typer.Option(help="How dates are written, as %d.%m.%Y.")
    ] = None,
    elapsed: Annotated[
        bool, typer.Option("--elapsed", help="Take the time since the row before as an input too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Say what data hold: task, series, times, roles of columns, and what looks odd."""
    from penstock.data.understanding import describe as found_in  # noqa: PLC0415  (polars takes 0.1 s)

    found = found_in(
        data,
        task=task,
        target=target or (),
        horizon=horizon,
        id=id_column,
        time_column=time_column,
        known=known or (),
        past=past or (),
        static=static or (),
        split=split,
        test=test,
        validation=validation,
        group=group,
        frequency=frequency,
        date_format=date_format,
        elapsed=elapsed,
    )
    typer.echo(json.dumps(found.record(), indent=1, ensure_ascii=False) if as_json else str(found))

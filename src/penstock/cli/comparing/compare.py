"""`penstock compare`: which cell for my data?"""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.comparing._reading import DataPath, ReadingOptions, with_reading
from penstock.errors import ArgumentError


@with_reading
def compare(
    command: typer.Context,
    reading: ReadingOptions,
    data: DataPath = Path("sunspots"),
    cells: Annotated[
        str, typer.Option(help="Cells, with commas between, your own as file.py:MyCell; or all.")
    ] = "rnn,lstm,gru",
    seeds: Annotated[int, typer.Option(help="Trainings of each cell that are measured.")] = 5,
    resplits: Annotated[
        int, typer.Option(help="Other splits of the data to train on, for claims about new data.")
    ] = 0,
    steps: Annotated[int | None, typer.Option(help="Steps of a training at most.")] = None,
    rates: Annotated[
        str, typer.Option(help="Learning rates to try for each cell, with commas between.")
    ] = "",
    size: Annotated[
        str, typer.Option(help="Of the networks: small, medium, large, or auto, which is searched.")
    ] = "auto",
    parameters: Annotated[
        int | None, typer.Option(help="Of the recurrent layers, instead of a size.")
    ] = None,
    layers: Annotated[int | None, typer.Option(help="One over the other.")] = None,
    bidirectional: Annotated[
        bool, typer.Option("--bidirectional", help="Read whole sequences from the end as well.")
    ] = False,
    dropout: Annotated[float | None, typer.Option(help="Share of outputs set to 0.")] = None,
    context: Annotated[
        int | None, typer.Option(help="Steps looked at, or that the gradient goes back.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Windows or sequences a step.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Validations without a better one before a training stops.")
    ] = None,
    weight_decay: Annotated[float, typer.Option(help="Of AdamW.")] = 0.0,
    time: Annotated[
        str, typer.Option(help="Time for all, as 10m: what does not fit is left out, and said.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("penstock-compare"),
    skip_check: Annotated[
        list[str] | None, typer.Option(help="A check to switch off, by name; repeat for more.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trials at a time; as many as there are cores if left out.")
    ] = None,
    ray: Annotated[str, typer.Option(help="Address of a Ray cluster to send the trials to.")] = "",
) -> None:
    """Train cells under equal budgets, compare them with baselines, and say which to use.

    A run that was cut off goes on where it was: give the same command again.
    """
    from penstock.comparison.request import Request  # noqa: PLC0415  (polars takes 0.1 s)
    from penstock.tasks import asked_of  # noqa: PLC0415

    # What is wrong with the command line or the data is said before torch is imported.
    request = Request(
        cells=_names(cells), task=reading.task, horizon=reading.horizon, seeds=seeds,
        resplits=resplits, steps=steps, rates=_rates(rates), size=size, parameters=parameters,
        layers=layers, bidirectional=bidirectional, dropout=dropout, context=context,
        batch_size=batch_size,
        patience=patience, weight_decay=weight_decay, time=time or None, out=out, workers=workers,
        ray=ray or None, skip_checks=skip_check or (), began=command.obj,
    )  # fmt: skip
    given = reading.read(data, reading.task and asked_of(reading.task))

    from penstock.comparison.trials.starting import begin_importing  # noqa: PLC0415

    begin_importing()
    from penstock.cli.comparing import _screen  # noqa: PLC0415  (torch takes seconds)
    from penstock.comparison.compare import carry_out  # noqa: PLC0415

    with _screen.Bar(inferred=reading.task is None) as bar:
        results = carry_out(request, given, bar)
    _screen.show(results.record, out)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _rates(text: str) -> tuple[float, ...] | None:
    try:
        return tuple(map(float, _names(text))) or None
    except ValueError:
        raise ArgumentError(f"--rates is {text!r}; give numbers, such as 1e-3,1e-2") from None

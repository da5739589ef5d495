"""`penstock compare`: which cell for my data?"""

from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from penstock.errors import ArgumentError

_SEVERAL = "with commas between, or repeated."


def compare(
    context: typer.Context,
    data: Annotated[
        Path, typer.Argument(help="A file, a folder of files, or the name of a sample.")
    ] = Path("sunspots"),
    task: Annotated[
        str | None, typer.Option(help="What to learn; inferred from the data if left out.")
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help=f"Columns to learn: values or labels, {_SEVERAL}")
    ] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast.")] = None,
    cells: Annotated[
        str, typer.Option(help="Cells, with commas between; your own as file.py:MyCell.")
    ] = "rnn,lstm,gru",
    seeds: Annotated[int, typer.Option(help="Trainings of each cell that are measured.")] = 5,
    steps: Annotated[int | None, typer.Option(help="Steps of a training at most.")] = None,
    rates: Annotated[
        str, typer.Option(help="Learning rates to try for each cell, with commas between.")
    ] = "",
    time: Annotated[
        str, typer.Option(help="Time for all, as 10m: what does not fit is left out, and said.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("penstock-compare"),
    id_column: Annotated[str | None, typer.Option("--id", help="Column of series ids.")] = None,
    time_column: Annotated[
        str | None, typer.Option("--time-column", help="Column of times.")
    ] = None,
    known: Annotated[
        list[str] | None, typer.Option(help=f"Columns known ahead, as holidays, {_SEVERAL}")
    ] = None,
    past: Annotated[
        list[str] | None, typer.Option(help=f"Columns known up to now, as weather, {_SEVERAL}")
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
    test_windows: Annotated[
        str | None,
        typer.Option(help="Windows of series to test: rolling, or the last of each series."),
    ] = None,
    skip_check: Annotated[
        list[str] | None, typer.Option(help="A check to switch off, by name; repeat for more.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trials at a time; as many as there are cores if left out.")
    ] = None,
    ray: Annotated[str, typer.Option(help="Address of a Ray cluster to send the trials to.")] = "",
) -> None:
    """Train cells under equal budgets, compare them with naive methods, and say which to use.

    A run that was cut off goes on where it was: give the same command again.
    """
    from penstock.cells import check_name  # noqa: PLC0415
    from penstock.comparison.duration import seconds  # noqa: PLC0415
    from penstock.comparison.folder import check_folder  # noqa: PLC0415
    from penstock.data.understanding.describe import source_of  # noqa: PLC0415

    # What is wrong with the command line is said before torch is imported, which takes seconds.
    left = seconds(time) - (monotonic() - context.obj) if time else None
    names, numbers = _names(cells), _rates(rates)
    for name in names:
        check_name(name)
    _check_above_0(horizon=horizon, seeds=seeds, steps=steps, workers=workers)
    check_folder(out)
    source = source_of(data)

    from penstock.cli import _screen  # noqa: PLC0415
    from penstock.comparison.compare import compare as compare_cells  # noqa: PLC0415

    with _screen.Bar(inferred=task is None) as bar:
        results = compare_cells(
            source,
            names,
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
            test_windows=test_windows,
            seeds=seeds,
            steps=steps,
            rates=numbers,
            time=left,
            out=out,
            workers=workers,
            ray=ray or None,
            skip_checks=skip_check or (),
            progress=bar,
        )
    _screen.show(results.record, out)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _rates(text: str) -> tuple[float, ...] | None:
    try:
        return tuple(map(float, _names(text))) or None
    except ValueError:
        raise ArgumentError(f"--rates is {text!r}; give numbers, such as 1e-3,1e-2") from None


def _check_above_0(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ArgumentError(f"--{name} is {number}; it must be at least 1")

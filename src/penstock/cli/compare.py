"""`penstock compare`: which cell for my data?"""

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli import _terminal
from penstock.cli._duration import seconds
from penstock.errors import ArgumentError

if TYPE_CHECKING:
    from penstock.comparison.trials.workers import Pool
    from penstock.training.loop import Budget

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
    cells: Annotated[str, typer.Option(help="Cells, with commas between.")] = "rnn,lstm,gru",
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
    frequency: Annotated[
        str | None, typer.Option(help="Step to bring irregular times to, as 1h.")
    ] = None,
    date_format: Annotated[
        str | None, typer.Option(help="How dates are written, as %d.%m.%Y.")
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
    # Imported here: torch takes seconds, which `penstock --help` need not.
    from penstock.cli import _screen  # noqa: PLC0415
    from penstock.comparison import run  # noqa: PLC0415
    from penstock.comparison.trials.schedule import LEARNING_RATES  # noqa: PLC0415
    from penstock.data import Options  # noqa: PLC0415
    from penstock.data.understanding.describe import source_of  # noqa: PLC0415
    from penstock.data.understanding.understand import understand  # noqa: PLC0415
    from penstock.tasks import find_task  # noqa: PLC0415

    ends = context.obj + seconds(time) if time else None
    names, numbers = _names(cells), _rates(rates) or LEARNING_RATES
    run.check_arguments(out, names, seeds, skip_check or ())
    options = Options(
        tuple(target or ()), id_column, time_column, tuple(known or ()), tuple(past or ()),
        tuple(static or ()), task=task, frequency=frequency, date_format=date_format,
    )  # fmt: skip
    if task is not None:
        find_task(task)
    source = source_of(data)
    found = understand(source, options)
    if task is None:
        task = found.task
        _terminal.say(f"Task {task}: {found.why}. Another is chosen with --task.", error=True)
    dataset = find_task(task).read(source, options)
    with _screen.Bar("\n".join(found.lines()[1:])) as bar:
        results = run.compare(
            dataset,
            out,
            task=task,
            cells=names,
            seeds=seeds,
            horizon=horizon,
            budget=_budget(steps),
            learning_rates=numbers,
            seconds=None if ends is None else ends - monotonic(),
            pool=_pool(workers, ray),
            watcher=bar,
            skip_checks=skip_check or (),
        )
    _screen.show(results, out)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(map(float, _names(text)))
    except ValueError:
        rates = (-1.0,)
    if not all(0 < rate < float("inf") for rate in rates):
        raise ArgumentError(f"--rates is {text!r}; give numbers above 0, such as 1e-3,1e-2")
    return tuple(dict.fromkeys(rates))


def _budget(steps: int | None) -> "Budget | None":
    from penstock.training.loop import Budget  # noqa: PLC0415

    if steps is None:
        return None
    if steps < 1:
        raise ArgumentError(f"--steps is {steps}; it must be at least 1")
    return Budget(steps=steps)


def _pool(workers: int | None, ray: str) -> "Pool":
    from penstock.comparison.trials.workers import Processes, usable_cores  # noqa: PLC0415

    if workers is not None and workers < 1:
        raise ArgumentError(f"--workers is {workers}; it must be at least 1")
    if ray:
        from penstock.comparison.trials.cluster import Cluster  # noqa: PLC0415

        return Cluster(ray, workers)
    return Processes(workers or usable_cores())

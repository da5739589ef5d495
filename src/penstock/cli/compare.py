"""`penstock compare`: which cell for my data?"""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    data: Annotated[
        Path, typer.Argument(help="A CSV, Parquet, .txt or .npz file, or the name of a sample.")
    ] = Path("sunspots"),
    task: Annotated[
        str | None, typer.Option(help="What to learn; inferred from the data if left out.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="Columns to learn: values or labels, with commas between.")
    ] = "",
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast.")] = None,
    cells: Annotated[str, typer.Option(help="Cells, with commas between.")] = "rnn,lstm,gru",
    seeds: Annotated[int, typer.Option(help="Trainings of each cell.")] = 3,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("penstock-compare"),
    id_column: Annotated[str | None, typer.Option("--id", help="Column of series ids.")] = None,
    time_column: Annotated[str | None, typer.Option("--time", help="Column of times.")] = None,
    known: Annotated[str, typer.Option(help="Columns known ahead of time, as holidays.")] = "",
    past: Annotated[str, typer.Option(help="Columns known up to now, as the weather.")] = "",
) -> None:
    """Train cells under equal budgets, compare them with naive forecasts, and say which to use."""
    # Imported here: torch takes seconds, which `penstock --help` need not.
    from penstock.cli import _screen  # noqa: PLC0415
    from penstock.compare import run  # noqa: PLC0415
    from penstock.data import Options  # noqa: PLC0415
    from penstock.data.samples import load_or_sample  # noqa: PLC0415
    from penstock.tasks import find_task, infer  # noqa: PLC0415

    names = _names(cells)
    run.check_arguments(out, names, seeds)
    options = Options(_names(target), id_column, time_column, _names(known), _names(past))
    source = load_or_sample(data)
    if task is None:
        task, reason = infer(source, options)
        typer.echo(f"Task {task}: {reason}. Another is chosen with --task.", err=True)
    dataset = find_task(task).read(source, options)
    with _screen.Bar(len(names) * seeds) as bar:
        results = run.compare(
            dataset,
            out,
            task=task,
            cells=names,
            seeds=seeds,
            horizon=horizon,
            report=bar.report,
        )
    _screen.show(results, out)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())

"""`penstock compare`: which cell for my data?"""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    data: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet file; the yearly sunspots if left out.")
    ] = None,
    task: Annotated[str, typer.Option(help="What to learn.")] = "forecast",
    target: Annotated[str, typer.Option(help="Columns of values, with commas between.")] = "",
    horizon: Annotated[int | None, typer.Option(help="Steps to forecast.")] = None,
    cells: Annotated[str, typer.Option(help="Cells, with commas between.")] = "rnn,lstm,gru",
    seeds: Annotated[int, typer.Option(help="Trainings of each cell.")] = 3,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("penstock-compare"),
    id_column: Annotated[str | None, typer.Option("--id", help="Column of series ids.")] = None,
    time_column: Annotated[str | None, typer.Option("--time", help="Column of times.")] = None,
) -> None:
    """Train cells under equal budgets, compare them with naive forecasts, and say which to use."""
    # Imported here: torch takes seconds, which `penstock --help` need not.
    from penstock.cli import _screen  # noqa: PLC0415
    from penstock.compare import run  # noqa: PLC0415
    from penstock.data import read, sunspots  # noqa: PLC0415

    names = _names(cells)
    run.check_arguments(out, names, seeds)
    if data is None:
        dataset = sunspots()
    else:
        dataset = read(data, target=_names(target), id_column=id_column, time_column=time_column)
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


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]

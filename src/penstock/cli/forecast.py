"""`penstock forecast`: use a trained model."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def forecast(
    model: Annotated[
        Path, typer.Argument(help="models/<cell>.json, or the folder that compare left.")
    ],
    data: Annotated[Path, typer.Argument(help="CSV or Parquet file with the same columns.")],
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write; printed if left out.")
    ] = None,
) -> None:
    """Forecast what comes after the end of each series, as CSV: unique_id, step, ds, forecast."""
    from penstock.atomic import replacing  # noqa: PLC0415
    from penstock.compare.models import load_model  # noqa: PLC0415  (torch takes seconds)
    from penstock.data import read  # noqa: PLC0415
    from penstock.errors import ArgumentError  # noqa: PLC0415
    from penstock.tasks.forecaster import extend  # noqa: PLC0415

    if out is not None and out.is_dir():
        raise ArgumentError(f"{out} is a folder; give the name of a file with --out")
    network, about = load_model(model)
    columns = about["columns"]
    dataset = read(
        data, target=columns["targets"], id_column=columns["id"], time_column=columns["time"]
    )
    frame, short = extend(network, dataset, about["settings"]["context"])
    if short:
        print(f"penstock: too short, left out: {', '.join(short[:5])}", file=sys.stderr)
    if out is None:
        typer.echo(frame.write_csv(), nl=False)
        return
    with replacing(out) as temporary:
        frame.write_csv(temporary)

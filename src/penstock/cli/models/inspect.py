"""`penstock inspect`: look into a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from penstock.cli import terminal
from penstock.cli.models._model import ModelPath, OwnCell, check_own, define
from penstock.cli.models._output import check_output


def inspect(
    model: ModelPath,
    data: Annotated[
        Path | None,
        typer.Argument(help="The data that it learned from; needless where that was a sample."),
    ] = None,
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("inspect.html"),
    window: Annotated[int, typer.Option(help="The test window whose gates are drawn.")] = 0,
    cell: OwnCell = None,
) -> None:
    """Show a model's gradients, memory span and gates, and what pruning and clipping do."""
    from penstock.comparison.keeping.folder import find_model  # noqa: PLC0415
    from penstock.data.understanding.describe import source_of  # noqa: PLC0415

    check_output(out, model, data)
    check_own(cell)
    path = find_model(model, of_cell=True)
    source = source_of(_sample(path) if data is None else data)

    from rich.table import Table  # noqa: PLC0415

    from penstock.atomic import write  # noqa: PLC0415
    from penstock.comparison.inspection import inspect_model  # noqa: PLC0415
    from penstock.comparison.report import inspection_page as page  # noqa: PLC0415  (takes seconds)

    define(cell)
    inspection = inspect_model(path, source, window)
    console = terminal.console()
    figures = Table(box=None, show_header=False, pad_edge=False)
    for row in page.summary(inspection):
        figures.add_row(*row)
    gates = Table(*page.GATE_HEADS, box=None, pad_edge=False, header_style="bold")
    for gate in page.gate_rows(inspection):
        gates.add_row(*gate)
    console.print(figures)
    if gates.row_count:
        console.print("", f"Gates in test window {window}", gates, sep="\n")
    write(out, page.render(inspection))
    console.print(f"Written to {out}", soft_wrap=True)


def _sample(model: Path) -> Path:
    """Return the name of the sample that a model's JSON file learned from."""
    from penstock.data.samples import samples  # noqa: PLC0415
    from penstock.errors import ArgumentError  # noqa: PLC0415
    from penstock.record.reading import load_results  # noqa: PLC0415

    results = model.parent.parent / "results.json"
    name = Path(load_results(results).data["name"]).stem if results.is_file() else ""
    if name not in samples():
        raise ArgumentError(f"{model} learned from no sample; name its data: inspect MODEL DATA")
    return Path(name)

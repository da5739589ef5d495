"""`penstock export`: a trained model for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli import terminal
from penstock.cli.models._model import ModelPath, OwnCell, check_own, define
from penstock.cli.models._output import check_output

if TYPE_CHECKING:
    from penstock.comparison.keeping.model import Model

# The formats' options. Each is handed on where it was given, and the format says if it has it not.
Lengths = Annotated[bool, typer.Option("--lengths", help="onnx: rows of unequal length.")]
States = Annotated[bool, typer.Option("--states", help="onnx: initial states in, final ones out.")]
Streaming = Annotated[bool, typer.Option("--streaming", help="onnx: one step at a time.")]
Weights = Annotated[
    str | None, typer.Option(help="c: where the weights are written, constant or separate.")
]
Int8 = Annotated[bool, typer.Option("--int8", help="c: weights of one byte each.")]
Equations = Annotated[
    bool, typer.Option("--equations", help="pt2: loaded by torch alone, without Penstock.")
]
Package = Annotated[
    bool, typer.Option("--package", help="pt2: compiled by AOTInductor, for machines like this.")
]


def export(
    model: ModelPath,
    path: Annotated[Path, typer.Argument(help="The file to write; its ending is the format.")],
    cell: OwnCell = None,
    lengths: Lengths = False,
    states: States = False,
    streaming: Streaming = False,
    weights: Weights = None,
    int8: Int8 = False,
    equations: Equations = False,
    package: Package = False,
) -> None:
    """Write a trained model for other programs: the best cell's, of a comparison's folder."""
    from penstock.comparison.keeping.folder import find_model  # noqa: PLC0415
    from penstock.exporters import check_ending, describe  # noqa: PLC0415
    from penstock.exporters import export as written  # noqa: PLC0415

    given: dict[str, Any] = {
        "lengths": lengths, "states": states, "streaming": streaming, "weights": weights,
        "int8": int8, "equations": equations, "package": package,
    }  # fmt: skip
    check_ending(path)
    check_output(path, model, named="as PATH")
    check_own(cell)
    file = find_model(model, of_cell=True)

    from penstock.comparison.keeping.model import load  # noqa: PLC0415  (torch takes seconds)

    define(cell)
    used = load(file)
    written(used, path, **{name: value for name, value in given.items() if value})
    if model.is_dir():
        _say_choice(used, is_taken=find_model(model) == file)
    words = describe(path)
    terminal.say(f"Written to {path}, {path.stat().st_size:,} bytes{words and f': {words}'}")


def _say_choice(used: "Model", *, is_taken: bool) -> None:
    """Say which model of a folder it is, beside the output."""
    why = "which the verdict says to take" if is_taken else "the best cell, though no winner"
    terminal.say(f"penstock: exported is {used.name}, {why}", error=True)

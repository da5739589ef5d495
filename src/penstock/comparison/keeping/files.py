"""Models on disk: <name>.safetensors with the weights, <name>.json with the rest.

The JSON has the keys schema ("penstock.model/4"), kind ("cell" or "baseline"), name, task, spec
(what the task needs to rebuild the model and to use it on other data), settings (as the task gave
them), columns (read in training) and metrics (on the test windows). A cell's has structure (of its
recurrent layers) and seed too, and, where it is a user's own, written (where).
"""

from pathlib import Path
from typing import Annotated, Any, Literal

import safetensors.torch
import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from typing_extensions import TypedDict

from penstock.atomic import write, write_json
from penstock.cells import Cell, find_cell, is_in_file, is_shipped
from penstock.cells.own import written_in
from penstock.comparison.keeping.folder import find_model
from penstock.errors import ArgumentError, DataError, ModelFileError, UnknownCellError
from penstock.opening import check_plain, read_json
from penstock.record.checked import Count, conform
from penstock.record.structure import Structure
from penstock.tasks import find_task
from penstock.tasks.codec import Codec

SCHEMA = "penstock.model/4"
_MOST_LAYERS = 64  # each takes memory before its weights are looked at
_TYPES = {"F32": torch.float32, "F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16}
Shapes = dict[str, tuple[tuple[int, ...], torch.dtype | str]]


class Written(TypedDict):
    """Where a user's own cell was written: its class, and the file or module."""

    name: str
    place: str


class About(TypedDict):
    """What a model's JSON file holds."""

    schema: str
    kind: Literal["cell", "baseline"]
    name: str
    task: str
    spec: dict[str, Any]
    settings: dict[str, Any]
    columns: dict[str, Any]
    metrics: dict[str, float]


class Layers(TypedDict):
    """A `Structure` as a file has it."""

    width: Count
    layers: Annotated[int, Field(ge=1, le=_MOST_LAYERS)]
    bidirectional: bool
    dropout: Annotated[float, Field(ge=0, lt=1)]
    context: Count | None


class CellAbout(About):
    """What the file of a trained network holds."""

    structure: Layers


class OwnCellAbout(CellAbout, total=False):
    """And of a user's own cell."""

    written: Written


def written(cell: type[Cell]) -> dict[str, Written]:
    """Return where a user's own cell was written, as a model's file says it; nothing of others."""
    return (
        {} if is_shipped(cell) else {"written": Written(name=cell.__name__, place=written_in(cell))}
    )


def save_model(path: Path, weights: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write a model's two files; `path` is without suffix."""
    whole = {name: value.contiguous() for name, value in weights.items()}
    write(path.with_name(f"{path.name}.safetensors"), safetensors.torch.save(whole))
    write_json(path.with_name(f"{path.name}.json"), {"schema": SCHEMA, **about})


def load_model(
    path: Path, name: str | None = None, *, of_cell: bool = False
) -> tuple[nn.Module, dict[str, Any]]:
    """Return a trained network, or a baseline, and what its JSON file says.

    The path and the name are those of `find_model`.

    Raises:
        ModelFileError: one of the two files is missing or damaged, or they do not fit together.
        UnknownCellError: its cell is not known here; import the user's own first.
    """
    path = find_model(path, name, of_cell=of_cell)
    try:
        about = read_json(path)
        conform(about, About, "the model")
        if about["schema"] != SCHEMA:
            raise ModelFileError(f"{path} has the schema {about['schema']!r}; this is {SCHEMA}")
        codec = find_task(about["task"]).codec
        codec.check_spec(about["spec"])
        rebuild = _baseline if about["kind"] == "baseline" else _network
        return rebuild(codec, about, path.with_suffix(".safetensors")), about
    except (ModelFileError, UnknownCellError):
        raise
    except (
        DataError,
        ArgumentError,
        SafetensorError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        reason = str(error).removeprefix(f"{path} ").partition("\n")[0]
        raise ModelFileError(f"{path} cannot be used as a model ({reason[:200]})") from None
    except ArithmeticError:
        raise ModelFileError(f"{path} cannot be used as a model (a size is too large)") from None


def _check_cell(about: dict[str, Any]) -> None:
    """Raise where a model's cell is not known here, and say which class to import.

    Raises:
        DataError: the name is that of a file, which would be run.
        UnknownCellError: the name is not known.
    """
    if is_in_file(about["name"]):
        raise DataError(f"its cell is {about['name']!r}, a file that a model must not run")
    try:
        find_cell(about["name"])
    except UnknownCellError as error:
        if "written" not in about:
            raise
        name, place = about["written"]["name"], about["written"]["place"]
        file = place if place.endswith(".py") else "file.py"
        raise UnknownCellError(
            f"the model's cell {about['name']!r} is the class {name} of {place}, which is not "
            f"known here; import it first, or give the command --cell {file}:{name}"
        ) from error


def _baseline(codec: Codec, about: dict[str, Any], path: Path) -> nn.Module:
    """Return a baseline; its codec checks the shapes and values of its weights."""
    check_plain(path)
    weights = safetensors.torch.load_file(path)
    return codec.rebuild_baseline(about["name"], about["spec"], weights)


def _network(codec: Codec, about: dict[str, Any], path: Path) -> nn.Module:
    """Return the network, once its weights are known to have the shapes that it takes.

    On the device "meta" a network has shapes but no memory, however wide a file says it is.
    """
    conform(about, OwnCellAbout, "the model")
    _check_cell(about)
    given = about["spec"], about["name"], Structure(**about["structure"])
    with torch.device("meta"):
        state = codec.rebuild(*given).state_dict()
    wanted: Shapes = {name: (tuple(value.shape), value.dtype) for name, value in state.items()}
    stored = _shapes(path)
    for name in sorted({*wanted, *stored}):
        if wanted.get(name) != stored.get(name):
            raise DataError(f"the weight {name!r} of {path.name} does not fit what is said of it")
    network = codec.rebuild(*given)
    weights = safetensors.torch.load_file(path)
    if not all(value.isfinite().all() for value in weights.values()):
        raise DataError(f"a weight in {path.name} is not a finite number")
    network.load_state_dict(weights)
    return network


def _shapes(path: Path) -> Shapes:
    """Return the shape and type of each tensor in a file; its values are not read."""
    check_plain(path)
    with safe_open(path, framework="pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        return {
            name: (tuple(one.get_shape()), _TYPES.get(one.get_dtype(), one.get_dtype()))
            for name, one in slices.items()
        }

"""Trained models on disk: <name>.safetensors with the weights, <name>.json with the rest.

The JSON has the keys schema ("penstock.model/2"), task, cell, width, seed, spec (what the task
needs to rebuild the network and to use it on other data), settings (as the task gave them), columns
(read in training) and metrics (on the test windows).
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from penstock.atomic import replacing
from penstock.compare.results import load_results, write_json
from penstock.errors import ArgumentError, ModelFileError
from penstock.tasks import find_task

SCHEMA = "penstock.model/2"


def save_model(path: Path, weights: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write a model's two files; `path` is without suffix."""
    with replacing(path.with_name(f"{path.name}.safetensors")) as temporary:
        save_file({name: value.contiguous() for name, value in weights.items()}, temporary)
    write_json(path.with_name(f"{path.name}.json"), {"schema": SCHEMA, **about})


def find_model(path: Path) -> Path:
    """Return a model's JSON file, given one of its files or the folder of a comparison.

    Of a comparison, the model recommended is taken, or else that of the best cell.

    Raises:
        ModelFileError: there is no such file.
    """
    if path.is_dir():
        results = load_results(path / "results.json")
        cells = [one.name for one in results.contestants if one.model]
        if not cells:
            raise ModelFileError(f"{path}: every trial diverged, so there is no model")
        path = path / "models" / f"{_file_name(results.verdict.recommended or cells[0])}.json"
    if path.suffix not in (".json", ".safetensors"):
        raise ArgumentError(
            f"{path} is no model; give models/<cell>.json or the folder of a comparison"
        )
    path = path.with_suffix(".json")
    if not path.is_file():
        raise ModelFileError(f"{path} does not exist; `penstock compare` leaves models behind")
    return path


def _file_name(name: str) -> str:
    """Return a name from results.json if it leads to no other folder.

    Raises:
        ModelFileError: it does.
    """
    if not name or Path(name).name != name or name == ".." or {*name} & {*"/\\:\0"}:
        raise ModelFileError(f"results.json names the model {name!r}, which is no name of a file")
    return name


def load_model(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Return a trained network, and what its JSON file says.

    Raises:
        ModelFileError: one of the two files is missing or damaged, or they do not fit together.
        UnknownCellError: its cell is not known here; import the user's own first.
    """
    path = find_model(path)
    try:
        about = json.loads(path.read_text("utf-8"))
        if about["schema"] != SCHEMA:
            raise ModelFileError(f"{path} has the schema {about['schema']!r}; this is {SCHEMA}")
        task = find_task(about["task"])
        network = task.rebuild(about["spec"], about["cell"], about["width"])
        network.load_state_dict(load_file(path.with_suffix(".safetensors")))
    except (OSError, SafetensorError, RuntimeError, TypeError, KeyError, ValueError) as error:
        if isinstance(error, ArgumentError | ModelFileError):
            raise
        reason = str(error).partition("\n")[0]
        raise ModelFileError(f"{path} cannot be used as a model ({reason})") from None
    return network, about

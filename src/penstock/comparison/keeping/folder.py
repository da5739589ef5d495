"""The folder that a comparison writes to: what may be written over, and where its models lie."""

import os
from pathlib import Path

from penstock.atomic import write
from penstock.errors import ArgumentError, DataError, ModelFileError
from penstock.opening import open_plain
from penstock.record.contestants import cells_among
from penstock.record.reading import load_results

NAMES = ("results.json", "results.csv", "report.html", "report.md", "models", "trials")
_MARK = Path("trials") / "of-penstock.txt"
_WORDS = "Penstock made this folder's models, reports, results and trials, and may replace them.\n"


def check_folder(out: Path) -> None:
    """Raise unless a comparison may write to a folder, which need not be there; touches nothing.

    What it would replace must be of an earlier comparison: a file in trials/ tells.

    Raises:
        ArgumentError: it may not, or cannot.
    """
    try:
        nearest = next(p for p in (out, *out.absolute().parents) if p.exists())
        ours = (out / _MARK).is_file()
        taken = [name for name in NAMES if not ours and _holds_something(out / name)]
        blocked = [name for name in NAMES if "." in name and (out / name).is_dir()]
    except OSError as error:
        raise ArgumentError(
            f"cannot write to {out} ({error.strerror}); choose another folder with --out"
        ) from None
    if not nearest.is_dir():
        raise ArgumentError(f"{nearest} is a file; choose another folder with --out")
    if not os.access(nearest, os.W_OK):
        raise ArgumentError(f"cannot write to {nearest}; choose another folder with --out")
    if blocked:
        raise ArgumentError(
            f"{out / blocked[0]} is a folder where a file is to be written; move it away, or "
            "choose another folder with --out"
        )
    if taken:
        raise ArgumentError(
            f"{out / taken[0]} is not of penstock compare, or {out / _MARK} is gone, and it would "
            "be replaced; move it away, or choose another folder with --out"
        )


def make_folder(out: Path) -> None:
    """Make the folder, and mark it as one whose files may be replaced.

    Raises:
        ArgumentError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / _MARK).exists():
            write(out / _MARK, _WORDS)
    except OSError as error:
        raise ArgumentError(f"cannot make the folder {out} ({error.strerror})") from None


def find_model(path: Path, name: str | None = None, *, of_cell: bool = False) -> Path:
    """Return a model's JSON file, given one of its files or the folder of a comparison.

    Of a comparison, the model of that name. Without one, that of what the verdict says to take;
    the best cell's where one of a cell is wanted, and the verdict is for a baseline.

    Raises:
        ModelFileError: there is no such file.
    """
    if name is not None:
        path = path / "models" / f"{file_name(name)}.json"
    elif os.path.isdir(path):  # False too where its name is too long
        results = load_results(path / "results.json")
        taken = results.verdict.recommended or results.verdict.best
        wanted = cells_among(results.contestants) if of_cell else results.contestants
        names = [one.name for one in wanted if one.model]
        if not names:
            raise ModelFileError(f"{path}: no trial of any cell finished, so there is no model")
        path = path / "models" / f"{file_name(taken if taken in names else names[0])}.json"
    if path.suffix not in (".json", ".safetensors"):
        raise ArgumentError(
            f"{path} is no model; give models/<cell>.json or the folder of a comparison"
        )
    path = path.with_suffix(".json")
    try:
        open_plain(path).close()
    except DataError as error:
        raise ModelFileError(f"{error}; `penstock compare` leaves models behind") from None
    return path


def file_name(name: str) -> str:
    """Return a name from results.json if it leads to no other folder.

    Raises:
        ModelFileError: it does.
    """
    if not name or Path(name).name != name or name == ".." or {*name} & {*"/\\:\0"}:
        raise ModelFileError(f"results.json names the model {name!r}, which is no name of a file")
    return name


def _holds_something(path: Path) -> bool:
    if not path.is_dir():
        return os.path.lexists(path)
    return any(inner.suffix != ".tmp" for inner in path.iterdir())

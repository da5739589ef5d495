"""The folder that a comparison writes to: a user's own files are not written over."""

import os
from pathlib import Path

from penstock.atomic import write
from penstock.errors import ArgumentError

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
    except OSError as error:
        raise ArgumentError(
            f"cannot write to {out} ({error.strerror}); choose another folder with --out"
        ) from None
    if not nearest.is_dir():
        raise ArgumentError(f"{nearest} is a file; choose another folder with --out")
    if not os.access(nearest, os.W_OK):
        raise ArgumentError(f"cannot write to {nearest}; choose another folder with --out")
    if taken:
        raise ArgumentError(
            f"{out / taken[0]} is not of penstock compare, and it would be replaced; choose "
            "another folder with --out, such as --out comparison"
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


def _holds_something(path: Path) -> bool:
    if not path.is_dir():
        return os.path.lexists(path)
    return any(inner.suffix != ".tmp" for inner in path.iterdir())

"""The file that a command is to write."""

from pathlib import Path

from penstock.errors import ArgumentError


def check_output(out: Path, *inputs: Path | None, named: str = "with --out") -> None:
    """Raise unless a file may be written at a path, in place of another one if there is one.

    named: how the user names it.

    Raises:
        ArgumentError: it is a folder or device, its folder is not there, or it is an input.
    """
    try:
        if not out.absolute().parent.is_dir() or (out.exists() and not out.is_file()):
            raise ArgumentError(f"cannot write to {out}; give the name of a file {named}")
        same = [
            one for one in inputs if one and one.exists() and out.exists() and out.samefile(one)
        ]
    except OSError as error:
        raise ArgumentError(f"cannot write to {out} ({error.strerror})") from None
    if same:
        raise ArgumentError(f"--out {out} is read by this command; give the name of another file")

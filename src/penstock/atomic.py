"""Files that are either whole or not there. Imports nothing of ours."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY  # O_EXCL follows no link


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; put it in place of `path` when the block ends.

    The temporary file stands beside `path`, as a file system replaces only its own files
    atomically; its name cannot be foreseen. It is on the disk before it takes the place of `path`,
    and the place is on the disk before this returns, so that a power cut leaves the old file or the
    new one. Where the block fails, `path` is untouched and the temporary file is deleted.

    Raises:
        OSError: the file cannot be written; the error names `path`.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, _NEW, 0o666))
        yield temporary
        _sync(temporary, os.O_RDWR)
        os.replace(temporary, path)
        if hasattr(os, "O_DIRECTORY"):  # elsewhere a folder cannot be opened
            _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def discard_unfinished(folder: Path) -> None:
    """Delete the temporary files in a folder whose writer was ended; nobody else may write there.

    One that is killed cannot delete its own.
    """
    for left in folder.rglob(".*.tmp"):
        left.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Write a file, whole or not at all; text in UTF-8.

    Raises:
        OSError: it cannot be written; the error names `path`.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all; NaN and infinity are errors."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write(path, text + "\n")


def _sync(path: Path, flags: int) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

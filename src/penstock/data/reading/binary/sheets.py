"""Typed tables in files: Feather (Arrow), Excel and JSON."""

import importlib.util
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import polars as pl

from penstock.data.reading.binary.packed import feather_size
from penstock.data.reading.formats import size_in_full
from penstock.errors import DataError
from penstock.opening import check_claim, most_bytes, open_plain, read_bytes, refuse


def read_feather(path: Path) -> pl.DataFrame:
    """Return the table of a Feather file (Arrow IPC)."""
    content = read_bytes(path)
    with open_plain(path) as file:
        check_claim(path, file, _tried(lambda _: feather_size(content), content))
        frame: pl.DataFrame = _tried(pl.read_ipc, content)
        check_claim(path, file, size_in_full(frame))
    return frame


def read_json(path: Path) -> pl.DataFrame:
    """Return the table of a JSON file: objects with the names of columns, in a list or a line each.

    Raises:
        DataError: it is no such.
    """
    content = read_bytes(path).lstrip()
    read = pl.read_ndjson if content.startswith(b"{") else pl.read_json
    frame: pl.DataFrame = _tried(read, content, infer_schema_length=None)
    return frame


def read_excel(path: Path) -> pl.DataFrame:
    """Return the first sheet of an Excel file.

    Raises:
        DataError: it cannot be read, or fastexcel, which the extra `excel` brings, is not there.
    """
    if not importlib.util.find_spec("fastexcel"):
        raise DataError(
            "takes the library fastexcel: pip install 'penstock[excel]', or save it as CSV"
        )
    content = read_bytes(path)
    with open_plain(path) as file:
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                check_claim(path, file, sum(member.file_size for member in archive.infolist()))
        most = most_bytes(file)
        frame: pl.DataFrame = _tried(pl.read_ipc, _sheet(path, content, most))
        check_claim(path, file, size_in_full(frame))
    return frame


# A sheet with a cell in its last corner takes 400 GB, and nothing tells before: so it is read in a
# process of its own, whose memory is bounded where the system can do that.
_READ_APART = """
import io, os, sys
most, sys.path[:] = int(sys.argv[1]), sys.argv[2:]
import fastexcel, polars as pl
try:
    import resource
    taken = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + most,) * 2)
except (ImportError, OSError, ValueError):
    pass
content = io.BytesIO(sys.stdin.buffer.read())
try:
    frame = pl.read_excel(content, drop_empty_rows=True)
except pl.exceptions.NoDataError:
    frame = pl.DataFrame()
except MemoryError:
    sys.exit(2)
except BaseException as error:  # also what Rust calls a panic
    sys.exit(str(error).strip().partition("\\n")[0])
frame.write_ipc(sys.stdout.buffer)
"""


def _sheet(path: Path, content: bytes, most: int) -> bytes:
    """Return the first sheet in Arrow's format."""
    call = [sys.executable, "-I", "-c", _READ_APART, str(2 * most), *sys.path]
    done = subprocess.run(
        call, input=content, capture_output=True, check=False,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )  # fmt: skip
    if done.returncode in (0, 1):
        return done.stdout or _refuse(done.stderr.decode(errors="replace").strip().split("\n")[-1])
    refuse(path, None, most)  # the process was ended, or had no memory left


def _tried(read: Any, content: bytes, **options: Any) -> Any:
    try:
        return read(io.BytesIO(content), **options)
    except pl.exceptions.NoDataError:
        raise DataError("is empty; it must have a header and rows") from None
    except (Exception, pl.exceptions.PanicException) as error:  # each reader has its own
        _refuse(str(error).strip().partition("\n")[0])


def _refuse(reason: str) -> NoReturn:
    raise DataError(f"cannot be read ({reason[:200]}); check that it is complete") from None

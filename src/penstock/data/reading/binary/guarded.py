"""How polars is kept from harm by a file, and its words from the user's screen.

Some files are read in a process of their own, whose memory is bounded where the system can: a sheet
with a cell in its last corner takes 400 GB, and a text that begins as the one before it is told in
two bytes, so that nothing tells before what they take. That process runs nothing of the user's own
program, and so works in a script, a thread, a notebook and a daemon alike.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

import polars as pl

from penstock.errors import DataError
from penstock.opening import refuse

Kind = Literal["excel", "parquet"]
_STDERR = 2
_one = threading.Lock()  # of two at once, one would give the other's file back as stderr
_SCRIPT = """
import io, os, sys
kind, most, sys.path[:] = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
import polars as pl
if kind == "excel":
    import fastexcel
try:
    import resource
    taken = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + most,) * 2)
except (ImportError, OSError, ValueError):
    pass
content = io.BytesIO(sys.stdin.buffer.read())
try:
    if kind == "excel":
        frame = pl.read_excel(content, drop_empty_rows=True)
    else:
        frame = pl.read_parquet(content)
except pl.exceptions.NoDataError:
    frame = pl.DataFrame()
except MemoryError:
    sys.exit(2)
except BaseException as error:  # also what Rust calls a panic
    sys.exit(str(error).strip().partition("\\n")[0])
frame.write_ipc(sys.stdout.buffer)
"""


def read_apart(path: Path, content: bytes, most: int, kind: Kind) -> bytes:
    """Return the table of a file's content in Arrow's format.

    Raises:
        DataError: it cannot be read, or takes more than twice `most` bytes.
    """
    call = [sys.executable, "-I", "-c", _SCRIPT, kind, str(2 * most), *sys.path]
    done = subprocess.run(
        call, input=content, capture_output=True, check=False,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )  # fmt: skip
    if done.returncode not in (0, 1):
        refuse(path, None, most)  # the process was ended, or had no memory left
    if not done.stdout:
        told = done.stderr.decode(errors="replace").strip().split("\n")[-1]
        raise DataError(f"cannot be read ({told[:200]}); check that it is complete")
    return done.stdout


@contextmanager
def panics_hushed() -> Iterator[None]:
    """Keep back what is written to stderr, and drop it where the block ends in a panic of Rust.

    Rust says what went wrong itself, in several lines, beside the error that it raises.
    """
    with _one, _store() as said:
        try:
            stderr = os.dup(_STDERR)
        except OSError:  # there is none
            yield
            return
        os.dup2(said.fileno(), _STDERR)
        try:
            yield
        except pl.exceptions.PanicException:
            said.truncate(0)
            raise
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            said.seek(0)
            with suppress(OSError):
                os.write(_STDERR, said.read())


def _store() -> BinaryIO:
    if hasattr(os, "memfd_create"):  # a disk may be full, or one to read only
        return os.fdopen(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()

"""What of the compiler works here, in words."""

import os

from penstock.cells.base import Cell, Place
from penstock.compiler import build, pipeline
from penstock.compiler.backends import threads
from penstock.errors import BackendError


def on_cpu(cell: type[Cell]) -> str:
    """Return which backend runs a cell on the CPU; where it is the slow one, why."""
    try:
        for lowest in (True, False) if cell.below else (True,):
            pipeline.program(cell(), Place(3, 5, lowest), True, "float32", "c")
    except BackendError as error:
        return f"eager, because {error}"
    return "c"


def cache_state() -> str:
    """Return whether the cache of kernels can be used, and how many it holds."""
    folder = build.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"cannot be made: {error.strerror}; set PENSTOCK_CACHE to another folder"
    if not os.access(folder, os.W_OK):
        return "cannot be written to; set PENSTOCK_CACHE to another folder"
    return f"{len(list(folder.glob('*.so')))} kernels"


def thread_pool() -> str:
    """Return where kernels find their threads."""
    if threads.pool() is None:
        return "one: torch's OpenMP pool was not found in this process"
    return "torch's OpenMP pool"

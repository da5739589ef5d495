"""What of the compiler works here, in words."""

import os
import shlex

from penstock.cells import Cell, Place
from penstock.compiler import pipeline
from penstock.compiler.backends.c import threads
from penstock.compiler.backends.c.source import source
from penstock.compiler.runtime import build, cache
from penstock.errors import BackendError
from penstock.plain import one_line


def on_cpu(cell: type[Cell]) -> str:
    """Return which backend runs a cell on the CPU; where it is the slow one, why."""
    try:
        for place in _places(cell):
            pipeline.program(cell(), place, True, "float32", "c")
    except BackendError as error:
        return f"eager, because {error}"
    return "c"


def foreseen(cell: type[Cell]) -> str:
    """Return which backend would run a cell on the CPU, without building its kernels."""
    try:
        plans = [pipeline.lower(cell(), place).plan for place in _places(cell)]
        ready = all(build.is_ready(source(plan, "float32")) for plan in plans)
    except BackendError as error:
        return f"eager, because {error}"
    return "c" if ready else "c, once its kernel is built"


def _places(cell: type[Cell]) -> list[Place]:
    """Return where a cell's equations differ: in the lowest layer, and above it."""
    return [Place(3, 5, lowest) for lowest in ((True, False) if cell.below else (True,))]


def cache_state() -> str:
    """Return where kernels are kept and how many there are, or why none can be kept."""
    try:
        folder = cache.prepared()
    except OSError as error:
        return f"not used, each process builds its own: {cache.reason(error)}"
    if not os.access(folder, os.W_OK):
        words = f"{folder} cannot be written to; set PENSTOCK_CACHE to another folder"
        return one_line(words)
    found = cache.kernels(folder)
    size, most = (bytes_ / 2**20 for bytes_ in (sum(i.st_size for _, i in found), cache.LARGEST))
    return f"{one_line(str(folder))} ({len(found)} kernels, {size:.1f} of {most:.0f} MiB)"


def compiler() -> str:
    """Return which C compiler is used, and whether it is the one that $CC names."""
    used, named = build.compiler(), os.environ.get("CC")
    words = shlex.join(used) if used else build.NO_COMPILER
    if named and used != build.named_compiler():
        return f"{words} (CC is {named!r}, which cannot be started)"
    return words


def thread_pool() -> str:
    """Return where kernels find their threads."""
    if threads.pool() is None:
        return "one: torch's OpenMP pool was not found in this process"
    return "torch's OpenMP pool"

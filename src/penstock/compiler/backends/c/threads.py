"""The OpenMP pool that torch has already loaded: kernels run in it, so no second pool fights it."""

import ctypes
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_forked = False


def _after_fork() -> None:
    global _forked  # noqa: PLW0603  (a process has one pool)
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def pool() -> tuple[int, int, int] | None:
    """Return the addresses of GOMP_parallel, omp_get_thread_num and omp_get_num_threads.

    None where torch has no such pool, and in a forked child, where a pool's threads do not live on.
    """
    return None if _forked else _functions()


@lru_cache
def _functions() -> tuple[int, int, int] | None:
    for path in _loaded():
        try:
            library = ctypes.CDLL(path)
            functions = (
                library.GOMP_parallel, library.omp_get_thread_num, library.omp_get_num_threads
            )  # fmt: skip
        except (OSError, AttributeError):
            continue
        thread, count, team = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in functions)
        return thread, count, team
    return None


def _loaded() -> list[str]:
    """Return the OpenMP libraries of this process, as the system lists them."""
    try:
        maps = os.fsdecode(Path("/proc/self/maps").read_bytes())
    except OSError:
        return []
    return sorted(set(_paths(maps)))


def _paths(maps: str) -> Iterator[str]:
    """Give the path of each OpenMP library: the sixth field, in which spaces may stand."""
    for line in maps.split("\n"):
        path = line.split(maxsplit=5)[5:]
        if path and re.match(r"lib[gi]?omp.*\.so", path[0].rpartition("/")[2]):
            yield path[0].replace(r"\012", "\n")  # as the system spells a line's end

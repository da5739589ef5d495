"""How processes for trials start: as forks of a server that has imported torch, and done no more.

Torch takes seconds to import. The server does it once, while the command that started it goes on
reading and importing for itself; each process is then there at once, and shares the server's
memory. A fork of the command itself would inherit torch's threads in an unknown state; the server
has none, as it never computes. No torch is imported here.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_all_start_methods, get_context
from types import ModuleType
from typing import Any

_METHOD = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
CONTEXT: Any = get_context(_METHOD)


def begin_importing() -> None:
    """Start the server, which imports in the background what trials need; not on Windows."""
    if _METHOD != "forkserver":
        return
    from multiprocessing import forkserver  # noqa: PLC0415  (Windows has none)

    # The first optimiser imports torch._dynamo, for over a second: once here, not in each process.
    CONTEXT.set_forkserver_preload(["penstock.comparison.trials.workers", "torch._dynamo"])
    with deaf_children(), nameless_main():
        forkserver.ensure_running()


@contextmanager
def deaf_children() -> Iterator[None]:
    """Let processes started inside ignore Ctrl-C: the parent ends them, without tracebacks."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def nameless_main() -> Iterator[None]:
    """Let processes started inside not run the user's script again, which may start a comparison.

    What they need comes through the pipe, a cell of that script too.
    """
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before

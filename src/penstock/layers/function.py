"""Which backend runs a sweep."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from penstock.errors import BackendError
from penstock.layers import equations

_BACKENDS = ("auto", "eager")
_chosen: ContextVar[str | None] = ContextVar("penstock_backend", default=None)


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Run the layers called inside the ``with`` block on one backend.

    Args:
        name: ``"auto"`` takes the fastest that can run the cell, ``"eager"`` the equations as
            written. The environment variable PENSTOCK_BACKEND sets it for a whole process.

    Raises:
        BackendError: there is no backend of that name.
    """
    token = _chosen.set(_known(name))
    try:
        yield
    finally:
        _chosen.reset(token)


def run(sweep: equations.Sweep) -> equations.Swept:
    """Run a sweep on the chosen backend."""
    _known(_chosen.get() or os.environ.get("PENSTOCK_BACKEND", "auto"))
    return equations.run(sweep)


def _known(name: str) -> str:
    if name not in _BACKENDS:
        raise BackendError(f"no backend {name!r}; there are: {', '.join(_BACKENDS)}")
    return name

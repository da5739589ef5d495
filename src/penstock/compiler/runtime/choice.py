"""Which backends there are, found by looking, and which can run here."""

import importlib
import pkgutil
from functools import lru_cache
from types import ModuleType
from typing import Any

from penstock.compiler import backends
from penstock.compiler.runtime import build
from penstock.errors import BackendError


@lru_cache
def find_backends() -> dict[str, ModuleType]:
    """Return the backends by name."""
    found = {}
    for module in pkgutil.iter_modules(backends.__path__):
        loaded: Any = importlib.import_module(f"{backends.__name__}.{module.name}")
        if hasattr(loaded, "prepare"):
            found[loaded.name] = loaded
    return found


def find_backend(name: str) -> Any:
    """Return a backend by name.

    Raises:
        BackendError: there is none of that name, or it cannot run here; the message says why.
    """
    known = find_backends()
    if name not in known:
        raise BackendError(f"no backend {name!r}; there are: auto, {', '.join(sorted(known))}")
    if (why := why_not(name)) is not None:
        raise BackendError(f"the backend {name!r} cannot run here: {why}")
    return known[name]


def why_not(name: str) -> str | None:
    """Return why a backend cannot run here, None where it can."""
    needs_compiler = find_backends()[name].needs_compiler
    return build.NO_COMPILER if needs_compiler and build.compiler() is None else None

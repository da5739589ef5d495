"""Cell → Program, one call a stage. Read this first.

Cell      --trace-->          Graph        one step, as nodes
Graph     --hoist-->          Hoisted      without the products of x, which go before the loop
Graph     --differentiate-->  Backward     the step backwards
both      --make_plan-->      LoopPlan     stages, what is saved, what lies where
LoopPlan  --prepare-->        Kernel       by a backend: eager interprets it, c compiles it
Kernel    --Program-->        Program      a differentiable function of tensors
"""

import importlib
import pkgutil
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from penstock.cells.base import Cell, Place
from penstock.compiler import backends, build
from penstock.compiler.backends.base import Bound
from penstock.compiler.gradient import differentiate
from penstock.compiler.graph import Backward, Graph, Hoisted, LoopPlan
from penstock.compiler.hoist import hoist
from penstock.compiler.plan import make_plan
from penstock.compiler.program import Inputs, Kept, Program
from penstock.compiler.trace import trace
from penstock.errors import BackendError

# The program of each cell class, or the error that it gave, for as long as the class lives.
_PROGRAMS: WeakKeyDictionary[type[Cell], dict[Any, Program | BackendError]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Stages:
    """What each pass made of a cell."""

    graph: Graph
    hoisted: Hoisted
    backward: Backward
    plan: LoopPlan


def lower(cell: Cell, place: Place, bias: bool = True, streaming: bool = False) -> Stages:
    """Return a cell's graph, its gradient and their plan.

    streaming: the input comes a step at a time, so that nothing can go before the loop.

    Raises:
        TraceError: the step does what the compiler has no op for.
    """
    graph = trace(cell, place.lowest, bias).verify()
    hoisted = Hoisted(graph, {}) if streaming else hoist(graph)
    loop = hoisted.loop.verify()
    backward = differentiate(loop)
    backward.graph.verify()
    plan = make_plan(loop, backward, cell.usage(place).x_gates)
    plan.backward.graph.verify()
    return Stages(graph, hoisted, backward, plan)


def compile_cell(
    cell: Cell, place: Place, bias: bool, dtype: str, backend: str, streaming: bool = False
) -> Program:
    """Return a cell's program on a backend.

    Raises:
        TraceError: the step does what the compiler has no op for.
        BackendError: the backend cannot run here.
    """
    stages = lower(cell, place, bias, streaming)
    kernel = find_backend(backend).prepare(stages.plan, dtype, build.library)
    return Program(cell, place, stages.hoisted, stages.plan, kernel)


def program(
    cell: Cell, place: Place, bias: bool, dtype: str, backend: str, streaming: bool = False
) -> Program:
    """Return a cell's program, compiled at most once in a process; raises as `compile_cell`."""
    made = _PROGRAMS.setdefault(type(cell), {})
    key = (*cell.hyperparameters.values(), place, bias, dtype, backend, streaming)
    if key not in made:
        try:
            made[key] = compile_cell(cell, place, bias, dtype, backend, streaming)
        except BackendError as error:
            made[key] = error
    result = made[key]
    if isinstance(result, BackendError):
        raise result
    return result


@lru_cache
def find_backends() -> dict[str, ModuleType]:
    """Return the backends by name, found by looking."""
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


__all__ = [
    "Bound",
    "Inputs",
    "Kept",
    "Program",
    "compile_cell",
    "find_backend",
    "lower",
    "program",
    "why_not",
]

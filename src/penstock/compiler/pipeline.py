"""Cell → Program, one call a stage. Read this first.

Cell      --trace-->          Graph        one step, as nodes
Graph     --modify-->         Graph        with zoneout, layer norm and the like, where asked for
Graph     --hoist, derive-->  Hoisted      without what goes before the loop: products of x
Graph     --differentiate-->  Backward     the step backwards
both      --make_plan-->      LoopPlan     stages, what is saved, what lies where
LoopPlan  --prepare-->        Kernel       by a backend: eager interprets it, c compiles it
Kernel    --Program-->        Program      a differentiable function of tensors
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from penstock.cells import Cell, Place
from penstock.compiler import backends, build
from penstock.compiler.backends.base import Bound
from penstock.compiler.evaluate import evaluate
from penstock.compiler.gradient import differentiate
from penstock.compiler.graph import Backward, Graph, Hoisted, LoopPlan
from penstock.compiler.hoist import derive, hoist
from penstock.compiler.memory import check
from penstock.compiler.modify import added, modify
from penstock.compiler.plan import make_plan
from penstock.compiler.products import Stacks
from penstock.compiler.program import Kept, Program, widths
from penstock.compiler.sweep import Sweep
from penstock.compiler.trace import trace, trace_output
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


def modified(cell: Cell, place: Place, bias: bool = True) -> Graph:
    """Return a cell's step with the changes that its place asks for; raises as `lower`."""
    return modify(trace(cell, place.lowest, bias).verify(), place.modifiers).verify()


def shapes(cell: Cell, place: Place) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a cell's parameters at a place, and of those that modifiers add."""
    own = cell.shapes(place)
    if not place.modifiers.any:
        return own
    sizes = widths(cell, place)
    return own | {name: (sizes[w],) for name, w in added(modified(cell, place)).items()}


def modified_step(
    cell: Cell, place: Place, weights: Mapping[str, Tensor]
) -> Callable[[Mapping[str, Tensor]], tuple[Tensor, ...]]:
    """Return a modified step in torch, from its inputs by kind and name to the new states."""
    graph = modified(cell, place, any(name.startswith("bias_") for name in weights))
    stacks, sizes = Stacks(cell, place), widths(cell, place)
    names = [node.name for node in graph.nodes if node.op == "vector"]
    vectors = {f"vector.{name}": stacks.piece(weights, name) for name in names}

    def step(inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        new = evaluate(graph, {**inputs, **vectors}, sizes, partial(stacks.piece, weights))
        rows = inputs["x.x"].shape[0]
        widths = (graph.nodes[graph.outputs[name]].width for name in new)
        return tuple(v.expand(rows, sizes[w]) for v, w in zip(new.values(), widths, strict=True))

    return step


def lower(cell: Cell, place: Place, bias: bool = True, streaming: bool = False) -> Stages:
    """Return a cell's graph, its gradient and their plan.

    streaming: the input comes a step at a time, so that nothing can go before the loop.

    Raises:
        TraceError: the step does what the compiler has no op for.
    """
    graph = modified(cell, place, bias)
    hoisted = derive(Hoisted(graph, {}) if streaming else hoist(graph))
    gradient = differentiate(hoisted.derived).graph
    hoisted = replace(hoisted, derived_gradient=gradient)
    loop = hoisted.loop.verify()
    backward = differentiate(loop)
    backward.graph.verify()
    plan = make_plan(loop, backward, cell.usage(place).x_gates)
    plan.backward.graph.verify()
    return Stages(graph, hoisted, backward, plan)


def lower_output(cell: Cell, bias: bool = True) -> tuple[Graph, Backward] | None:
    """Return the graph of a cell's output and its gradient; None where it is the first state.

    No kernel is made of them: torch runs the output, for all steps at once.
    """
    if cell.output is None:
        return None
    graph = trace_output(cell, bias).verify()
    return graph, differentiate(graph)


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
    return Program(cell, place, stages.hoisted, stages.plan, kernel, getattr(torch, dtype))


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
    "Kept",
    "Program",
    "Sweep",
    "check",
    "compile_cell",
    "find_backend",
    "lower",
    "lower_output",
    "modified_step",
    "program",
    "shapes",
    "why_not",
]

"""Cell → Program, one call a stage. Read this first.

Cell      --trace-->          Graph        one step, as nodes
Graph     --modify-->         Graph        with zoneout, layer norm and the like, where asked for
Graph     --hoist, derive-->  Hoisted      without what goes before the loop: products of x
          or gather           Graph        where these stay: sums of products as one
Graph     --differentiate-->  Backward     the step backwards
both      --save-->           Saving       what is saved for it, what it computes again
each      --cut-->            Stages       of a step, between waits for whole rows
all       --store-->          LoopPlan     what lies where
LoopPlan  --prepare-->        Kernel       by a backend: `interpreter` walks it, `c` compiles it
Kernel    --Program-->        Program      a differentiable function of tensors

After each stage stands its specification, of `ir.verify`: what may still be there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from penstock.cells import Cell, Place
from penstock.compiler.backends.base import Bound
from penstock.compiler.backends.memory import check
from penstock.compiler.ir import verify
from penstock.compiler.ir.graph import BIASES, Backward, Graph, Hoisted, Saving
from penstock.compiler.ir.plan import LoopPlan
from penstock.compiler.passes.gather import gather
from penstock.compiler.passes.gradient import differentiate
from penstock.compiler.passes.hoist import derive, hoist
from penstock.compiler.passes.modify import modify
from penstock.compiler.passes.save import save
from penstock.compiler.passes.stages import cut
from penstock.compiler.passes.storage import put_backward, put_forward, store
from penstock.compiler.passes.trace import trace, trace_output
from penstock.compiler.runtime import build, made
from penstock.compiler.runtime.choice import find_backend, find_backends, why_not
from penstock.compiler.runtime.modified import TorchStep, parameter_shapes, torch_step
from penstock.compiler.runtime.program import Kept, Program
from penstock.compiler.runtime.sweep import Sweep
from penstock.compiler.runtime.tiles import in_tiles
from penstock.compiler.runtime.written import WrittenStep, write


@dataclass(frozen=True)
class Lowered:
    """What each pass made of a cell."""

    graph: Graph[str]
    hoisted: Hoisted
    backward: Backward
    plan: LoopPlan


def modified(cell: Cell, place: Place, bias: bool = True) -> Graph[str]:
    """Return a cell's step with the changes that its place asks for; raises as `lower`."""
    traced = verify.traced(trace(cell, place.lowest, bias))
    return verify.modified(modify(traced, place.modifiers))


def lower(cell: Cell, place: Place, bias: bool = True, streaming: bool = False) -> Lowered:
    """Return a cell's graph, its gradient and their plan; of a streaming one forward alone.

    streaming: nothing goes before the loop: the input comes a step at a time, or so many rows
    have a step that its products of x are as quick as those of all steps together, and need not
    be written down and read again.

    Raises:
        TraceError: the step does what the compiler has no op for.
    """
    graph = modified(cell, place, bias)
    hoisted = derive(
        Hoisted(verify.gathered(gather(graph)), {}) if streaming else verify.hoisted(hoist(graph))
    )
    gradient = differentiate(verify.derived(hoisted).derived).graph
    hoisted = replace(hoisted, derived_gradient=gradient)
    loop = hoisted.loop
    backward = verify.differentiated(loop, differentiate(loop))
    saving = Saving() if streaming else verify.saving(loop, save(loop, backward))
    ahead = verify.stages(loop, cut(loop, put_forward(loop, saving)))
    back = cut(saving.backward.graph, put_backward(saving))
    back = verify.stages(saving.backward.graph, back)
    plan = verify.plan(store(loop, saving, (ahead, back), cell.usage(place).x_gates))
    return Lowered(graph, hoisted, backward, plan)


def lower_output(cell: Cell, bias: bool = True) -> tuple[Graph[str], Backward] | None:
    """Return the graph of a cell's output and its gradient; None where it is the first state.

    No kernel is made of them: torch runs the output, for all steps at once.
    """
    if cell.output is None:
        return None
    graph = verify.traced(trace_output(cell, bias))
    return graph, verify.differentiated(graph, differentiate(graph))


def compile_cell(
    cell: Cell, place: Place, bias: bool, dtype: str, backend: str, streaming: bool = False
) -> Program:
    """Return a cell's program on a backend.

    Raises:
        TraceError: the step does what the compiler has no op for.
        BackendError: the backend cannot run here.
    """
    lowered = lower(cell, place, bias, streaming)
    kernel = find_backend(backend).prepare(lowered.plan, dtype, build.library)
    numbers = getattr(torch, dtype)
    return Program(cell, place, lowered.hoisted, lowered.plan, kernel, numbers)


def program(
    cell: Cell, place: Place, bias: bool, dtype: str, backend: str, streaming: bool = False
) -> Program:
    """Return a cell's program, compiled at most once in a process; raises as `compile_cell`."""
    key = (*cell.hyperparameters.values(), place, bias, dtype, backend, streaming)
    return made.once(
        type(cell), key, lambda: compile_cell(cell, place, bias, dtype, backend, streaming)
    )


def shapes(cell: Cell, place: Place) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a cell's parameters at a place, and of those that modifiers add."""
    if not place.modifiers.any:
        return cell.shapes(place)
    return parameter_shapes(modified(cell, place), cell, place)


def written(cell: Cell, place: Place, weights: Mapping[str, Tensor]) -> WrittenStep:
    """Return a cell's step at a place with these weights, as values, for what prints it."""
    bias = any(stack in weights for stack in BIASES)
    output = lower_output(cell, bias)
    return write(modified(cell, place, bias), output and output[0], cell, place, weights)


def modified_step(cell: Cell, place: Place, weights: Mapping[str, Tensor]) -> TorchStep:
    """Return a modified step in torch."""
    bias = any(stack in weights for stack in BIASES)
    return torch_step(modified(cell, place, bias), cell, place, weights)


__all__ = [
    "Bound",
    "Kept",
    "Program",
    "Sweep",
    "WrittenStep",
    "check",
    "compile_cell",
    "find_backend",
    "find_backends",
    "in_tiles",
    "lower",
    "lower_output",
    "modified_step",
    "program",
    "shapes",
    "why_not",
    "written",
]

"""A cell at a place with modifiers, in torch: the shapes of its parameters, and its step."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from penstock.cells import Cell, Place
from penstock.compiler.ir.evaluate import evaluate
from penstock.compiler.ir.graph import Graph, Origin, StepInput
from penstock.compiler.runtime.products import Stacks
from penstock.compiler.runtime.program import widths

TorchStep = Callable[
    [Tensor, tuple[Tensor, ...], tuple[Tensor, ...], Mapping[str, Tensor]], tuple[Tensor, ...]
]


def parameter_shapes(graph: Graph[str], cell: Cell, place: Place) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a cell's parameters at a place, and of those that modifiers added."""
    sizes = widths(cell, place)
    vectors = ((n.vector, (sizes[n.width],)) for n in graph.nodes)
    own = {v.parameter: shape for v, shape in vectors if v and not v.gate}
    return cell.shapes(place) | own


def torch_step(
    graph: Graph[str], cell: Cell, place: Place, weights: Mapping[str, Tensor]
) -> TorchStep:
    """Return a step in torch, from x, states, lower states and masks to the new states."""
    stacks, sizes = Stacks(cell, place), widths(cell, place)
    vectors = [node.vector for node in graph.nodes if node.vector]
    fixed = {StepInput(Origin.VECTOR, v): stacks.piece(weights, v) for v in vectors}

    def step(
        x: Tensor,
        states: tuple[Tensor, ...],
        below: tuple[Tensor, ...],
        masks: Mapping[str, Tensor],
    ) -> tuple[Tensor, ...]:
        given: dict[str, Mapping[Any, Tensor]] = {
            Origin.X: {"": x},
            Origin.STATE: dict(zip(cell.states, states, strict=True)),
            Origin.BELOW: dict(zip(cell.below, below, strict=False)),
            Origin.MASK: masks,
            Origin.HELD_MASK: masks,
        }
        inputs = {n.leaf: given[n.op][n.name] for n in graph.nodes if n.op in given}
        new = evaluate(graph, {**inputs, **fixed}, sizes, partial(stacks.piece, weights))
        names = (graph.nodes[graph.outputs[name]].width for name in new)
        B = x.shape[0]  # not len, which is a constant in a trace
        return tuple(v.expand(B, sizes[w]) for v, w in zip(new.values(), names, strict=True))

    return step

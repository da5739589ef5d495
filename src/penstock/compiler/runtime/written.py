"""A cell's step with its weights, as values: what an exporter prints."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from penstock.cells import Cell, Place
from penstock.compiler.ir.graph import Graph, Weight
from penstock.compiler.runtime.products import Stacks
from penstock.compiler.runtime.program import widths


@dataclass(frozen=True)
class WrittenStep:
    """One step of one direction of a layer.

    Attributes:
        graph: from x, the old states and those of the layer below to the new states, by name.
            Modifiers are in it as they are in evaluation, hyperparameters are constants.
        output: from x and the new states to what the layer gives; None where that is the first
            state. Its one output is named "output".
        sizes: of the widths that nodes have by name.
        weights: each matrix [rows, columns] and vector that the graphs read, as it is stored:
            a node names the transpose, where it takes that, by `Weight.transposed`.
    """

    graph: Graph[str]
    output: Graph[str] | None
    sizes: Mapping[str, int]
    weights: Mapping[Weight, Tensor]


def write(
    graph: Graph[str],
    output: Graph[str] | None,
    cell: Cell,
    place: Place,
    weights: Mapping[str, Tensor],
) -> WrittenStep:
    """Return the graphs of a cell at a place, with the pieces of its weights that they read."""
    stacks = Stacks(cell, place)
    nodes = [*graph.nodes, *(output.nodes if output else ())]
    read = [w.as_stored() for node in nodes for w in (*node.weights, node.vector) if w]
    pieces = {w: stacks.piece(weights, w).detach() for w in dict.fromkeys(read)}
    return WrittenStep(graph, output, widths(cell, place), pieces)

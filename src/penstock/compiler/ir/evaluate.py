"""A graph computed in torch, node by node: differentiable, to any order.

The oracle of a modified step, which no cell's code says, and what is made once a sweep.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.compiler.ir.graph import NUMBERS, Graph, Key, Node, Origin, StepInput, Weight
from penstock.compiler.ir.ops import OPS

_NOTHING: Mapping[Any, Any] = {}


def evaluate(
    graph: Graph[Key],
    inputs: Mapping[StepInput, Tensor],
    sizes: Mapping[str, int] = _NOTHING,
    matrix: Callable[[Weight], Tensor] = _NOTHING.__getitem__,
) -> dict[Key, Tensor]:
    """Return the outputs of a graph.

    sizes: of the widths. matrix: gives the weights, as they are stored.
    """
    like, values = next(iter(inputs.values())), list[Tensor]()
    for node in graph.nodes:
        args = [values[a] for a in node.args]
        if node.op == "linear":
            values.append(_product(node, args, matrix))
        elif node.op in NUMBERS:
            number = node.value if node.op == Origin.CONST else float(sizes[str(node.name)])
            values.append(like.new_full((), number))  # new_tensor refuses negative views
        elif node.is_input:
            values.append(inputs[node.leaf])
        elif node.op == "expand":
            values.append(args[0].expand(*args[0].shape[:-1], sizes[node.width]))
        else:
            values.append(OPS[node.op].torch(*args))
    return {name: values[k] for name, k in graph.outputs.items()}


def _product(node: Node, args: list[Tensor], matrix: Callable[[Weight], Tensor]) -> Tensor:
    weights = [matrix(w).T if w.transposed else matrix(w) for w in node.weights]
    terms = [linear(value, weight) for value, weight in zip(args, weights, strict=True)]
    return torch.stack(terms).sum(0) if len(terms) > 1 else terms[0]

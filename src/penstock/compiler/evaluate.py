"""A graph computed in torch, node by node: differentiable, to any order.

The oracle of a modified step, which no cell's code says. Legend: B rows, W width.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.compiler.graph import Graph, Node
from penstock.compiler.ops import OPS
from penstock.compiler.products import Stacks, Weights


def evaluate(
    graph: Graph,
    stacks: Stacks,
    sizes: Mapping[str, int],
    weights: Weights,
    inputs: Mapping[str, Tensor],
) -> tuple[Tensor, ...]:
    """Return the new states, [B, W] each.

    stacks, sizes, weights: of the cell at its place. inputs: ``x.x``, ``state.<name>``,
    ``below.<name>`` and ``mask.<name>`` by name, [B, W] each.
    """
    values: list[Tensor] = []
    for node in graph.nodes:
        args = [values[a] for a in node.args]
        if node.op == "linear":
            values.append(_product(node, args, stacks, weights))
        elif node.op in ("const", "features"):
            number = node.value if node.op == "const" else float(sizes[node.name])
            values.append(inputs["x.x"].new_tensor(number))
        elif node.op == "vector":
            values.append(stacks.piece(weights, node.name))
        elif node.is_input:
            values.append(inputs[f"{node.op}.{node.name}"])
        else:
            values.append(OPS[node.op].torch(*args))
        if node.op == "expand":
            values[-1] = values[-1].expand(-1, sizes[node.width])
    rows = inputs["x.x"].shape[0]
    return tuple(_rows(values[k], rows, graph.nodes[k], sizes) for k in graph.outputs.values())


def _product(node: Node, args: Sequence[Tensor], stacks: Stacks, weights: Weights) -> Tensor:
    matrices = ((stacks.piece(weights, w.name), w.transposed) for w in node.weights)
    terms = zip(args, matrices, strict=True)
    return torch.stack([linear(v, m.T if t else m) for v, (m, t) in terms]).sum(0)


def _rows(value: Tensor, rows: int, node: Node, sizes: Mapping[str, int]) -> Tensor:
    """Return a state that the inputs may not reach, as one for each row."""
    return value.expand(rows, sizes[node.width])

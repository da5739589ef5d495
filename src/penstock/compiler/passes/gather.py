"""Sums of products made as one, where the products of x stay in the loop."""

from collections.abc import Iterator

from penstock.compiler.ir.builder import Builder, Value, prune, rebuild
from penstock.compiler.ir.graph import Graph, Node


def gather(graph: Graph[str]) -> Graph[str]:
    """Make the products that are added up to one value as one product of several terms.

    Of the LSTM's gate f::

        before   ((W_f x + b_ih) + b_hh) + U_f h        after   (W_f x + U_f h) + (b_ih + b_hh)

    The one product adds up in registers what would be put away twice and added; the biases' sum is
    made once a sweep, by `hoist.derive`.
    """
    users = graph.users()

    def is_inner(k: int, width: str) -> bool:
        """Return whether only one sum reads a node, and it is as wide."""
        once = len(users[k]) == 1 and k not in graph.outputs.values()
        return once and graph.nodes[k].width == width and graph.nodes[users[k][0]].op == "add"

    def terms(k: int, width: str) -> Iterator[int]:
        """Yield the nodes that are added up to one."""
        for a in graph.nodes[k].args:
            if graph.nodes[a].op == "add" and is_inner(a, width):
                yield from terms(a, width)
            else:
                yield a

    def sum_up(builder: Builder, new: list[Value], node: Node) -> Value | None:
        k = len(new)
        if node.op != "add" or is_inner(k, node.width):
            return None  # the sum that it is part of takes it in
        parts = [*terms(k, node.width)]
        linear = [a for a in parts if graph.nodes[a].op == "linear" and is_inner(a, node.width)]
        vectors = [a for a in parts if graph.nodes[a].vector]
        if max(len(linear), len(vectors)) < 2:
            return None
        sums = [_together(builder, new, linear, graph), _sum(new, vectors)]
        rest = [new[a] for a in parts if a not in (*linear, *vectors)]
        found = [value for value in (*sums, *rest) if value is not None]
        return sum(found[1:], found[0])

    builder = Builder()
    new = rebuild(graph, builder, sum_up)
    outputs = {name: new[k].index for name, k in graph.outputs.items()}
    return prune(Graph(tuple(builder.nodes), outputs))


def _together(
    builder: Builder, new: list[Value], nodes: list[int], graph: Graph[str]
) -> Value | None:
    """Return several products as one."""
    found = [
        (weight, new[arg])
        for k in nodes
        for weight, arg in zip(graph.nodes[k].weights, graph.nodes[k].args, strict=True)
    ]
    return builder.linear(*found, width=graph.nodes[nodes[0]].width) if found else None


def _sum(new: list[Value], nodes: list[int]) -> Value | None:
    values = [new[k] for k in nodes]
    return sum(values[1:], values[0]) if values else None

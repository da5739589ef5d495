"""How passes make graphs: values with a tensor's arithmetic; no node is made twice."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.compiler.ir.graph import Graph, Key, LeafName, Node, Origin, Weight
from penstock.compiler.ir.ops import OPS

Scalar = float | int


@dataclass(frozen=True)
class Value:
    """A node under construction, with the arithmetic of a tensor."""

    builder: "Builder"
    index: int

    @property
    def node(self) -> Node:
        """The node that this value is."""
        return self.builder.nodes[self.index]

    def __add__(self, other: "Value | Scalar") -> "Value":
        return self.builder.emit("add", self, other)

    __radd__ = __add__

    def __mul__(self, other: "Value | Scalar") -> "Value":
        return self.builder.emit("mul", self, other)

    __rmul__ = __mul__

    def __sub__(self, other: "Value | Scalar") -> "Value":
        return self.builder.emit("sub", self, other)

    def __rsub__(self, other: "Value | Scalar") -> "Value":
        return self.builder.emit("sub", other, self)

    def __truediv__(self, other: "Value | Scalar") -> "Value":
        return self.builder.emit("div", self, other)

    def __rtruediv__(self, other: "Value | Scalar") -> "Value":
        return self.builder.emit("div", other, self)

    def __neg__(self) -> "Value":
        return self.builder.emit("neg", self)


@dataclass
class Builder:
    """Makes a graph; a node that is there already is not made again."""

    wrap: Callable[["Builder", int], Value] = Value
    nodes: list[Node] = field(default_factory=list)
    _seen: dict[Node, int] = field(default_factory=dict)

    def add(self, node: Node) -> Value:
        """Return the value of a node, made at most once."""
        if node not in self._seen:
            self._seen[node] = len(self.nodes)
            self.nodes.append(node)
        return self.wrap(self, self._seen[node])

    def input(self, origin: Origin, name: LeafName, width: str) -> Value:
        """Return an input of the step."""
        return self.add(Node(origin, (), width, name))

    def const(self, value: Scalar) -> Value:
        """Return a constant."""
        return self.add(Node(Origin.CONST, (), "1", value=float(value)))

    def linear(self, *terms: tuple[Weight, Value], width: str) -> Value:
        """Return the sum of weights times values."""
        weights, values = zip(*terms, strict=True)
        return self.add(
            Node("linear", tuple(v.index for v in values), width, weights=tuple(weights))
        )

    def emit(self, op: str, *args: "Value | Scalar") -> Value:
        """Return an op of values and numbers; constants are folded, x·1 and x+0 are x."""
        values = [a if isinstance(a, Value) else self.const(a) for a in args]
        if (simple := self._simplified(op, values)) is not None:
            return simple
        width = "1"
        for v in values:
            if v.node.width != "1" and not OPS[op].rowwise:
                width = v.node.width
        return self.add(Node(op, tuple(v.index for v in values), width))

    def _simplified(self, op: str, values: list[Value]) -> Value | None:
        numbers = [v.node.value if v.node.op == Origin.CONST else None for v in values]
        neutral = {"mul": 1, "div": 1, "add": 0, "sub": 0}.get(op)
        if neutral is not None and numbers[1] == neutral:
            return values[0]
        if op in ("mul", "add") and numbers[0] == neutral:
            return values[1]
        last = values[-1].node
        if op in ("add", "neg") and last.op == "neg":
            inner = self.wrap(self, last.args[0])
            return inner if op == "neg" else values[0] - inner
        fold = OPS[op].number
        return self.const(fold(*numbers)) if fold and None not in numbers else None

    def graph(self, outputs: Mapping[Key, Value]) -> Graph[Key]:
        """Return the graph of what the outputs need."""
        return prune(Graph(tuple(self.nodes), {n: v.index for n, v in outputs.items()}))


def normalised(values: list[Value], epsilon: float = 1e-5) -> list[Value]:
    """Return values less their common mean, over their common deviation: layer norm.

    The variance depends on the mean too, but Σ (a − mean a) = 0 stands before that part of its
    gradient: with the mean held, a backward step waits for whole rows once, not twice.
    """
    builder, width = values[0].builder, values[0].node.width
    count = len(values) * builder.input(Origin.FEATURES, width, "1")
    mean = builder.emit("sum", sum(values[1:], values[0])) / count
    squares = [c * c for c in (v - builder.emit("held", mean) for v in values)]
    variance = builder.emit("sum", sum(squares[1:], squares[0])) / count
    scale = builder.emit("rsqrt", variance + epsilon)
    return [(v - mean) * scale for v in values]


def rebuild(
    graph: Graph[Any],
    builder: Builder,
    replace: Callable[[Builder, list[Value], Node], Value | None],
) -> list[Value]:
    """Copy a graph's nodes into a builder; `replace` may give another value for a node.

    It is told the values that stand for the nodes before.
    """
    new: list[Value] = []
    for node in graph.nodes:
        value = replace(builder, new, node)
        if value is None:
            args = tuple(new[a].index for a in node.args)
            value = builder.add(dataclasses.replace(node, args=args))
        new.append(value)
    return new


def prune(graph: Graph[Key]) -> Graph[Key]:
    """Return a graph without the nodes that no output needs."""
    needed = set(graph.outputs.values())
    for k in reversed(range(len(graph.nodes))):
        if k in needed:
            needed.update(graph.nodes[k].args)
    order = {k: n for n, k in enumerate(sorted(needed))}
    nodes = (graph.nodes[k] for k in order)
    return Graph(
        tuple(dataclasses.replace(n, args=tuple(order[a] for a in n.args)) for n in nodes),
        {name: order[k] for name, k in graph.outputs.items()},
    )

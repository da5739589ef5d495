"""The values that the passes hand on, all frozen: graphs of one step, and the plan of its loops.

A step is straight-line code over rows: every node is a tensor [B, width]. Widths are names
(``"hidden_size"``, ``"input_size"``, an integer hyperparameter, or ``"1"`` for one number a row),
so that one graph, and one kernel, serves all sizes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.compiler.ops import INPUTS, OPS


@dataclass(frozen=True)
class Weight:
    """A matrix by name: ``W.f`` and ``U.f`` of gate f, or a Matrix's own; transposed or not."""

    name: str
    transposed: bool = False

    def __str__(self) -> str:
        return self.name + ("ᵀ" if self.transposed else "")


@dataclass(frozen=True)
class Node:
    """One value of a step.

    op: ``"linear"`` (the sum of weights[k] times args[k]), an op of the table, or an input.
    args: the nodes that it reads. name: of an input. value: of a constant.
    """

    op: str
    args: tuple[int, ...]
    width: str
    name: str = ""
    value: float = 0.0
    weights: tuple[Weight, ...] = ()

    @property
    def is_input(self) -> bool:
        """Whether the value is there before the step begins."""
        return self.op in INPUTS


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which each reads only earlier ones, and the outputs by name."""

    nodes: tuple[Node, ...]
    outputs: Mapping[str, int]

    def verify(self) -> "Graph":
        """Return this graph, or raise AssertionError where it is not well formed."""
        for k, node in enumerate(self.nodes):
            assert all(0 <= a < k for a in node.args), f"node {k} reads a later one: {node}"
            widths = {self.nodes[a].width for a in node.args} - {"1"}
            if node.op == "linear":
                assert len(node.args) == len(node.weights) > 0, f"node {k}: {node}"
            elif not node.is_input:
                op = OPS[node.op]
                assert len(node.args) == op.arity, f"node {k}: {node.op} of {len(node.args)}"
                wanted = "1" if op.rowwise else next(iter(widths), "1")
                assert len(widths) <= 1, f"node {k}: widths {widths} meet in {node.op}"
                if node.op != "expand":
                    assert node.width == wanted, f"node {k}: width {node.width}"
        assert all(0 <= k < len(self.nodes) for k in self.outputs.values()), "a dangling output"
        return self

    def users(self) -> list[list[int]]:
        """Return for each node the nodes that read it."""
        users: list[list[int]] = [[] for _ in self.nodes]
        for k, node in enumerate(self.nodes):
            for a in dict.fromkeys(node.args):
                users[a].append(k)
        return users

    def __str__(self) -> str:
        lines = [f"%{k}: {n.width:12} = {_right_side(n)}" for k, n in enumerate(self.nodes)]
        return "\n".join([*lines, *(f"{name} ← %{k}" for name, k in self.outputs.items())])


def _right_side(node: Node) -> str:
    if node.op == "const":
        return f"{node.value:g}"
    if node.is_input:
        return f"{node.op} {node.name}".strip()
    if node.op == "linear":
        return " + ".join(f"{w} %{a}" for w, a in zip(node.weights, node.args, strict=True))
    return f"{node.op}({', '.join(f'%{a}' for a in node.args)})"


@dataclass(frozen=True)
class Hoisted:
    """A step without its products of x.

    loop: the graph, in which ``lifted f`` stands for W_f x and those of f's biases that `biases`
    names. derived: what is made of vectors alone; each output is a vector of the loop.
    derived_gradient: the gradients of these vectors, given those of the outputs.
    """

    loop: Graph
    biases: Mapping[str, tuple[str, ...]]
    derived: Graph = Graph((), {})
    derived_gradient: Graph = Graph((), {})

    def __str__(self) -> str:
        before = [f"lifted {g} = {' + '.join([f'W.{g} x', *b])}" for g, b in self.biases.items()]
        derived = [str(self.derived), ""] if self.derived.outputs else []
        return "\n".join([*derived, *before, str(self.loop)])


@dataclass(frozen=True)
class Product:
    """A weight's gradient, Σ over steps and rows of adjointᵀ value: one GEMM after the loop.

    weight: the matrix as it was applied; where transposed, so is its gradient. adjoint, value:
    nodes of the backward graph.
    """

    weight: Weight
    adjoint: int
    value: int


@dataclass(frozen=True)
class Backward:
    """One step backwards.

    graph: its inputs ``grad s`` are the gradients of the new states; it holds the forward step's
    nodes too. Its outputs: ``grad.s`` for the old states, ``lifted.f``, ``below.s`` and ``x``,
    each a gradient of that input at this step, and ``vector.p``, which is summed over the steps.
    forward: where each node of the forward graph is. products: the weights' gradients.
    """

    graph: Graph
    forward: tuple[int, ...]
    products: tuple[Product, ...]

    def __str__(self) -> str:
        after = [f"gradient of {p.weight} = Σ %{p.adjoint}ᵀ %{p.value}" for p in self.products]
        return "\n".join([str(self.graph), *after])


@dataclass(frozen=True)
class Slot:
    """Where a value lies: a column of a buffer, and how step and row pick the place in it.

    index: ``"old"``/``"new"``, a state before and after the step; ``"time"``, a value of every
    step; ``"adjoint"``, the same, but 0 where a row is past its end; ``"from"``/``"to"``, a
    gradient carried from step to step; ``"total"``, summed over the steps; ``"row"``, scratch;
    ``"vector"``, one row for all.
    """

    buffer: str
    index: str
    column: int = 0

    def __str__(self) -> str:
        return f"{self.buffer}[{self.index}, {self.column}]"


@dataclass(frozen=True)
class Group:
    """Products made together: node k is Σ over terms of weights[k][term] times args[term]."""

    nodes: tuple[int, ...]
    args: tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """A pass over the columns of one width: products, then an elementwise body, in this order."""

    width: str
    groups: tuple[Group, ...]
    body: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Loop:
    """What a kernel does for every step.

    loads: where the inputs, and what other stages made, are read. stores: where values are put.
    buffers: each buffer's width and number of columns.
    """

    graph: Graph
    stages: tuple[Stage, ...]
    loads: Mapping[int, Slot]
    stores: Mapping[int, tuple[Slot, ...]]
    buffers: Mapping[str, tuple[str, int]]

    def __str__(self) -> str:
        lines = []
        for k, stage in enumerate(self.stages):
            lines.append(f"stage {k}, over {stage.width}:")
            for group in stage.groups:
                lines += [f"  product %{n} = {self._product(n)}" for n in group.nodes]
            for n in stage.body:
                node = self.graph.nodes[n]
                lines.append(f"  %{n} = {node.op}({', '.join(f'%{a}' for a in node.args)})")
        lines += [
            f"read %{k} from {s.buffer}[{s.index}, {s.column}]" for k, s in self.loads.items()
        ]
        for k, slots in self.stores.items():
            lines += [f"put %{k} in {s.buffer}[{s.index}, {s.column}]" for s in slots]
        return "\n".join(lines)

    def _product(self, n: int) -> str:
        node = self.graph.nodes[n]
        return " + ".join(f"{w} %{a}" for w, a in zip(node.weights, node.args, strict=True))


@dataclass(frozen=True)
class Operand:
    """A weight's gradient as a GEMM of two buffers: Σ over T·B rows of adjointᵀ value."""

    weight: Weight
    adjoint: Slot
    value: Slot


@dataclass(frozen=True)
class LoopPlan:
    """The forward loop, the backward loop, and the products after it.

    lifted: the gates whose W x + b is made before the loop, in the order of their columns.
    """

    forward: Loop
    backward: Loop
    operands: tuple[Operand, ...]
    lifted: tuple[str, ...]

    def __str__(self) -> str:
        products = [f"gradient of {o.weight} = {o.adjoint}ᵀ {o.value}" for o in self.operands]
        parts = ["forward", str(self.forward), "", "backward", str(self.backward), "", *products]
        return "\n".join(parts)

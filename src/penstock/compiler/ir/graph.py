"""The values that the passes hand on, all frozen: graphs of one step.

A step is straight-line code over rows: every node is a tensor [B, width]. Widths are names
(``"hidden_size"``, ``"input_size"``, an integer hyperparameter, or ``"1"`` for one number a row),
so that one graph, and one kernel, serves all sizes. Where values lie is said by `plan`.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar


class Stacked(StrEnum):
    """The parameters in which the gates' weights stand, one below the other."""

    W = "weight_ih"
    U = "weight_hh"
    BIAS_X = "bias_ih"
    BIAS_H = "bias_hh"


BIASES = (Stacked.BIAS_X, Stacked.BIAS_H)
_SYMBOLS: Mapping[str, str] = {Stacked.W: "W", Stacked.U: "U"}


@dataclass(frozen=True)
class Weight:
    """A matrix or vector that is learned: a gate's rows of a stack, or a parameter of its own.

    parameter: a `Stacked`, or the name of a parameter that belongs to no gate. gate: whose rows,
    "" for the whole parameter. transposed: whether a product takes the matrix so.
    """

    parameter: str
    gate: str = ""
    transposed: bool = False

    def turned(self) -> "Weight":
        """Return the transpose."""
        return replace(self, transposed=not self.transposed)

    def as_stored(self) -> "Weight":
        """Return the same matrix, not transposed."""
        return replace(self, transposed=False) if self.transposed else self

    def __str__(self) -> str:
        name = _SYMBOLS.get(self.parameter, str(self.parameter))
        return name + (f".{self.gate}" if self.gate else "") + ("ᵀ" if self.transposed else "")


class Origin(StrEnum):
    """What a step finds there before it begins; such a node's op. The set is closed."""

    STATE = "state"  # a state before the step
    NEW = "new"  # a state after the step, for the step backwards
    X = "x"
    BELOW = "below"  # a state of the lower layer, after its step
    MASK = "mask"  # [T, B, S], another at every step; like HELD_MASK it has no gradient
    HELD_MASK = "held_mask"  # [B, S], the same at all steps; `draw_masks` decides which is which
    VECTOR = "vector"  # a bias or another parameter, one row for all
    DERIVED = "derived"  # made of vectors alone, once a sweep
    LIFTED = "lifted"  # a gate's W x + b, made before the loop
    SAVED = "saved"  # by the loop forward, for the loop backward
    GRAD = "grad"  # the gradient of a new state
    CONST = "const"  # a number
    FEATURES = "features"  # a width, as a number


NUMBERS = frozenset((Origin.CONST, Origin.FEATURES))
LeafName = str | int | Weight


@dataclass(frozen=True)
class StepInput:
    """An input of a step: the state h, the bias of gate f beside W, the third saved value."""

    origin: Origin
    name: LeafName = ""

    def __str__(self) -> str:
        return f"{self.origin} {self.name}".strip()


@dataclass(frozen=True)
class Node:
    """One value of a step.

    op: ``"linear"`` (the sum of weights[k] times args[k]), an op of the table, or a `Origin`.
    args: the nodes that it reads. name: which of its origin. value: of a constant.
    """

    op: str
    args: tuple[int, ...]
    width: str
    name: LeafName = ""
    value: float = 0.0
    weights: tuple[Weight, ...] = ()

    @property
    def is_input(self) -> bool:
        """Whether the value is there before the step begins."""
        return isinstance(self.op, Origin)

    @property
    def leaf(self) -> StepInput:
        """What an input is."""
        return StepInput(Origin(self.op), self.name)

    @property
    def vector(self) -> Weight | None:
        """The parameter that a vector is, None for any other node."""
        return self.name if self.op == Origin.VECTOR and isinstance(self.name, Weight) else None


Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Graph(Generic[Key]):
    """Nodes in an order in which each reads only earlier ones, and the outputs.

    outputs: of a step forwards, by the name of the new state; of a gradient, by the `StepInput`
    whose gradient it is.
    """

    nodes: tuple[Node, ...]
    outputs: Mapping[Key, int]

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
    if node.op == Origin.CONST:
        return f"{node.value:g}"
    if node.is_input:
        return str(node.leaf)
    if node.op == "linear":
        return product_text(node)
    return f"{node.op}({', '.join(f'%{a}' for a in node.args)})"


def product_text(node: Node) -> str:
    """Return a sum of products as it is printed."""
    return " + ".join(f"{w} %{a}" for w, a in zip(node.weights, node.args, strict=True))


@dataclass(frozen=True)
class Hoisted:
    """A step without its products of x.

    loop: the graph, in which ``lifted f`` stands for W_f x and those of f's biases that `biases`
    names. derived: what is made of vectors alone; each output is a ``derived n`` of the loop.
    derived_gradient: the gradients of these vectors, given those of the outputs.
    """

    loop: Graph[str]
    biases: Mapping[str, tuple[Weight, ...]]
    derived: Graph[int] = field(default_factory=lambda: Graph((), {}))
    derived_gradient: Graph[StepInput] = field(default_factory=lambda: Graph((), {}))

    def __str__(self) -> str:
        before = [
            f"lifted {g} = {' + '.join([f'W.{g} x', *map(str, b)])}" for g, b in self.biases.items()
        ]
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
    nodes too. Its outputs are the gradients of the leaves at this step: of the old states, of
    ``lifted f``, ``below s`` and x, and of vectors, which are summed over the steps.
    forward: where each node of the forward graph is. products: the weights' gradients.
    """

    graph: Graph[StepInput]
    forward: tuple[int, ...]
    products: tuple[Product, ...]

    def __str__(self) -> str:
        nodes = Graph[StepInput](self.graph.nodes, {})
        ends = [f"gradient of {leaf} ← %{k}" for leaf, k in self.graph.outputs.items()]
        after = [f"gradient of {p.weight} = Σ %{p.adjoint}ᵀ %{p.value}" for p in self.products]
        return "\n".join([str(nodes), *ends, *after])


@dataclass(frozen=True)
class Saving:
    """What the forward loop saves for the gradient, and the step backwards that reads it.

    Nothing, where no gradient is wanted.

    nodes: of the forward step; ``saved n`` of the step backwards is nodes[n].
    """

    nodes: tuple[int, ...] = ()
    backward: Backward = field(default_factory=lambda: Backward(Graph((), {}), (), ()))

"""Graph → backward Graph: reverse mode over one step, from the table of derivatives."""

from collections import defaultdict

from penstock.compiler.ir.builder import Builder, Value, rebuild
from penstock.compiler.ir.graph import (
    NUMBERS,
    Backward,
    Graph,
    Node,
    Origin,
    Product,
    StepInput,
    Weight,
)
from penstock.compiler.ir.ops import OPS

_LEARNED = (Origin.LIFTED, Origin.BELOW, Origin.VECTOR, Origin.DERIVED, Origin.X, Origin.STATE)


def differentiate(graph: Graph[str] | Graph[int]) -> Backward:
    """Return the backward step: its inputs ``grad s`` are the gradients of the outputs s.

    Of h' = σ(lifted f + U_f h), with d = grad h::

        forward     a = lifted f + U_f h,   h' = σ(a)
        backward    da = d ⊙ h' ⊙ (1 − h'),   gradient of lifted f = da,   of h = U_fᵀ da
        after       gradient of U_f = Σ daᵀ h, one product over all steps
    """
    builder = Builder()
    values = rebuild(graph, builder, lambda *_: None)
    adjoints = _Adjoints(builder, values)
    for output, k in graph.outputs.items():
        adjoints.add(k, builder.input(Origin.GRAD, output, graph.nodes[k].width))
    products: list[Product] = []
    for k in reversed(range(len(graph.nodes))):
        node, d = graph.nodes[k], adjoints.take(k)
        if d is None or node.is_input:
            continue
        if node.op == "linear":
            for weight, a in zip(node.weights, node.args, strict=True):
                adjoints.add_product(a, weight.turned(), d)
                products.append(Product(weight, d.index, values[a].index))
        else:
            arguments = [values[a] for a in node.args]
            parts = OPS[node.op].derivative(d, values[k], *arguments)
            for a, part in zip(node.args, parts, strict=True):
                adjoints.add(a, part)
    outputs = _outputs(graph, builder, adjoints)
    backward = Graph(tuple(builder.nodes), {leaf: v.index for leaf, v in outputs.items()})
    return Backward(backward, tuple(v.index for v in values), tuple(reversed(products)))


def _outputs(
    graph: Graph[str] | Graph[int], builder: Builder, adjoints: "_Adjoints"
) -> dict[StepInput, Value]:
    """Return the gradients of the step's inputs; 0 where there is none."""
    wanted = {n.leaf: (k, n.width) for k, n in enumerate(graph.nodes) if n.op in _LEARNED}
    for state, k in graph.outputs.items():  # one that the step does not read
        wanted.setdefault(StepInput(Origin.STATE, state), (-1, graph.nodes[k].width))
    found = {leaf: adjoints.done.get(k) for leaf, (k, _) in wanted.items()}
    return {
        leaf: d or _expand(builder, builder.const(0.0), wanted[leaf][1])
        for leaf, d in found.items()
    }


class _Adjoints:
    """The gradients of the nodes as they gather; products of one node's are kept as one."""

    def __init__(self, builder: Builder, values: list[Value]) -> None:
        self.builder, self.values = builder, values
        self.parts: dict[int, list[Value]] = defaultdict(list)
        self.terms: dict[int, list[tuple[Weight, Value]]] = defaultdict(list)
        self.done: dict[int, Value] = {}

    def add(self, k: int, part: Value | None) -> None:
        """Add to the gradient of node k."""
        if part is not None and self.values[k].node.op not in NUMBERS:
            self.parts[k].append(part)

    def add_product(self, k: int, weight: Weight, d: Value) -> None:
        """Add a weight times d to the gradient of node k."""
        self.terms[k].append((weight, d))

    def take(self, k: int) -> Value | None:
        """Return the whole gradient of node k, None where there is none."""
        width = self.values[k].node.width
        parts = list(self.parts[k])
        if self.terms[k]:
            parts.insert(0, self.builder.linear(*reversed(self.terms[k]), width=width))
        if width == "1":
            parts = self._over_features(parts)
        if not parts:
            return None
        total = sum(parts[1:], parts[0])
        self.done[k] = _expand(self.builder, total, width)
        return self.done[k]

    def _over_features(self, parts: list[Value]) -> list[Value]:
        """Return the parts of the gradient of one number a row: those of a width in one sum."""
        wide: dict[str, Value] = {}
        for part in parts:
            before = wide.get(part.node.width)
            wide[part.node.width] = part if before is None else before + part
        return [v if w == "1" else self.builder.emit("sum", v) for w, v in wide.items()]


def _expand(builder: Builder, value: Value, width: str) -> Value:
    """Return one number a row as that number in every feature."""
    if value.node.width == width:
        return value
    return builder.add(Node("expand", (value.index,), width))

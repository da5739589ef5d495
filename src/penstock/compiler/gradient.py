"""Graph → backward Graph: reverse mode over one step, from the table of derivatives."""

from collections import defaultdict

from penstock.compiler.builder import Builder, Value, rebuild
from penstock.compiler.graph import Backward, Graph, Node, Product, Weight
from penstock.compiler.ops import OPS


def differentiate(graph: Graph) -> Backward:
    """Return the backward step of a graph whose outputs are named after its states."""
    builder = Builder()
    values = rebuild(graph, builder, lambda *_: None)
    adjoints = _Adjoints(builder, values)
    for state, k in graph.outputs.items():
        adjoints.add(k, builder.input("grad", state, graph.nodes[k].width))
    products: list[Product] = []
    for k in reversed(range(len(graph.nodes))):
        node, d = graph.nodes[k], adjoints.take(k)
        if d is None or node.is_input:
            continue
        if node.op == "linear":
            for weight, a in zip(node.weights, node.args, strict=True):
                adjoints.add_product(a, Weight(weight.name, not weight.transposed), d)
                products.append(Product(weight, d.index, values[a].index))
        else:
            arguments = [values[a] for a in node.args]
            parts = OPS[node.op].derivative(d, values[k], *arguments)
            for a, part in zip(node.args, parts, strict=True):
                adjoints.add(a, part)
    outputs = _outputs(graph, builder, adjoints)
    backward = Graph(tuple(builder.nodes), {n: v.index for n, v in outputs.items()})
    return Backward(backward, tuple(v.index for v in values), tuple(reversed(products)))


def _outputs(graph: Graph, builder: Builder, adjoints: "_Adjoints") -> dict[str, Value]:
    """Return the gradients of the step's inputs by name; 0 where there is none."""
    outputs = {}
    for k, node in enumerate(graph.nodes):
        if node.op in ("lifted", "below", "vector", "x", "state"):
            d = adjoints.done.get(k)
            if d is None:
                d = _expand(builder, builder.const(0.0), node.width)
            kind = "grad" if node.op == "state" else node.op
            outputs[kind if kind == "x" else f"{kind}.{node.name}"] = d
    for state in graph.outputs:  # a state that the step does not read
        if f"grad.{state}" not in outputs:
            width = graph.nodes[graph.outputs[state]].width
            outputs[f"grad.{state}"] = _expand(builder, builder.const(0.0), width)
    return outputs


class _Adjoints:
    """The gradients of the nodes as they gather; products of one node's are kept as one."""

    def __init__(self, builder: Builder, values: list[Value]) -> None:
        self.builder, self.values = builder, values
        self.parts: dict[int, list[Value]] = defaultdict(list)
        self.terms: dict[int, list[tuple[Weight, Value]]] = defaultdict(list)
        self.done: dict[int, Value] = {}

    def add(self, k: int, part: Value | None) -> None:
        """Add to the gradient of node k."""
        if part is not None and self.values[k].node.op not in ("const", "features"):
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

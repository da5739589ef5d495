"""What goes before the time loop: the products W x + b of all steps, and what is made of weights.

The products are one GEMM over T·B rows. A value made of vectors alone is the same at every step.
"""

from penstock.compiler.builder import Builder, Value, prune, rebuild
from penstock.compiler.graph import Graph, Hoisted, Node
from penstock.compiler.ops import OPS


def hoist(graph: Graph) -> Hoisted:
    """Move every gate's product of the input x, with the biases added to it, out of the loop."""
    biases: dict[str, tuple[str, ...]] = {}

    def lift(builder: Builder, new: list[Value], node: Node) -> Value | None:
        if _is_gates(node) and graph.nodes[node.args[0]].op == "x":
            gate = node.weights[0].name.removeprefix("W.")
            biases.setdefault(gate, ())
            return builder.input("lifted", gate, node.width)
        if node.op == "add":
            left, right = (new[a] for a in node.args)
            own = right.node.name.startswith("bias_") and right.node.op == "vector"
            if left.node.op == "lifted" and own and right.node.name.endswith(f".{left.node.name}"):
                biases[left.node.name] = (*biases[left.node.name], right.node.name)
                return left
        return None

    builder = Builder()
    new = rebuild(graph, builder, lift)
    outputs = {name: new[k].index for name, k in graph.outputs.items()}
    return Hoisted(prune(Graph(tuple(builder.nodes), outputs)), biases)


def _is_gates(node: Node) -> bool:
    """Return whether a node is one gate's W times something."""
    return node.op == "linear" and len(node.args) == 1 and node.weights[0].name.startswith("W.")


def _made_of_vectors(graph: Graph) -> list[bool]:
    """Return for each node whether it is elementwise of vectors and numbers alone."""
    alone: list[bool] = []
    for node in graph.nodes:
        elementwise = node.op in OPS and not OPS[node.op].rowwise
        made = elementwise and all(alone[a] for a in node.args)
        made = made and any(graph.nodes[a].op != "const" for a in node.args)
        alone.append(made or node.op in ("vector", "const"))
    return alone


def derive(hoisted: Hoisted) -> Hoisted:
    """Move what is made of vectors alone, such as σ(p), out of the loop."""
    graph, users = hoisted.loop, hoisted.loop.users()
    alone = _made_of_vectors(graph)
    read = {k for k, by in enumerate(users) if not all(alone[u] for u in by)}
    ends = sorted(read | {*graph.outputs.values()})
    moved = (k for k in ends if alone[k] and not graph.nodes[k].is_input)
    names = {k: f"derived.{n}" for n, k in enumerate(moved)}

    def replace(builder: Builder, new: list[Value], node: Node) -> Value | None:
        name = names.get(len(new))
        return builder.input("vector", name, node.width) if name else None

    builder = Builder()
    new = rebuild(graph, builder, replace)
    loop = Graph(tuple(builder.nodes), {name: new[k].index for name, k in graph.outputs.items()})
    derived = Graph(graph.nodes, {name: k for k, name in names.items()})
    return Hoisted(prune(loop), hoisted.biases, prune(derived))

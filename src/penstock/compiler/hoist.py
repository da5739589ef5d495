"""What goes before the time loop: the products W x + b of all steps, as one GEMM over T·B rows."""

from penstock.compiler.builder import Builder, Value, prune, rebuild
from penstock.compiler.graph import Graph, Hoisted, Node


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

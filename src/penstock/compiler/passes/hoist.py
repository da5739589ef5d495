"""What goes before the time loop: the products W x + b of all steps, and what is made of weights.

They do not wait for the state. The products are one GEMM over T·B rows; a value made of vectors
alone is the same at every step.
"""

from penstock.compiler.ir.builder import Builder, Value, prune, rebuild
from penstock.compiler.ir.graph import BIASES, Graph, Hoisted, Node, Origin, Stacked, Weight
from penstock.compiler.ir.ops import OPS


def hoist(graph: Graph[str]) -> Hoisted:
    """Move every gate's product of the input x, with the biases added to it, out of the loop.

    Of the LSTM's gate f::

        before      W_f x ─ + b_ih ─ + b_hh ─ + ─ σ        after     lifted f ─ + ─ σ
                                     U_f h ───┘                      U_f h ────┘

    and ``lifted f = W_f x + b_ih + b_hh`` is made for all steps at once. A product of anything
    else, W_f ⋅ tanh(x) say, stays: it is rare, and a step can make it.
    """
    biases: dict[str, tuple[Weight, ...]] = {}

    def lift(builder: Builder, new: list[Value], node: Node) -> Value | None:
        if is_product_of_x(graph, node):
            gate = node.weights[0].gate
            biases.setdefault(gate, ())
            return builder.input(Origin.LIFTED, gate, node.width)
        if node.op == "add":
            left, right = (new[a] for a in node.args)
            bias = right.node.vector
            if left.node.op == Origin.LIFTED and bias and _is_bias_of(left.node.name, bias):
                biases[bias.gate] = (*biases[bias.gate], bias)
                return left
        return None

    builder = Builder()
    new = rebuild(graph, builder, lift)
    outputs = {name: new[k].index for name, k in graph.outputs.items()}
    return Hoisted(prune(Graph(tuple(builder.nodes), outputs)), biases)


def is_product_of_x(graph: Graph[str], node: Node) -> bool:
    """Return whether a node is one gate's W times the input itself."""
    is_one = node.op == "linear" and len(node.args) == 1 and node.weights[0].parameter == Stacked.W
    return is_one and graph.nodes[node.args[0]].op == Origin.X


def _is_bias_of(gate: object, bias: Weight) -> bool:
    return bias.parameter in BIASES and bias.gate == gate


def _made_of_vectors(graph: Graph[str]) -> list[bool]:
    """Return for each node whether it is elementwise of vectors and numbers alone."""
    alone: list[bool] = []
    for node in graph.nodes:
        elementwise = node.op in OPS and not OPS[node.op].rowwise
        made = elementwise and all(alone[a] for a in node.args)
        made = made and any(graph.nodes[a].op != Origin.CONST for a in node.args)
        alone.append(made or node.op in (Origin.VECTOR, Origin.CONST))
    return alone


def derive(hoisted: Hoisted) -> Hoisted:
    """Move what is made of vectors alone out of the loop.

    Of h' = σ(p) ⊙ h::

        before      p ─ σ ─ ⊙ ── h'        after      derived 0 ─ ⊙ ── h'
                        h ──┘                             h ──────┘

    and ``derived 0 = σ(p)`` is made once a sweep, before its loop.
    """
    graph, users = hoisted.loop, hoisted.loop.users()
    alone = _made_of_vectors(graph)
    read = {k for k, by in enumerate(users) if not all(alone[u] for u in by)}
    ends = sorted(read | {*graph.outputs.values()})
    moved = (k for k in ends if alone[k] and not graph.nodes[k].is_input)
    numbers = {k: n for n, k in enumerate(moved)}

    def replace(builder: Builder, new: list[Value], node: Node) -> Value | None:
        number = numbers.get(len(new))
        return None if number is None else builder.input(Origin.DERIVED, number, node.width)

    builder = Builder()
    new = rebuild(graph, builder, replace)
    loop = Graph(tuple(builder.nodes), {name: new[k].index for name, k in graph.outputs.items()})
    derived = Graph(graph.nodes, {n: k for k, n in numbers.items()})
    return Hoisted(prune(loop), hoisted.biases, prune(derived))

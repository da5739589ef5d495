"""Graph → Graph: zoneout, recurrent dropout, layer norm and clipping, on any cell's step."""

from dataclasses import dataclass, field

from penstock.cells.modifiers import Modifiers
from penstock.compiler.builder import Builder, Value, normalised, rebuild
from penstock.compiler.graph import Graph, Node

CELL_STATE = "c"


def modify(graph: Graph, modifiers: Modifiers) -> Graph:
    """Return a traced step with changes.

    Layer norm, of the gates' products that read one value v, over all their units together:
    a_g = W_g v;  LN(a)_g = gain_g ⊙ (a_g − mean a) / √(var a + ε), ε = 10⁻⁵; biases come after.
    Of the cell state c, where the same step reads its new value: gain ⊙ (…) + shift.
    Zoneout of a state: s' = m ⊙ s + (1 − m) ⊙ ŝ, ŝ being what the cell makes; the probability
    stands for the mask m in evaluation.
    """
    if not modifiers.any:
        return graph
    work = _Rewriting(graph, modifiers)
    new = rebuild(graph, work.builder, work.replace)
    made = {state: work.states.get(state, new[k]) for state, k in graph.outputs.items()}
    return work.builder.graph({s: work.zoned(s, value) for s, value in made.items()})


@dataclass
class _Rewriting:
    graph: Graph
    modifiers: Modifiers
    builder: Builder = field(default_factory=Builder)
    states: dict[str, Value] = field(default_factory=dict)
    normal: dict[int, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        states = self.graph.outputs
        self.cell_state = CELL_STATE if CELL_STATE in states else next(iter(states))
        self.ends = _ends(self.graph)

    def replace(self, _: Builder, new: list[Value], node: Node) -> Value | None:
        """Return what stands for a node, None for the node itself."""
        k = len(new)
        value: Value | None = None
        if _stack(node) in ("W", "U"):
            if k not in self.normal:
                self._multiply(new, node)
            value = self.normal[k]
        if self.modifiers.clip_gates and k in self.ends:
            value = self._clip(value or self._copy(new, node), self.modifiers.clip_gates)
        if k == self.graph.outputs[self.cell_state]:
            value = self._state(value or self._copy(new, node))
        return value

    def zoned(self, state: str, value: Value) -> Value:
        """Return a new state mixed with the old one."""
        p = dict(self.modifiers.zoneout).get(state, 0.0)
        if not p:
            return value
        old = self.builder.input("state", state, value.node.width)
        if not self.modifiers.training:
            return p * old + (1 - p) * value
        mask = self.builder.input("mask", f"zoneout.{state}", value.node.width)
        return self.builder.emit("where", mask, old, value)

    def _copy(self, new: list[Value], node: Node) -> Value:
        args = tuple(new[a].index for a in node.args)
        return self.builder.add(Node(node.op, args, node.width, node.name, node.value))

    def _clip(self, value: Value, limit: float) -> Value:
        raised = self.builder.emit("maximum", value, -limit)
        return self.builder.emit("minimum", raised, limit)

    def _multiply(self, new: list[Value], node: Node) -> None:
        """Make the products of all gates that read the same value as this node's."""
        value, stack = new[node.args[0]], _stack(node)
        if stack == "U" and self.modifiers.training and self.modifiers.recurrent_dropout:
            value = value * self.builder.input("mask", "dropout", value.node.width)
        family = {
            k: self.builder.linear((n.weights[0], value), width=n.width)
            for k, n in enumerate(self.graph.nodes)
            if _stack(n) == stack and n.args == node.args
        }
        self.normal |= family
        if not self.modifiers.layer_norm:
            return
        side = {"W": "ih", "U": "hh"}[stack]
        for k, normal in zip(family, normalised(list(family.values())), strict=True):
            gate = self.graph.nodes[k].weights[0].name.partition(".")[2]
            gain = self.builder.input("vector", f"weight_gain_{side}_{gate}", normal.node.width)
            self.normal[k] = gain * normal

    def _state(self, value: Value) -> Value:
        """Note the new cell state; return what later equations of the step read of it."""
        if self.modifiers.clip_state:
            value = self._clip(value, self.modifiers.clip_state)
        self.states[self.cell_state] = value
        if not self.modifiers.layer_norm or self.cell_state != CELL_STATE:
            return value
        gain, shift = (
            self.builder.input("vector", f"weight_{kind}_{CELL_STATE}", value.node.width)
            for kind in ("gain", "shift")
        )
        return gain * normalised([value])[0] + shift


def added(graph: Graph) -> dict[str, str]:
    """Return the vectors that `modify` has added to a graph, each with its width."""
    kinds = ("weight_gain_", "weight_shift_")
    vectors = (n for n in graph.nodes if n.op == "vector" and n.name.startswith(kinds))
    return {n.name: n.width for n in vectors}


def _stack(node: Node) -> str:
    """Return "W" or "U" for a gate's product, "" for any other node."""
    is_one = node.op == "linear" and len(node.weights) == 1 and "." in node.weights[0].name
    return node.weights[0].name.partition(".")[0] if is_one else ""


def _ends(graph: Graph) -> set[int]:
    """Return the nodes that are a gate's whole pre-activation: W x + b + U h."""
    gates: list[str] = []
    for node in graph.nodes:
        names = {gates[a] for a in node.args}
        if _stack(node):
            gates.append(node.weights[0].name.partition(".")[2])
        elif node.op == "vector" and node.name.startswith("bias_"):
            gates.append(node.name.partition(".")[2])
        else:
            gates.append(names.pop() if node.op == "add" and len(names) == 1 else "")
    users = graph.users()
    return {
        k
        for k, node in enumerate(graph.nodes)
        if gates[k] and node.op != "vector" and all(gates[u] != gates[k] for u in users[k])
    }

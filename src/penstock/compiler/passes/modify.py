"""Graph → Graph: zoneout, recurrent dropout, layer norm and clipping, on any cell's step."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from penstock.cells.modifiers import Modifiers
from penstock.compiler.ir.builder import Builder, Value, normalised, rebuild
from penstock.compiler.ir.graph import Graph, Node, Origin, Stacked, Weight
from penstock.compiler.ir.ops import OPS

CELL_STATE = "c"


def modify(graph: Graph[str], modifiers: Modifiers) -> Graph[str]:
    """Return a traced step with changes.

    Layer norm, of the gates' products that read one value v, over all their units together:
    a_g = W_g v;  LN(a)_g = gain_g ⊙ (a_g − mean a) / √(var a + ε), ε = 10⁻⁵; biases come after.
    Of the cell state c, where the same step reads its new value: gain ⊙ (…) + shift.
    A limit L of the gates: a call W x + U h + b becomes clip(call, −L, L) wherever it is read, but
    for sums: f(Σ r_k ⊙ call_k + s), where f is σ, tanh or any function of one value, becomes
    f(clip(Σ r_k ⊙ call_k + s)). So a peephole is inside the limit, and so is a reset gate.
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
    graph: Graph[str]
    modifiers: Modifiers
    builder: Builder = field(default_factory=Builder)
    states: dict[str, Value] = field(default_factory=dict)
    normal: dict[int, Value] = field(default_factory=dict)
    whole: dict[int, Value] = field(default_factory=dict)  # what is linear in calls, not limited

    def __post_init__(self) -> None:
        states = self.graph.outputs
        self.cell_state = CELL_STATE if CELL_STATE in states else next(iter(states))
        limit = self.modifiers.clip_gates
        self.linear, self.calls = _linear(self.graph) if limit else [], _calls(self.graph)

    def replace(self, _: Builder, new: list[Value], node: Node) -> Value | None:
        """Return what stands for a node, None for the node itself."""
        k = len(new)  # the number of `node`: the pass goes node by node, and `new` has those before
        value: Value | None = None
        if _gates_product(node):
            if k not in self.normal:
                self._multiply(new, node)
            value = self.normal[k]
        if self.modifiers.clip_gates:
            value = self._limited(new, node, value)
        if k == self.graph.outputs[self.cell_state]:
            value = self._state(value or self._copy(dict(enumerate(new)), node))
        return value

    def zoned(self, state: str, value: Value) -> Value:
        """Return a new state mixed with the old one."""
        p = dict(self.modifiers.zoneout).get(state, 0.0)
        if not p:
            return value
        old = self.builder.input(Origin.STATE, state, value.node.width)
        if not self.modifiers.training:
            return p * old + (1 - p) * value
        mask = self.builder.input(Origin.MASK, f"zoneout.{state}", value.node.width)
        return self.builder.emit("where", mask, old, value)

    def _limited(self, new: list[Value], node: Node, value: Value | None) -> Value | None:
        """Return a gate's call, or an activation of a sum of such, with limits."""
        k, limit = len(new), self.modifiers.clip_gates
        if self.linear[k]:
            self.whole[k] = value or self._copy({**dict(enumerate(new)), **self.whole}, node)
            return self._clip(self.whole[k], limit) if k in self.calls else value
        sums = [a for a in node.args if self.linear[a]]
        if not sums or not _is_activation(self.graph, node):
            return value
        limited = {a: self._clip(self.whole[a], limit) for a in sums}
        return self._copy({**dict(enumerate(new)), **limited}, node)

    def _copy(self, new: Mapping[int, Value], node: Node) -> Value:
        args = tuple(new[a].index for a in node.args)
        return self.builder.add(replace(node, args=args))

    def _clip(self, value: Value, limit: float) -> Value:
        raised = self.builder.emit("maximum", value, -limit)
        return self.builder.emit("minimum", raised, limit)

    def _multiply(self, new: list[Value], node: Node) -> None:
        """Make the products of all gates that read the same value as this node's."""
        value, stack = new[node.args[0]], node.weights[0].parameter
        if stack == Stacked.U and self.modifiers.training and self.modifiers.recurrent_dropout:
            value = value * self.builder.input(Origin.HELD_MASK, "dropout", value.node.width)
        family = {
            k: self.builder.linear((n.weights[0], value), width=n.width)
            for k, n in enumerate(self.graph.nodes)
            if n.args == node.args and (w := _gates_product(n)) and w.parameter == stack
        }
        self.normal |= family
        if not self.modifiers.layer_norm:
            return
        side = {Stacked.W: "ih", Stacked.U: "hh"}[Stacked(stack)]
        for k, normal in zip(family, normalised(list(family.values())), strict=True):
            name = Weight(f"weight_gain_{side}_{self.graph.nodes[k].weights[0].gate}")
            gain = self.builder.input(Origin.VECTOR, name, normal.node.width)
            self.normal[k] = gain * normal

    def _state(self, value: Value) -> Value:
        """Note the new cell state; return what later equations of the step read of it."""
        if self.modifiers.clip_state:
            value = self._clip(value, self.modifiers.clip_state)
        self.states[self.cell_state] = value
        if not self.modifiers.layer_norm or self.cell_state != CELL_STATE:
            return value
        gain, shift = (
            self.builder.input(
                Origin.VECTOR, Weight(f"weight_{kind}_{CELL_STATE}"), value.node.width
            )
            for kind in ("gain", "shift")
        )
        return gain * normalised([value])[0] + shift


def _gates_product(node: Node) -> Weight | None:
    """Return the weight of a gate's product, None for any other node."""
    weight = node.weights[0] if len(node.weights) == 1 else None
    return weight if weight and weight.gate else None


def _calls(graph: Graph[str]) -> set[int]:
    """Return the nodes that are all that a gate's call gives: W x + b + U h."""
    gates: list[str] = []
    for node in graph.nodes:
        weight, names = _gates_product(node) or node.vector, {gates[a] for a in node.args}
        is_sum = node.op == "add" and len(names) == 1
        gates.append(weight.gate if weight else names.pop() if is_sum else "")
    users = graph.users()
    return {
        k
        for k, node in enumerate(graph.nodes)
        if gates[k] and not node.is_input and all(gates[u] != gates[k] for u in users[k])
    }


def _linear(graph: Graph[str]) -> list[set[int]]:
    """Return for each node the gates' products that it is linear in, all else being held.

    GRU: n + r ⊙ n_h is linear in n's products and n_h's. sLSTM: ĩ − m is not in ĩ's, for m depends
    on it too. A new state is what a step ends with, and linear in none, unless it is a call.
    """
    linear, bent = list[set[int]](), list[set[int]]()  # bent: those that it depends on otherwise
    ends = {*graph.outputs.values()} - _calls(graph)
    for k, node in enumerate(graph.nodes):
        given = [linear[a] for a in node.args]
        every = set[int]().union(*given, *(bent[a] for a in node.args))
        sums = node.op in ("add", "sub", "neg") or (node.op == "mul" and not all(given))
        if _gates_product(node):
            own = {k}
        elif k in ends or not (sums or (node.op == "div" and not given[1])):
            own = set()
        else:
            own = set[int]().union(*given).difference(*(bent[a] for a in node.args))
        linear.append(own)
        bent.append(every - own)
    return linear


def _is_activation(graph: Graph[str], node: Node) -> bool:
    """Return whether a node is an elementwise function of one value, and no sum or product."""
    plain = ("add", "sub", "neg", "mul", "div", "where", "expand", "held")
    if node.op not in OPS or node.op in plain or OPS[node.op].rowwise:
        return False
    return sum(graph.nodes[a].op != Origin.CONST for a in node.args) == 1

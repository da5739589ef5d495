"""A recurrent layer's values → the values of one step of it.

Legend: L layers, I input, S width of a state.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from penstock.compiler.ir.graph import NUMBERS, Graph, Node, Origin
from penstock.compiler.pipeline import WrittenStep
from penstock.errors import ExportError
from penstock.exporters.c.gather import gather
from penstock.exporters.c.values import GivenValue, Maker, StepValues
from penstock.exporters.written import WrittenLayer, WrittenStack


@dataclass(frozen=True)
class State:
    """A state of a layer: how the C calls it, its width, and where it begins (None: at zero)."""

    name: str
    title: str
    width: int
    initial: Tensor | None


def states_of(network: WrittenStack) -> tuple[State, ...]:
    """Return the states of all layers, from the lowest up.

    Raises:
        ExportError: the network reads sequences in both directions.
    """
    for layer in network.layers:
        if len(layer.directions) > 1:
            raise ExportError(
                "the network reads sequences in both directions, and a step knows no later steps; "
                'train one with bidirectional=False, or export it as ".onnx", which takes whole '
                "sequences"
            )
    return tuple(
        State(
            _name(number, place, state),
            f"{state} of layer {number}",
            width,
            None if network.initial is None else network.initial[state][number],
        )
        for number, layer in enumerate(network.layers)
        for place, (state, width) in enumerate(layer.directions[0].states.items())
    )


def steps_of(network: WrittenStack) -> StepValues:
    """Return one step of a network as values; the input is "x"."""
    maker = Maker()
    x = maker.add(GivenValue("x", network.input_size))
    output, states = add_step(maker, network, x)
    return gather(StepValues(tuple(maker.values), states, output))


def add_step(maker: Maker, network: WrittenStack, x: int) -> tuple[int, dict[str, int]]:
    """Add a step of all layers to values; return what they give, and the new states by name."""
    new: dict[str, int] = {}
    below: dict[str, int] = {}
    for number, layer in enumerate(network.layers):
        direction, step = layer.directions[0], layer.directions[0].step
        names = {s: _name(number, place, s) for place, s in enumerate(direction.states)}
        old = {
            s: maker.add(GivenValue(names[s], width, is_state=True))
            for s, width in direction.states.items()
        }
        given = {("x", ""): x}
        given |= {(Origin.STATE, s): old[s] for s in old}
        given |= {(Origin.BELOW, s): below[s] for s in direction.below}
        made = _add_graph(maker, step.graph, step, given)
        new |= {names[s]: made[s] for s in direction.states}
        output = made[next(iter(direction.states))]
        if step.output is not None:
            after = {("x", ""): x} | {(Origin.STATE, s): made[s] for s in made}
            output = _add_graph(maker, step.output, step, after)["output"]
        x, below = _join(maker, layer, x, output), made
    return x, new


def _name(layer: int, place: int, state: str) -> str:
    """Return how the C calls a state; a name that C does not have becomes a number."""
    return f"l{layer}_{state if state.isascii() else f's{place}'}"


def _add_graph(
    maker: Maker, graph: Graph[str], step: WrittenStep, given: Mapping[tuple[str, str], int]
) -> dict[str, int]:
    """Add a graph's nodes; return its outputs."""
    at: list[int] = []
    for node in graph.nodes:
        at.append(_add_node(maker, node, [at[a] for a in node.args], step, given))
    return {name: at[k] for name, k in graph.outputs.items()}


def _add_node(
    maker: Maker,
    node: Node,
    args: list[int],
    step: WrittenStep,
    given: Mapping[tuple[str, str], int],
) -> int:
    if node.op in NUMBERS:
        is_const = node.op == Origin.CONST
        return maker.number(node.value if is_const else float(step.sizes[str(node.name)]))
    if node.is_input:
        weight = None if node.vector is None else step.weights[node.vector]
        return given[node.op, str(node.name)] if weight is None else maker.constant(weight)
    if node.op == "linear":
        stored = [step.weights[w.as_stored()] for w in node.weights]
        turned = [m.T if w.transposed else m for w, m in zip(node.weights, stored, strict=True)]
        return maker.total(list(zip(args, turned, strict=True)))
    if node.op == "expand":
        return maker.copy(args[0], step.sizes[node.width])
    return args[0] if node.op == "held" else maker.apply(node.op, *args)


def _join(maker: Maker, layer: WrittenLayer, x: int, z: int) -> int:
    """Add what stands between a layer and the next."""
    if layer.projection is not None:
        z = maker.total([(z, layer.projection)])
    if layer.adds:
        return maker.apply("add", z, x)
    if layer.gate is None:
        return z
    t = maker.apply("sigmoid", maker.total([(x, layer.gate[0])], layer.gate[1]))
    passed = maker.apply("mul", maker.apply("sub", maker.number(1.0), t), x)
    return maker.apply("add", maker.apply("mul", t, z), passed)

"""One direction of one layer over all steps: what depends on no state at once, the rest a Scan.

Legend: T time, B batch, I input, S width of a state, O features of the output.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnx import TensorProto, ValueInfoProto, helper

from penstock.compiler.ir.graph import Graph, Origin, StepInput
from penstock.exporters.onnx.steps import Fixed, emit, leaves
from penstock.exporters.onnx.values import OnnxGraph, OnnxValue

Named = Mapping[str, OnnxValue]


@dataclass(frozen=True)
class SweepInput:
    """What a sweep is given.

    Attributes:
        x: [T, B, I]; [B, I] for a single step.
        states: the initial ones, [B, S] each.
        below: states of the layer below at all steps, [T, B, S] each; [B, S] for a single step.
        valid: [T, B, 1] bool, whether a step lies within its row's length; None where all do.
        reset: [T, B, 1] bool, whether the states are 0 before a step; None where none are.
    """

    x: OnnxValue
    states: Named
    below: Named
    valid: OnnxValue | None = None
    reset: OnnxValue | None = None

    def inputs(self) -> dict[StepInput, OnnxValue]:
        """Return x and the states below as inputs of a step."""
        below = {StepInput(Origin.BELOW, name): value for name, value in self.below.items()}
        return {StepInput(Origin.X): self.x, **below}


@dataclass(frozen=True)
class SweepOutput:
    """What a sweep gives: states at all steps asked for, [T, B, S], and final states, [B, S]."""

    sequences: Named
    finals: Named


@dataclass(frozen=True)
class _Port:
    """An input of a loop's body: its name there, what comes in, how wide a step of it is."""

    name: str
    value: OnnxValue
    width: int
    is_bool: bool = False

    @property
    def inside(self) -> OnnxValue:
        return OnnxValue(self.name)

    def info(self, body: OnnxGraph) -> ValueInfoProto:
        """Return its type, as the body declares it."""
        kind = TensorProto.BOOL if self.is_bool else body.element
        return helper.make_tensor_value_info(self.name, kind, ["B", self.width])


def single_step(out: OnnxGraph, graph: Graph[str], fixed: Fixed, given: SweepInput) -> SweepOutput:
    """Print one step; its sequences are the new states."""
    inputs = leaves(graph, given.inputs() | as_inputs(given.states))
    values = emit(out, graph, graph.outputs.values(), inputs, fixed)
    new = {s: _whole(out, graph, s, values, given.states[s]) for s in graph.outputs}
    return SweepOutput(new, new)


def scan(
    out: OnnxGraph,
    graph: Graph[str],
    fixed: Fixed,
    given: SweepInput,
    wanted: Sequence[str],
    reverse: bool,
) -> SweepOutput:
    """Print a sweep as a Scan, after what can be made for all steps at once.

    wanted: the states whose sequences are asked for. In reverse the first step is the last one.
    """
    body = out.inner()
    ready = _ready(graph)
    values = emit(out, graph, ready, leaves(graph, given.inputs()), fixed)

    def port(name: str, value: OnnxValue, width: int, is_bool: bool = False) -> _Port:
        return _Port(body.fresh(name), value, width, is_bool)

    made = {k: port("ready", values[k], fixed.sizes[graph.nodes[k].width]) for k in ready}
    masks = {
        name: port(name, mask, 1, True)
        for name, mask in (("valid", given.valid), ("reset", given.reset))
        if mask is not None
    }
    steps = [*made.values(), *masks.values()]
    if not steps:  # the step reads nothing, but something must say how many there are
        steps = [port("x", given.x, fixed.sizes["input_size"])]
    states = {s: port(s, value, _width(graph, fixed, s)) for s, value in given.states.items()}
    new = _body(body, graph, fixed, (states, made, masks))
    names = {s: _output(body, new[s]) for s in new}
    every = {s: _output(body, new[s]) for s in wanted}
    inputs = [one.info(body) for one in (*states.values(), *steps)]
    outputs = [
        body.info(name, "B", states[s].width) for of in (names, every) for s, name in of.items()
    ]
    backwards = [1] * len(steps), [1] * len(wanted)
    results = out.calls(
        "Scan",
        [*given.states.values(), *(one.value for one in steps)],
        len(outputs),
        body=body.proto(body.fresh("step"), inputs, outputs),
        num_scan_inputs=len(steps),
        **dict(zip(_DIRECTIONS, backwards, strict=True) if reverse else ()),
    )
    n = len(names)
    return SweepOutput(
        dict(zip(wanted, results[n:], strict=True)), dict(zip(new, results, strict=False))
    )


_DIRECTIONS = ("scan_input_directions", "scan_output_directions")


def _body(
    body: OnnxGraph,
    graph: Graph[str],
    fixed: Fixed,
    ports: tuple[Mapping[str, _Port], Mapping[int, _Port], Mapping[str, _Port]],
) -> dict[str, OnnxValue]:
    """Print a step of a loop; return the new states."""
    states, made, masks = ports
    old = {s: port.inside for s, port in states.items()}
    if "reset" in masks:
        zero, reset = body.constant(0.0), masks["reset"].inside
        old = {s: body.call("Where", reset, zero, value) for s, value in old.items()}
    given = leaves(graph, as_inputs(old)) | {k: port.inside for k, port in made.items()}
    values = emit(body, graph, graph.outputs.values(), given, fixed)
    new = {s: _whole(body, graph, s, values, old[s]) for s in graph.outputs}
    if "valid" in masks:
        valid = masks["valid"].inside
        new = {s: body.call("Where", valid, value, old[s]) for s, value in new.items()}
    return new


def as_inputs(states: Named) -> dict[StepInput, OnnxValue]:
    """Return states as inputs of a graph."""
    return {StepInput(Origin.STATE, name): value for name, value in states.items()}


def _output(body: OnnxGraph, value: OnnxValue) -> str:
    """Return a new name of a value: no two outputs of a body are one, and none is an input."""
    return body.call("Identity", value).name


def _width(graph: Graph[str], fixed: Fixed, state: str) -> int:
    return fixed.sizes[graph.nodes[graph.outputs[state]].width]


def _whole(
    out: OnnxGraph,
    graph: Graph[str],
    state: str,
    values: Mapping[int, OnnxValue],
    old: OnnxValue,
) -> OnnxValue:
    """Return a new state [B, S], also where it is the same for all rows."""
    k = graph.outputs[state]
    if _reads(graph)[k]:
        return values[k]
    return out.call("Expand", values[k], out.call("Shape", old))


def _reads(graph: Graph[str]) -> list[frozenset[Origin]]:
    """Return for each node what it depends on that differs from row to row."""
    found: list[frozenset[Origin]] = []
    for node in graph.nodes:
        own = {Origin(node.op)} & {Origin.X, Origin.BELOW, Origin.STATE} if node.is_input else ()
        found.append(frozenset(own).union(*(found[a] for a in node.args)))
    return found


def _ready(graph: Graph[str]) -> list[int]:
    """Return what the loop reads of that which depends on no state, and can be made before it."""
    reads = _reads(graph)
    early = {k for k, of in enumerate(reads) if of and Origin.STATE not in of}
    late = (node for k, node in enumerate(graph.nodes) if Origin.STATE in reads[k])
    read = {a for node in late for a in node.args} | {*graph.outputs.values()}
    return sorted(read & early)

"""A sweep inside torch.onnx.export: what `penstock::sweep` is in ONNX.

Torch's exporter asks for nodes of onnx_ir where our operator stands. They are printed as for a file
of our own, but that the weights are values of the module's graph: what is made of them is nodes.

Legend: T time, B batch, I input, S width of a state.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import onnx_ir as ir
import torch
from onnx import TensorProto, ValueInfoProto, helper
from onnxscript import evaluator

from penstock.cells import Cell, Place
from penstock.compiler import pipeline
from penstock.compiler.pipeline import WrittenStep
from penstock.errors import ExportError
from penstock.exporters.onnx import operators, sweeps
from penstock.exporters.onnx.steps import Fixed
from penstock.exporters.onnx.sweeps import Named, SweepInput, SweepOutput
from penstock.exporters.onnx.values import ABSENT, OnnxGraph, OnnxValue, rows, with_axis
from penstock.layers.running import op


def sweep(
    key: str, tensors: Sequence[Any], valid: Any, reset: Any, reverse: bool, keep: bool
) -> list[Any]:
    """Return what `penstock::sweep` gives; see `penstock.layers.running.operator`.

    Tensors, masks and results are values of onnx_ir.

    Raises:
        ExportError: the layer is in training, where masks are drawn, or ONNX lacks an op.
    """
    cell, place, names = op.find(key)
    if [*place.modifiers.masks()]:
        raise ExportError("the layer is in training, and draws masks; call eval() before exporting")
    module = _Module(tensors)
    below = () if place.lowest else cell.below
    x, *values = module.floats
    states, lower, weights = _named(values, cell.states, below, names)
    given = SweepInput(x, states, lower, module.mask(valid), module.mask(reset))
    step = _written(cell, place, names)
    made = _made(module.out, step, _fixed(module.out, step, weights), given, reverse)
    found = module.inlined([*made.sequences.values(), *made.finals.values()])
    kept = len(cell.states) + 1 if keep else 0  # for the gradient, which has no translation
    return [*found, *(module.nothing() for _ in range(kept))]


class _Module:
    """The graph of the module that is exported, where it is entered by one call.

    Attributes:
        out: what is printed, before it is put there.
        floats: the tensors of the call.
    """

    def __init__(self, tensors: Sequence[Any]) -> None:
        prefix = "".join(f"{tensor.name}." for tensor in tensors)  # no other call has all of these
        self.out = OnnxGraph(tensors[0].dtype.numpy(), prefix=prefix)
        self.recorder: Any = evaluator.default()
        self._given: list[tuple[ValueInfoProto, Any]] = []
        self.floats = [self._enter(tensor, self.out.element) for tensor in tensors]

    def mask(self, value: Any) -> OnnxValue | None:
        """Return a mask [T, B] as the steps read it, [T, B, 1]."""
        if value is None:
            return None
        return with_axis(self.out, self._enter(value, TensorProto.BOOL), 2)

    def inlined(self, results: Sequence[OnnxValue]) -> list[Any]:
        """Put what makes the results into the module's graph; return them there."""
        outputs = [_typed(value.name, self.out.element) for value in results]
        inputs = [info for info, _ in self._given]
        graph = ir.serde.deserialize_graph(self.out.proto("sweep", inputs, outputs))
        constants = [
            (inner, self._node("Constant", value=inner.const_value))
            for inner in graph.initializers.values()
        ]
        outer = (value for _, value in self._given)
        for inner, value in (*constants, *zip(graph.inputs, outer, strict=True)):
            ir.convenience.replace_all_uses_with(inner, value)
        found, nodes = [*graph.outputs], [*graph]
        graph.outputs.clear()
        graph.remove(nodes)
        self.recorder.nodes.extend(nodes)
        return found

    def nothing(self) -> Any:
        """Return a value that nobody reads."""
        return self._node("Constant", value_float=0.0)

    def _node(self, kind: str, **attributes: Any) -> Any:
        self.recorder.nodes.append(node := ir.node(kind, [], attributes))
        return node.outputs[0]

    def _enter(self, value: Any, element: int) -> OnnxValue:
        name = self.out.fresh("given")
        self._given.append((_typed(name, element), value))
        return OnnxValue(name)


def _made(
    out: OnnxGraph, step: WrittenStep, fixed: Fixed, given: SweepInput, reverse: bool
) -> SweepOutput:
    """Print a sweep; return all states at all steps, and the final ones."""
    graph, (first, *others) = step.graph, given.states
    can = out.element == TensorProto.FLOAT and given.reset is None
    operator = operators.operator_of(graph) if can else None
    if operator is None:
        return sweeps.scan(out, graph, fixed, given, [first, *others], reverse)
    made = operators.one_sweep(out, operator, fixed, given, _lengths(out, given.valid), reverse)
    sequences = dict(made.sequences)
    if given.valid is not None:  # where ONNX has 0, the state stays as it is
        stays = given.states[first] if reverse else made.finals[first]
        sequences[first] = out.call("Where", given.valid, sequences[first], stays)
    if others:
        # An operator gives one state at all steps. Where nobody reads the others, as is usual, the
        # exporter's optimiser leaves out what makes them here.
        sequences |= sweeps.scan(out, graph, fixed, given, others, reverse).sequences
    return SweepOutput(sequences, made.finals)


def _lengths(out: OnnxGraph, valid: OnnxValue | None) -> OnnxValue:
    """Return the steps of each row, [B] int32, of which steps are valid, [T, B, 1]."""
    if valid is None:
        return ABSENT
    ones = out.call("Cast", valid, to=TensorProto.INT32)
    return out.call("ReduceSum", ones, out.integers(0, 2), keepdims=0)


def _named(values: Sequence[OnnxValue], *names: Sequence[str]) -> Iterator[dict[str, OnnxValue]]:
    """Yield values by their names, of which there are several lists."""
    rest = iter(values)
    for some in names:
        yield {name: next(rest) for name in some}


def _written(cell: Cell, place: Place, names: Sequence[str]) -> WrittenStep:
    """Return a step whose weights are the rows that each has in its parameter."""
    shapes = pipeline.shapes(cell, place)
    return pipeline.written(cell, place, {name: torch.arange(shapes[name][0]) for name in names})


def _fixed(out: OnnxGraph, step: WrittenStep, weights: Named) -> Fixed:
    """Return the weights of a step as parts of the module's parameters."""
    pieces = {w: weights[w.parameter] for w in step.weights}
    for w, of in step.weights.items():
        if w.gate:  # a gate's rows of a stack
            pieces[w] = rows(out, pieces[w], int(of[0]), int(of[-1]) + 1)
    return Fixed(pieces, step.sizes)


def _typed(name: str, element: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, element, None)

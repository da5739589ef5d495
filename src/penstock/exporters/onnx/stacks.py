"""A whole layer as an ONNX graph: its sweeps, and what stands between them.

Legend: T time, B batch, I input, H hidden, S width of a state, O features of an output,
L layers, D directions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

from onnx import TensorProto

from penstock.compiler.ir.graph import Origin, StepInput
from penstock.exporters.onnx import operators, sweeps
from penstock.exporters.onnx.operators import Operator
from penstock.exporters.onnx.steps import Fixed, emit, leaves
from penstock.exporters.onnx.sweeps import Named, SweepInput
from penstock.exporters.onnx.values import (
    ABSENT,
    OnnxGraph,
    OnnxValue,
    joined,
    rows,
    split,
    turned,
    with_axis,
    without_axis,
    zero_where_not,
)
from penstock.exporters.written import Direction, WrittenLayer, WrittenStack


@dataclass
class StackPrinter:
    """Prints a layer into a graph.

    Attributes:
        out: the graph.
        written: the layer.
        x: [T, B, I]; [B, I] for a single step.
        states: the initial ones, [L·D, B, S] each; none for zeros, or the learned ones.
        lengths: [B] int32, None where all steps are valid.
        single: whether it is a single step, for which no loop is made.
        finals: the states after the last step, [D, B, S] of each layer.
    """

    out: OnnxGraph
    written: WrittenStack
    x: OnnxValue
    states: Named
    lengths: OnnxValue | None = None
    single: bool = False
    finals: dict[str, list[OnnxValue]] = field(default_factory=dict)

    def output(self) -> OnnxValue:
        """Print all layers; return the output [T, B, O], or [B, O]."""
        x, below = self.x, list[Named]()
        if self.lengths is not None and not self._is_plain():
            x = zero_where_not(self.out, self.valid, x)  # what stands in the padding is not read
        for number, layer in enumerate(self.written.layers):
            operator = self._operator(number)
            if operator is not None:
                outputs = self._by_operator(operator, number, x)
            else:
                outputs, below = self._by_sweeps(number, x, below)
            x = self._join(layer, x, outputs)
        return x

    def final(self, state: str) -> OnnxValue:
        """Return a state after the last step, [L·D, B, S]."""
        return joined(self.out, self.finals[state], 0)

    @cached_property
    def valid(self) -> OnnxValue:
        """Which steps lie within their row's length, [T, B, 1] bool."""
        assert self.lengths is not None
        out = self.out
        steps = without_axis(out, out.call("Shape", self.x, start=0, end=1), 0)
        times = out.call("Range", out.integer(0), steps, out.integer(1))
        ends = out.call("Cast", self.lengths, to=TensorProto.INT64)
        within = out.call("Less", with_axis(out, times, 1), with_axis(out, ends, 0))
        return with_axis(out, within, 2)

    def _is_plain(self) -> bool:
        """Return whether ONNX's own operators, which read no padding, do all that reads x."""
        return all(
            self._operator(number) is not None
            and not (layer.adds or layer.gate)
            and all(one.step.output is None for one in layer.directions)
            for number, layer in enumerate(self.written.layers)
        )

    def _operator(self, number: int) -> Operator | None:
        """Return the operator that does a layer, None where there is none.

        An operator gives its first state at all steps and no other. onnxruntime has them for
        float32 alone.
        """
        directions = self.written.layers[number].directions
        if (
            self.out.element != TensorProto.FLOAT
            or self._read(number) != [*directions[0].states][:1]
        ):
            return None
        return operators.operator_of(directions[0].step.graph)

    def _read(self, number: int) -> list[str]:
        """Return the states that are read at all steps: by the output, and by the layer above."""
        one = self.written.layers[number].directions[0]
        read = {next(iter(one.states))}
        if one.step.output is not None:
            read = {str(n.name) for n in one.step.output.nodes if n.op == Origin.STATE}
        for above in self.written.layers[number + 1 : number + 2]:
            read |= {*above.directions[0].below}
        return [name for name in one.states if name in read]

    def _by_operator(self, operator: Operator, number: int, x: OnnxValue) -> list[OnnxValue]:
        """Print a layer as one operator; return the directions' outputs."""
        directions, out = self.written.layers[number].directions, self.out
        D, fixed = len(directions), [self._fixed(one) for one in directions]
        states = {
            s: self._before(s, size, number * D, D) for s, size in directions[0].states.items()
        }
        given = {name: value for name, value in states.items() if value is not None}
        sequence, finals = operators.sweep(
            out, operator, fixed,
            with_axis(out, x, 0) if self.single else x,
            given,
            ABSENT if self.lengths is None else self.lengths,
            "forward" if D == 1 else "bidirectional",
        )  # fmt: skip
        self._keep(finals)
        each = [without_axis(out, one, 1) for one in split(out, sequence, [1] * D, 1)]
        each = [without_axis(out, one, 0) for one in each] if self.single else each
        first = next(iter(directions[0].states))
        return [
            self._mapped(one, own, x, {first: value})
            for one, own, value in zip(directions, fixed, each, strict=True)
        ]

    def _by_sweeps(
        self, number: int, x: OnnxValue, below: Sequence[Named]
    ) -> tuple[list[OnnxValue], list[Named]]:
        """Print each direction of a layer; return their outputs, and their states at all steps."""
        outputs, sequences, finals = list[OnnxValue](), list[Named](), list[Named]()
        directions, out = self.written.layers[number].directions, self.out
        for d, one in enumerate(directions):
            fixed, graph, row = self._fixed(one), one.step.graph, number * len(directions) + d
            given = SweepInput(
                x,
                {s: self._start(s, size, row) for s, size in one.states.items()},
                {name: below[d][name] for name in one.below},
                None if self.lengths is None else self.valid,
            )
            if self.single:
                made = sweeps.single_step(out, graph, fixed, given)
            else:
                made = sweeps.scan(out, graph, fixed, given, self._read(number), one.reverse)
            finals.append(made.finals)
            sequences.append(made.sequences)
            outputs.append(self._mapped(one, fixed, x, made.sequences))
        self._keep(
            {s: joined(out, [with_axis(out, of[s], 0) for of in finals], 0) for s in finals[0]}
        )
        return outputs, sequences

    def _keep(self, finals: Named) -> None:
        for name, value in finals.items():
            self.finals.setdefault(name, []).append(value)

    def _mapped(self, one: Direction, fixed: Fixed, x: OnnxValue, sequences: Named) -> OnnxValue:
        """Return a direction's output at all steps, of x and the states; 0 past a row's end."""
        graph = one.step.output
        if graph is None:
            output = sequences[next(iter(one.states))]
        else:
            given = {StepInput(Origin.X): x} | sweeps.as_inputs(sequences)
            k = graph.outputs["output"]
            output = emit(self.out, graph, [k], leaves(graph, given), fixed)[k]
        return output if self.lengths is None else zero_where_not(self.out, self.valid, output)

    def _fixed(self, one: Direction) -> Fixed:
        weights = {w: self.out.constant(t.cpu().numpy()) for w, t in one.step.weights.items()}
        return Fixed(weights, one.step.sizes)

    def _before(self, state: str, size: int, first: int, count: int) -> OnnxValue | None:
        """Return a state before the first step, [count, B, S]; None where it is zero."""
        out, learned = self.out, self.written.initial
        if self.states:
            return rows(out, self.states[state], first, first + count)
        if learned is None:
            return None
        own = out.constant(learned[state][first : first + count, None].cpu().numpy())
        return out.call("Expand", own, self._shape(count, size))

    def _start(self, state: str, size: int, row: int) -> OnnxValue:
        """Return a state before a direction's first step, [B, S]."""
        value = self._before(state, size, row, 1)
        if value is None:
            return self.out.call("Expand", self.out.constant(0.0), self._shape(size))
        return without_axis(self.out, value, 0)

    def _shape(self, *sizes: int) -> OnnxValue:
        """Return a shape [·, B, ·], or [B, ·]."""
        batch = self.out.call("Shape", self.x, start=-2, end=-1)
        parts = [self.out.integers(n) for n in sizes]
        return joined(self.out, [*parts[:-1], batch, parts[-1]], 0)

    def _join(self, layer: WrittenLayer, x: OnnxValue, outputs: Sequence[OnnxValue]) -> OnnxValue:
        """Return what the next layer reads, of a layer's input and its directions' outputs."""
        out = self.out
        z = outputs[0] if len(outputs) == 1 else _MERGES[layer.merge](out, outputs)
        if layer.projection is not None:
            z = out.call("MatMul", z, turned(out, out.constant(layer.projection.cpu().numpy())))
        if layer.adds:
            return out.call("Add", z, x)
        if layer.gate is None:
            return z
        weight, bias = (out.constant(t.cpu().numpy()) for t in layer.gate)
        reading = out.call("Add", out.call("MatMul", x, turned(out, weight)), bias)
        t = out.call("Sigmoid", reading)
        kept = out.call("Mul", out.call("Sub", out.constant(1.0), t), x)
        mixed = out.call("Add", out.call("Mul", t, z), kept)
        return mixed if self.lengths is None else zero_where_not(out, self.valid, mixed)


def _folded(op: str) -> Callable[[OnnxGraph, Sequence[OnnxValue]], OnnxValue]:
    return lambda out, values: reduce(lambda a, b: out.call(op, a, b), values)


_MERGES: Mapping[str, Callable[[OnnxGraph, Sequence[OnnxValue]], OnnxValue]] = {
    "concat": lambda out, values: joined(out, values, -1),
    "sum": _folded("Add"),
    "mean": lambda out, values: out.call("Mul", _folded("Add")(out, values), out.constant(0.5)),
    "product": _folded("Mul"),
}

"""An ONNX graph under construction: nodes, values, and constants that are computed at once.

What is made of constants alone (a gate's rows of a stack, transposed, turned round in sign) is no
node: it is computed here, and only what a node reads is put into the file. Where the weights are
not known yet, as inside torch.onnx.export, the same calls make nodes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class OnnxValue:
    """A value of a graph: its name there, or the numbers of a constant."""

    name: str = ""
    numbers: Numbers | None = None


ABSENT = OnnxValue()  # an optional input that is not given

# What is computed at once where all that it reads is known.
_AT_ONCE: Mapping[str, Callable[..., Numbers]] = {
    "Concat": lambda *parts, axis: np.concatenate(parts, axis),
    "Neg": np.negative,
    "Slice": lambda a, first, last, axes: a[(slice(None),) * axes[0] + (slice(*first, *last),)],
    "Transpose": lambda a, perm: a.transpose(perm),
    "Unsqueeze": lambda a, axes: np.expand_dims(a, tuple(axes)),
}


@dataclass
class OnnxGraph:
    """Nodes in order, and the constants that they read.

    Attributes:
        numbers: the dtype of what is computed.
        nodes: in the order in which they run.
        constants: by name.
        outer: the graph in which this one is a loop's body.
        prefix: of all names.
    """

    numbers: np.dtype[Any]
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, Numbers] = field(default_factory=dict)
    outer: "OnnxGraph | None" = None
    prefix: str = ""
    _taken: dict[str, int] = field(default_factory=dict)
    _stored: dict[Any, str] = field(default_factory=dict)

    @property
    def element(self) -> int:
        """ONNX's number of the dtype."""
        return int(helper.np_dtype_to_tensor_dtype(self.numbers))

    def inner(self) -> "OnnxGraph":
        """Return a graph inside this one, whose names are none of this one's."""
        return OnnxGraph(self.numbers, outer=self, prefix=self.prefix, _taken=self._taken)

    @property
    def once(self) -> "OnnxGraph":
        """Where what is the same at all steps is made: outside of loops."""
        return self if self.outer is None else self.outer.once

    def fresh(self, word: str) -> str:
        """Return a name that no other value has."""
        count = self._taken[word] = self._taken.get(word, 0) + 1
        return f"{self.prefix}{word}.{count}"

    def constant(self, values: Any) -> OnnxValue:
        """Return numbers of the graph's dtype as a value."""
        return OnnxValue(numbers=np.asarray(values, self.numbers))

    def integers(self, *values: int) -> OnnxValue:
        """Return whole numbers, as shapes and axes are given."""
        return OnnxValue(numbers=np.array(values, np.int64))

    def integer(self, value: int) -> OnnxValue:
        """Return a whole number."""
        return OnnxValue(numbers=np.array(value, np.int64))

    def call(self, op: str, *args: OnnxValue, **attributes: Any) -> OnnxValue:
        """Return an operator's one result."""
        known = [a.numbers for a in args if a.numbers is not None]
        if op in _AT_ONCE and len(known) == len(args):
            return OnnxValue(numbers=_AT_ONCE[op](*known, **attributes))
        return self.calls(op, args, 1, **attributes)[0]

    def calls(
        self, op: str, args: Sequence[OnnxValue], results: int, **attributes: Any
    ) -> tuple[OnnxValue, ...]:
        """Return an operator's results."""
        names = [self.named(a) for a in args]
        while names and not names[-1]:
            names.pop()
        outputs = [self.fresh(op.lower()) for _ in range(results)]
        self.nodes.append(helper.make_node(op, names, outputs, self.fresh(op), **attributes))
        return tuple(map(OnnxValue, outputs))

    def named(self, value: OnnxValue) -> str:
        """Return a value's name; a constant is put into the graph first."""
        if value.numbers is None:
            return value.name
        key = (value.numbers.dtype.str, value.numbers.shape, value.numbers.tobytes())
        if key not in self._stored:
            self._stored[key] = self.fresh("constant" if value.numbers.size < 2 else "weight")
            self.constants[self._stored[key]] = value.numbers
        return self._stored[key]

    def rename(self, value: OnnxValue, name: str) -> None:
        """Give a value a name of its own, as an output of the graph has."""
        self.nodes.append(helper.make_node("Identity", [self.named(value)], [name], name))

    def proto(
        self,
        name: str,
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
    ) -> onnx.GraphProto:
        """Return the graph with its inputs and outputs, without what no output needs."""
        needed, nodes = {one.name for one in outputs}, list[NodeProto]()
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.output):
                nodes.append(node)
                needed.update(_read(node))
        constants = [
            numpy_helper.from_array(np.ascontiguousarray(array), constant)
            for constant, array in self.constants.items()
            if constant in needed
        ]
        return helper.make_graph(nodes[::-1], name, inputs, outputs, constants)

    def info(self, name: str, *shape: int | str | None) -> onnx.ValueInfoProto:
        """Return a value of the graph's dtype, with its shape, for `proto`."""
        return helper.make_tensor_value_info(name, self.element, shape)


def _read(node: NodeProto) -> Iterator[str]:
    """Yield the names that a node reads, those in its body too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _read(inner)


# ---------------------------------------------------------------- what several modules need


def rows(graph: OnnxGraph, value: OnnxValue, first: int, last: int, axis: int = 0) -> OnnxValue:
    """Return a part of a value along an axis."""
    if value.numbers is not None and (first, last) == (0, value.numbers.shape[axis]):
        return value
    bounds = graph.integers(first), graph.integers(last), graph.integers(axis)
    return graph.call("Slice", value, *bounds)


def split(graph: OnnxGraph, value: OnnxValue, sizes: Sequence[int], axis: int) -> list[OnnxValue]:
    """Return the parts of a value along an axis."""
    if len(sizes) == 1:
        return [value]
    return [*graph.calls("Split", [value, graph.integers(*sizes)], len(sizes), axis=axis)]


def joined(graph: OnnxGraph, values: Sequence[OnnxValue], axis: int) -> OnnxValue:
    """Return values side by side along an axis."""
    return values[0] if len(values) == 1 else graph.call("Concat", *values, axis=axis)


def with_axis(graph: OnnxGraph, value: OnnxValue, axis: int) -> OnnxValue:
    """Return a value with one more axis."""
    return graph.call("Unsqueeze", value, graph.integers(axis))


def without_axis(graph: OnnxGraph, value: OnnxValue, axis: int) -> OnnxValue:
    """Return a value without an axis of size 1."""
    return graph.call("Squeeze", value, graph.integers(axis))


def turned(graph: OnnxGraph, matrix: OnnxValue) -> OnnxValue:
    """Return a matrix transposed."""
    return graph.call("Transpose", matrix, perm=[1, 0])


def zero_where_not(graph: OnnxGraph, mask: OnnxValue, value: OnnxValue) -> OnnxValue:
    """Return a value, 0 where a mask is False."""
    return graph.call("Where", mask, value, graph.constant(0.0))

"""A step's graph printed as ONNX nodes, by a table with a spelling for each op.

Legend: B batch, I input, H hidden.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from onnx import TensorProto

from penstock.compiler.ir.graph import Graph, Node, Origin, StepInput, Weight
from penstock.errors import ExportError
from penstock.exporters.onnx.values import OnnxGraph, OnnxValue, joined, split, turned

Spelling = Callable[..., OnnxValue]


def _named(op: str) -> Spelling:
    return lambda out, *args: out.call(op, *args)


def _reduced(op: str) -> Spelling:
    return lambda out, a: out.call(op, a, out.integers(-1), keepdims=1)


def _mask(op: str) -> Spelling:
    return lambda out, a, b: out.call("Cast", out.call(op, a, b), to=out.element)


def _where(out: OnnxGraph, mask: OnnxValue, a: OnnxValue, b: OnnxValue) -> OnnxValue:
    return out.call("Where", out.call("Cast", mask, to=TensorProto.BOOL), a, b)


SPELLINGS: Mapping[str, Spelling] = {
    "add": _named("Add"),
    "sub": _named("Sub"),
    "mul": _named("Mul"),
    "div": _named("Div"),
    "neg": _named("Neg"),
    "sigmoid": _named("Sigmoid"),
    "tanh": _named("Tanh"),
    "relu": _named("Relu"),
    "exp": _named("Exp"),
    "log": _named("Log"),
    "sqrt": _named("Sqrt"),
    "rsqrt": lambda out, a: out.call("Reciprocal", out.call("Sqrt", a)),
    "sin": _named("Sin"),
    "cos": _named("Cos"),
    "abs": _named("Abs"),
    "sign": _named("Sign"),
    "gt": _mask("Greater"),
    "eq": _mask("Equal"),
    "where": _where,
    "maximum": _named("Max"),
    "minimum": _named("Min"),
    "held": lambda out, a: a,  # noqa: ARG005  (a value like any other without gradients)
    "sum": _reduced("ReduceSum"),
    "amax": _reduced("ReduceMax"),
}


@dataclass(frozen=True)
class Fixed:
    """What a step's graph reads that is the same for all rows.

    Attributes:
        weights: matrices and vectors as they are stored.
        sizes: of the widths.
    """

    weights: Mapping[Weight, OnnxValue]
    sizes: Mapping[str, int]


def emit(
    out: OnnxGraph,
    graph: Graph[Any],
    wanted: Iterable[int],
    given: Mapping[int, OnnxValue],
    fixed: Fixed,
) -> dict[int, OnnxValue]:
    """Print what some nodes need, beside those that are given; return their values.

    Values may have axes before [B, ·]: all steps are one value where nothing goes from one to the
    next. Products that read the same value become one.

    Raises:
        ExportError: ONNX has no spelling for an op.
    """
    needed = _needed(graph, wanted, given)
    values = dict(given)
    for k in needed:
        if k not in values:
            values |= _value(out, graph, k, values, fixed, needed)
    return values


def leaves(graph: Graph[Any], values: Mapping[StepInput, OnnxValue]) -> dict[int, OnnxValue]:
    """Return the values of a graph's inputs, by their nodes."""
    inputs = ((k, node.leaf) for k, node in enumerate(graph.nodes) if node.is_input)
    return {k: values[leaf] for k, leaf in inputs if leaf in values}


def _needed(graph: Graph[Any], wanted: Iterable[int], given: Mapping[int, OnnxValue]) -> list[int]:
    found = {*wanted} - {*given}
    for k in reversed(range(len(graph.nodes))):
        if k in found:
            found.update(a for a in graph.nodes[k].args if a not in given)
    return sorted(found)


def _value(
    out: OnnxGraph,
    graph: Graph[Any],
    k: int,
    values: Mapping[int, OnnxValue],
    fixed: Fixed,
    needed: list[int],
) -> dict[int, OnnxValue]:
    """Return a node's value, and those of nodes that are made with it."""
    node = graph.nodes[k]
    args = [values[a] for a in node.args]
    if node.op == "linear" and len(node.args) == 1:
        family = [n for n in needed if _alike(graph.nodes[n], node)]
        return dict(zip(family, _products(out, graph, family, args[0], fixed), strict=True))
    if node.op == "linear":
        terms = [_product(out, a, w, fixed) for a, w in zip(args, node.weights, strict=True)]
        return {k: out.call("Sum", *terms)}
    if node.op == "expand":
        return {k: out.call("Expand", args[0], out.integers(fixed.sizes[node.width]))}
    if node.is_input:
        return {k: _input(out, node, fixed)}
    if node.op not in SPELLINGS:
        raise ExportError(f"there is no spelling in ONNX for the op {node.op!r}, which a step does")
    return {k: SPELLINGS[node.op](out, *args)}


def _input(out: OnnxGraph, node: Node, fixed: Fixed) -> OnnxValue:
    """Return an input of a step that is the same for all rows."""
    if node.vector is not None:
        return fixed.weights[node.vector]
    if node.op == Origin.CONST:
        return out.constant(node.value)
    if node.op == Origin.FEATURES:
        return out.constant(fixed.sizes[str(node.name)])
    raise ExportError(f"a step reads {str(node.leaf)!r}, which is not there in evaluation")


def _alike(node: Node, other: Node) -> bool:
    return node.op == other.op and node.args == other.args


def _products(
    out: OnnxGraph, graph: Graph[Any], family: list[int], value: OnnxValue, fixed: Fixed
) -> list[OnnxValue]:
    """Return products of one value as the parts of one: 7 nodes less for an LSTM."""
    nodes = [graph.nodes[k] for k in family]
    matrices = [_matrix(out, node.weights[0], fixed) for node in nodes]
    product = out.call("MatMul", value, joined(out.once, matrices, 1))
    return split(out, product, [fixed.sizes[node.width] for node in nodes], -1)


def _product(out: OnnxGraph, value: OnnxValue, weight: Weight, fixed: Fixed) -> OnnxValue:
    return out.call("MatMul", value, _matrix(out, weight, fixed))


def _matrix(out: OnnxGraph, weight: Weight, fixed: Fixed) -> OnnxValue:
    """Return what a row is multiplied with from the right."""
    stored = fixed.weights[weight.as_stored()]
    return stored if weight.transposed else turned(out.once, stored)

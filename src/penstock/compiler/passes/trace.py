"""Cell → Graph: step runs once on symbolic values."""

from collections.abc import Callable, Sequence
from typing import Any

from penstock.cells import Cell, Vector
from penstock.cells.check import line_of
from penstock.cells.language import Affine, Interpretation
from penstock.cells.words import Worded
from penstock.compiler.ir.builder import Builder, Value, normalised
from penstock.compiler.ir.graph import Graph, Node, Origin, Stacked, Weight
from penstock.compiler.ir.ops import OPS
from penstock.errors import TraceError


def trace(cell: Cell, lowest: bool, bias: bool) -> Graph[str]:
    """Return the graph of one step of a cell; the outputs are its new states, by name.

    Args:
        cell: with its hyperparameters.
        lowest: trace the equations of the lowest layer.
        bias: whether the layer has biases.

    Raises:
        TraceError: the step does what a graph cannot say; the message names op, cell and line.
    """
    nodes = Nodes(cell, bias)
    new = _told(cell, nodes.step, *nodes.given(lowest))
    outputs = dict(zip(cell.states, new, strict=True))
    for state, value in outputs.items():
        width = cell.width_of(state)
        if not isinstance(value, Value) or value.node.width != width:
            raise TraceError(f"{type(cell).__name__}: the new {state} is not [B, {width}]")
    return nodes.builder.graph(outputs)


def trace_output(cell: Cell, bias: bool) -> Graph[str]:
    """Return the graph of a cell's output, of x and the new states; raises as `trace`."""
    nodes = Nodes(cell, bias)
    output = _told(cell, nodes.output, *nodes.given(lowest=True)[:2])
    return nodes.builder.graph({"output": output})


def _told(cell: Cell, equations: Callable[..., Any], *arguments: Any) -> Any:
    """Run equations; turn what goes wrong into a TraceError that names cell and line."""
    try:
        return equations(*arguments)
    except Exception as error:
        where = line_of(error, type(cell).step)
        raise TraceError(f"{type(cell).__name__}: {error}{where}") from error


# The stacks of a gate's halves, by what they read.
_STACKS = {"x": Stacked.W, "h": Stacked.U}
_BIASES = {"x": Stacked.BIAS_X, "h": Stacked.BIAS_H}


class Nodes(Interpretation[Value]):
    """The equations as nodes of a graph under construction.

    bias: whether the layer has biases.
    """

    def __init__(self, cell: Cell, bias: bool) -> None:
        super().__init__(cell)
        self.builder, self.bias = Builder(wrap=Symbol), bias

    def given(self, lowest: bool) -> tuple[Value, list[Value], list[Value]]:
        """Return x, the states and the lower layer's; all inputs stand first in the graph."""
        inputs = self.inputs(self._input, lowest)
        for declared in self.bound.declared:
            getattr(self.bound, declared)  # a vector is an input, whichever is read first
        return inputs

    def total(self, terms: Sequence[tuple[Affine, Value]]) -> Value:
        """Return W x, with the biases added to it, then what may depend on the state.

        In this order the hoist finds all that can go before the loop at the left of one sum.
        """
        of_x = [self._product(a, v) for a, v in terms if a.reads == "x"]
        has_bias = (a for a, _ in terms if self.bias and a.has_bias)
        names = [Weight(_BIASES[a.reads], a.name) for a in has_bias]
        biases = [self.builder.input(Origin.VECTOR, name, "hidden_size") for name in names]
        others = [self._product(a, v) for a, v in terms if a.reads != "x"]
        first, *rest = of_x + biases + others
        return sum(rest, first)

    def vector(self, vector: Vector) -> Value:
        """Return the input that holds a vector."""
        return self.builder.input(Origin.VECTOR, Weight(f"weight_{vector.name}"), vector.size)

    def _product(self, affine: Affine, value: Value) -> Value:
        stack = _STACKS.get(affine.reads)
        own = Weight(f"weight_{affine.name}", "", affine.transposed)
        weight = own if stack is None else Weight(stack, affine.name)
        return self.builder.linear((weight, value), width=affine.width)

    def _input(self, origin: str, name: str, width: str) -> Value:
        return self.builder.input(Origin(origin), "" if origin == Origin.X else name, width)


class Symbol(Value, Worded):
    """A value on which torch's functions and operators make nodes."""

    __eq__, __hash__ = Worded.__eq__, Worded.__hash__

    def say(self, word: str, *args: Any) -> Any:
        """Return an op of the table, or what is made of several."""
        if word in _COMPOSED:
            return _COMPOSED[word](*args)
        if word not in OPS or len(args) != OPS[word].arity:
            raise TypeError(f"the compiler has no op for torch's {word}(…)")
        return self.builder.emit(word, *args)


def _power(a: Any, exponent: Any) -> Any:
    if isinstance(exponent, float) and exponent == 0.5:
        return a.say("sqrt", a)
    if not isinstance(exponent, int | float) or exponent != int(exponent) or exponent < 1:
        raise TypeError(f"the compiler has no op for a power of {exponent!r}")
    result = a
    for _ in range(int(exponent) - 1):
        result = result * a
    return result


def _layer_norm(a: Any, epsilon: float) -> Any:
    return normalised([a], epsilon)[0]


def _mean(a: Any) -> Any:
    return a.say("sum", a) / a.builder.input(Origin.FEATURES, a.node.width, "1")


def _softmax(a: Any) -> Any:
    e = a.say("exp", a - a.say("amax", a))
    return e / e.say("sum", e)


def _clamp(a: Any, low: Any, high: Any) -> Any:
    a = a if low is None else a.say("maximum", a, low)
    return a if high is None else a.say("minimum", a, high)


def _full_like(like: Any, number: float) -> Any:
    value = like.builder.const(number)
    width = like.node.width
    return value if width == "1" else value.builder.add(Node("expand", (value.index,), width))


def _softplus(a: Any) -> Any:
    # Not relu: at 0 its slope is 0, that of a maximum is ½, as it must be.
    return a.say("maximum", a, 0.0) + a.say("log", 1 + a.say("exp", -a.say("abs", a)))


# Words that are made of several ops.
_COMPOSED: dict[str, Callable[..., Any]] = {
    "pow": _power,
    "silu": lambda a: a * a.say("sigmoid", a),
    "softplus": _softplus,
    "leaky_relu": lambda a, slope: a.say("where", a > 0, a, a * slope),
    "logsigmoid": lambda a: -_softplus(-a),
    "clamp": _clamp,
    "full_like": _full_like,
    "mean": _mean,
    "softmax": _softmax,
    "layer_norm": _layer_norm,
}

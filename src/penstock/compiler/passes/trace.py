"""Cell → Graph: step runs once on symbolic values."""

import inspect
import traceback
from collections.abc import Callable
from typing import Any, cast

from penstock.cells.base import Cell, Gate, Matrix, Multiplication, Vector
from penstock.compiler.ir.builder import Builder, Value, normalised
from penstock.compiler.ir.graph import BIASES, Graph, Node, Origin, Stack, Weight
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
    builder = Builder(wrap=Symbol)
    new = _run(cell, "step", builder, bias, () if lowest else cell.below)
    outputs = dict(zip(cell.states, new if isinstance(new, tuple) else (new,), strict=True))
    for state, value in outputs.items():
        width = _width(cell, state)
        if not isinstance(value, Value) or value.node.width != width:
            raise TraceError(f"{type(cell).__name__}: the new {state} is not [B, {width}]")
    return builder.graph(outputs)


def trace_output(cell: Cell, bias: bool) -> Graph[str]:
    """Return the graph of a cell's output, of x and the new states; raises as `trace`."""
    builder = Builder(wrap=Symbol)
    return builder.graph({"output": _run(cell, "output", builder, bias, ())})


def _run(cell: Cell, equations: str, builder: Builder, bias: bool, lower: tuple[str, ...]) -> Any:
    """Run step or output on symbolic values; lower: the states of the lower layer that it takes."""
    states = [builder.input(Origin.STATE, s, _width(cell, s)) for s in cell.states]
    x = builder.input(Origin.X, "", "input_size")
    below = [builder.input(Origin.BELOW, s, _width(cell, s)) for s in lower]
    bound = cell.bind({name: _symbolic(cell, name, builder, bias) for name in cell.declared})
    try:
        return getattr(bound, equations)(x, *states, *below)
    except Exception as error:
        raise TraceError(f"{type(cell).__name__}: {error}{_line(error, cell)}") from error


def _width(cell: Cell, state: str) -> str:
    return cell.widths.get(state, "hidden_size")


def _symbolic(cell: Cell, name: str, builder: Builder, bias: bool) -> Any:
    """Return what stands for a declaration while the step is traced."""
    declared = cell.declared[name]
    if isinstance(declared, Gate):
        return _gate(declared, builder, bias)
    if isinstance(declared, Matrix):
        widths = declared.rows, declared.columns
        return Multiplication(
            lambda z, t: builder.linear(
                (Weight(f"weight_{name}", "", t), z), width=widths[1 if t else 0]
            )
        )
    assert isinstance(declared, Vector)
    return builder.input(Origin.VECTOR, Weight(f"weight_{name}"), declared.size)


def _gate(gate: Gate, builder: Builder, bias: bool) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        x, h = (cast(Any, value) for value in gate.arguments(given))
        parts: list[Any] = []
        if x is not None:
            parts.append(builder.linear((Weight(Stack.W, gate.name), x), width="hidden_size"))
        if bias and gate.bias is not False:
            sides = zip(BIASES, (x, h), strict=True)
            biases = [Weight(stack, gate.name) for stack, value in sides if value is not None]
            parts += [builder.input(Origin.VECTOR, bias, "hidden_size") for bias in biases]
        if h is not None:
            product = builder.linear((Weight(Stack.U, gate.name), h), width="hidden_size")
            parts.append(product)
        return sum(parts[1:], parts[0])

    return call


class Symbol(Value):
    """A value that torch's functions and operators turn into nodes."""

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Turn a call of a torch function into nodes."""
        return _call(function.__name__, args, kwargs or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not (name in _SPELLINGS or name in OPS):
            raise AttributeError(f"a traced value has no {name!r}")
        return lambda *args, **kwargs: _call(name, (self, *args), kwargs)

    def __gt__(self, other: Any) -> Value:
        return self.builder.emit("gt", self, other)

    def __lt__(self, other: Any) -> Value:
        return self.builder.emit("gt", other, self)

    def __eq__(self, other: object) -> Any:
        return self.builder.emit("eq", self, cast(Any, other))

    def __ne__(self, other: object) -> Any:
        return 1 - self.builder.emit("eq", self, cast(Any, other))

    __hash__ = Value.__hash__

    def __pow__(self, exponent: Any) -> Any:
        return _power(self, exponent)

    def __bool__(self) -> bool:
        raise TypeError("the step branches on a value; use torch.where for that")


def _call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    kwargs.pop("inplace", None)
    if name in _SPELLINGS:
        return _SPELLINGS[name](*args, **kwargs)
    if name not in OPS or kwargs or OPS[name].rowwise:
        options = "".join(f", {k}=" for k in kwargs)
        raise TypeError(f"the compiler has no op for torch's {name}(…{options})")
    builder = next(a for a in args if isinstance(a, Value)).builder
    return builder.emit(name, *args)


def _power(a: Any, exponent: Any) -> Any:
    if exponent == 0.5:
        return a.builder.emit("sqrt", a)
    if not isinstance(exponent, int | float) or exponent != int(exponent) or exponent < 1:
        raise TypeError(f"the compiler has no op for a power of {exponent!r}")
    result = a
    for _ in range(int(exponent) - 1):
        result = result * a
    return result


def _rows(op: str) -> Callable[..., Any]:
    """Return a reduction over the features, which must be asked for with keepdim."""

    def reduce(a: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if dim not in (-1, (-1,), [-1], 1) or not keepdim:
            raise TypeError(f"the compiler has {op} over dim=-1 with keepdim=True only")
        return a.builder.emit(op, a)

    return reduce


def _mean(a: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return _rows("sum")(a, dim, keepdim) / a.builder.input(Origin.FEATURES, a.node.width, "1")


def _layer_norm(
    a: Any, normalized_shape: Any = None, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    del normalized_shape  # the features of a row, whatever their number
    y = normalised([a], eps)[0]
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _softmax(a: Any, dim: int = -1, **_ignored: Any) -> Any:
    e = a.builder.emit("exp", a - _rows("amax")(a, dim, True))
    return e / _rows("sum")(e, dim, True)


def _clamp(a: Any, min: Any = None, max: Any = None) -> Any:
    a = a if min is None else a.builder.emit("maximum", a, min)
    return a if max is None else a.builder.emit("minimum", a, max)


def _full(like: Any, number: float) -> Any:
    value = like.builder.const(number)
    width = like.node.width
    return value if width == "1" else value.builder.add(Node("expand", (value.index,), width))


def _softplus(a: Any) -> Any:
    emit = a.builder.emit  # not relu: at 0 its slope is 0, that of a maximum is ½, as it must be
    return emit("maximum", a, 0.0) + emit("log", 1 + emit("exp", -emit("abs", a)))


def _line(error: Exception, cell: Cell) -> str:
    source = inspect.unwrap(type(cell).step).__code__.co_filename
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == source]
    return f" ({own[-1].name}, line {own[-1].lineno}: {own[-1].line})" if own else ""


# What torch calls otherwise than the op table, or what is made of several ops.
_SPELLINGS: dict[str, Callable[..., Any]] = {
    "true_divide": lambda a, b: _call("div", (a, b), {}),
    "divide": lambda a, b: _call("div", (a, b), {}),
    "multiply": lambda a, b: _call("mul", (a, b), {}),
    "subtract": lambda a, b: _call("sub", (a, b), {}),
    "negative": lambda a: -a,
    "rsub": lambda a, b: b - a,
    "square": lambda a: a * a,
    "pow": _power,
    "reciprocal": lambda a: 1 / a,
    "silu": lambda a: a * a.builder.emit("sigmoid", a),
    "softplus": _softplus,
    "leaky_relu": lambda a, negative_slope=0.01: _call("where", (a > 0, a, a * negative_slope), {}),
    "logsigmoid": lambda a: -_softplus(-a),
    "log_sigmoid": lambda a: -_softplus(-a),
    "clamp": _clamp,
    "clip": _clamp,
    "hardtanh": lambda a, min_val=-1.0, max_val=1.0: _clamp(a, min_val, max_val),
    "max": lambda a, b: a.builder.emit("maximum", a, b),
    "min": lambda a, b: a.builder.emit("minimum", a, b),
    "lerp": lambda a, b, w: a + w * (b - a),
    "addcmul": lambda a, b, c, value=1: a + value * b * c,
    "zeros_like": lambda a: _full(a, 0.0),
    "ones_like": lambda a: _full(a, 1.0),
    "greater": lambda a, b: _call("gt", (a, b), {}),
    "lt": lambda a, b: _call("gt", (b, a), {}),
    "less": lambda a, b: _call("gt", (b, a), {}),
    "sum": _rows("sum"),
    "amax": _rows("amax"),
    "mean": _mean,
    "softmax": _softmax,
    "layer_norm": _layer_norm,
}

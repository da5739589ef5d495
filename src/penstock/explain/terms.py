"""A cell's equations as they were written: `step` runs once on terms that remember their making.

The compiler's graph knows what is computed; a reader wants to see it as its author wrote it, with
the author's own names. So the terms here keep each call as it stands, and note which of them the
local variables of `step` hold.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from penstock.cells.base import Cell, Gate, Matrix
from penstock.errors import TraceError

_REDUCTIONS = ("sum", "mean", "amax")


@dataclass(frozen=True)
class Name:
    """What a leaf is called: role says what it is (``"old"``, ``"new"``, ``"weight"``, …)."""

    text: str
    role: str = "value"
    number: int = 0


@dataclass(frozen=True, eq=False)
class Term:
    """One value: an op on other terms, a number, or a named leaf.

    op: ``"name"``, ``"number"``, ``"product"`` (the weight `name` times its argument), an
    operator (add, sub, mul, div, neg, pow, gt, where), or the name of a function.
    scalar: one number a row, or for all.
    """

    op: str
    args: tuple["Term", ...] = ()
    name: Name = field(default=Name(""))
    value: float = 0.0
    run: "Run | None" = None

    def __post_init__(self) -> None:
        if self.run is not None:
            self.run.made.append(self)
            self.run.look()

    @property
    def scalar(self) -> bool:
        """Whether this is one number for all features."""
        if self.op in ("name", "product"):
            return self.name.role == "number"
        return self.op in _REDUCTIONS or all(a.scalar for a in self.args)

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> "Term":
        """Keep a call of a torch function."""
        return _call(function.__name__, args, kwargs or {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("shape", "dtype", "device", "size", "ndim"):
            raise AttributeError(f"an equation has no {name!r}")
        return lambda *args, **kwargs: _call(name, (self, *args), kwargs)

    def __gt__(self, other: Any) -> "Term":
        return _make("gt", self, other)

    def __lt__(self, other: Any) -> "Term":
        return _make("gt", other, self)

    def __neg__(self) -> "Term":
        return _make("neg", self)

    def __bool__(self) -> bool:
        raise TypeError("the step branches on a value; use torch.where for that")


class Number(float):
    """A hyperparameter in equations: a float that remembers how it was named and computed."""

    term: Term

    @classmethod
    def of(cls, value: float, term: Term) -> "Number":
        """Return a number that a term stands for."""
        number = cls(value)
        number.term = term
        return number


_OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow"}


def _add_operators() -> None:
    """Give terms and numbers their arithmetic, forwards and reflected."""
    for python, op in _OPERATORS.items():
        plain, reflected = f"__{python}__", f"__r{python}__"
        setattr(Term, plain, lambda a, b, op=op: _make(op, a, b))
        setattr(Term, reflected, lambda a, b, op=op: _make(op, b, a))
        for method, is_reflected in ((plain, False), (reflected, True)):
            setattr(Number, method, _number_method(op, method, is_reflected))
    setattr(Number, "__neg__", lambda a: Number.of(-float(a), Term("neg", (a.term,))))  # noqa: B010


def _number_method(op: str, method: str, reflected: bool) -> Callable[[Number, Any], Any]:
    def compute(a: Number, b: Any) -> Any:
        if not isinstance(b, int | float):
            return NotImplemented
        pair = (_term(b), a.term) if reflected else (a.term, _term(b))
        return Number.of(getattr(float, method)(a, b), Term(op, pair))

    return compute


_add_operators()


class Run:
    """One run of a cell's equations.

    made: its terms in the order of their making. held: those that its local variables have held.
    """

    def __init__(self, equations: Callable[..., Any]) -> None:
        self.code = inspect.unwrap(equations).__code__
        self.made: list[Term] = []
        self.held: dict[str, list[Term]] = {}

    def look(self) -> None:
        """Note what the local variables hold now; called at every new term."""
        frame = sys._getframe(1)
        while frame is not None and frame.f_code is not self.code:
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None:
            return
        for name, value in frame.f_locals.items():
            if isinstance(value, Term) and value.op not in ("name", "number"):
                held = self.held.setdefault(name, [])
                if not any(value is h for h in held):
                    held.append(value)

    def leaf(self, text: str, role: str) -> Term:
        """Return a named leaf of this run."""
        return Term("name", name=Name(text, role), run=self)


def record(cell: Cell, equations: str, states: str, lowest: bool) -> tuple[Run, list[Term]]:
    """Run `step` or `output` on terms; return the run and the terms that came out.

    Args:
        cell: with its hyperparameters.
        equations: ``"step"`` or ``"output"``.
        states: ``"old"`` or ``"new"``, what the states that go in are.
        lowest: the equations of the lowest layer.

    Raises:
        TraceError: the equations do what cannot be written down.
    """
    cls = type(cell)
    run = Run(getattr(cls, equations))
    bound: Any = cell.bind({name: _declared(cell, name, run) for name in cell.declared})
    for name, value in cell.hyperparameters.items():
        if type(value) is float:
            leaf = Term("name", name=Name(name, "number"), value=value)
            setattr(bound, name, Number.of(value, leaf))
    lower = cell.below if equations == "step" and not lowest else ()
    inputs = [run.leaf("x", "input"), *(run.leaf(s, states) for s in cell.states)]
    inputs += [run.leaf(f"{s}_below", "input") for s in lower]
    try:
        result = getattr(bound, equations)(*inputs)
        results = list(result) if isinstance(result, tuple) else [result]
        return run, [_term(r) for r in results]
    except Exception as error:
        raise TraceError(f"{cls.__name__}: {equations} cannot be written down: {error}") from error


def _declared(cell: Cell, name: str, run: Run) -> Any:
    """Return what stands for a declaration in the equations."""
    declared = cell.declared[name]
    gates = [d for d in cell.declared.values() if isinstance(d, Gate)]
    if isinstance(declared, Gate):
        return _gate(declared, run, "" if len(gates) == 1 else f"_{name}")
    if isinstance(declared, Matrix):
        return _Matrix(_matrix_label(name), run)
    is_one = getattr(declared, "size", "hidden_size") == "1"
    return run.leaf(name, "number" if is_one else "weight")


@dataclass(frozen=True)
class _Matrix:
    """What stands for a Matrix: called, it makes a product; T is its transpose."""

    label: str
    run: Run

    def __call__(self, value: Any) -> Term:
        return Term("product", (_term(value),), Name(self.label, "weight"), run=self.run)

    @property
    def T(self) -> "_Matrix":  # noqa: N802  (torch's own name)
        """The transposed matrix."""
        return _Matrix(f"{self.label}ᵀ", self.run)


def _matrix_label(name: str) -> str:
    """Return what a matrix is called in equations: q is Q, hr is W_hr."""
    return name[0].upper() + name[1:] if name[1:2] in ("", "_") else f"W_{name}"


def _gate(gate: Gate, run: Run, subscript: str) -> Callable[..., Term]:
    def call(*given: Any) -> Term:
        pairs = zip(("W", "U"), gate.arguments(given), strict=True)
        parts = [_Matrix(w + subscript, run)(value) for w, value in pairs if value is not None]
        if gate.bias is not False:
            parts.append(run.leaf(f"b{subscript}", "weight"))
        total = parts[0]
        for part in parts[1:]:
            total = total + part  # type: ignore[operator]
        return total

    return call


def _term(value: Any) -> Term:
    if isinstance(value, Term):
        return value
    if isinstance(value, Number):
        return value.term
    if isinstance(value, int | float):
        return Term("number", value=float(value))
    raise TypeError(f"a {type(value).__name__} stands in an equation")


def _make(op: str, *args: Any) -> Term:
    run = next(a.run for a in args if isinstance(a, Term) and a.run is not None)
    return Term(op, tuple(_term(a) for a in args), run=run)


def _call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Term:
    kwargs.pop("inplace", None)
    if name in _WRITTEN:
        return _term(_WRITTEN[name](*args, **kwargs))
    if kwargs:
        raise TypeError(f"{name}(… {', '.join(kwargs)}=) has no written form")
    return _make(name, *args)


def _over_features(name: str) -> Callable[..., Term]:
    return lambda a, *_dim, **_options: _make(name, a)


def _layer_norm(
    a: Any, normalized_shape: Any = None, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    del normalized_shape
    y: Any = _make("layer_norm", a) if eps == 1e-5 else _make("layer_norm", a, eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _clamp(a: Any, min: Any = None, max: Any = None) -> Any:
    if min is not None and max is not None:
        return _make("clamp", a, min, max)
    return _make("maximum", a, min) if max is None else _make("minimum", a, max)


def _operator(op: str) -> Callable[..., Term]:
    return lambda *args: _make(op, *args)


# Calls of torch that are written otherwise than as that function of its arguments.
_WRITTEN: dict[str, Callable[..., Any]] = {
    "true_divide": _operator("div"),
    "divide": _operator("div"),
    "multiply": _operator("mul"),
    "subtract": _operator("sub"),
    "negative": _operator("neg"),
    "rsub": lambda a, b: b - a,
    "square": lambda a: a**2,
    "reciprocal": lambda a: 1 / a,
    "rsqrt": lambda a: _make("div", 1, _make("sqrt", a)),
    "logsigmoid": lambda a: _make("log", _make("sigmoid", a)),
    "log_sigmoid": lambda a: _make("log", _make("sigmoid", a)),
    "greater": _operator("gt"),
    "lt": lambda a, b: _make("gt", b, a),
    "less": lambda a, b: _make("gt", b, a),
    "max": _operator("maximum"),
    "min": _operator("minimum"),
    "lerp": lambda a, b, w: a + w * (b - a),
    "addcmul": lambda a, b, c, value=1: a + (b * c if value == 1 else value * b * c),
    "zeros_like": lambda a: Term("number", value=0.0, run=a.run),
    "ones_like": lambda a: Term("number", value=1.0, run=a.run),
    "leaky_relu": lambda a, negative_slope=0.01: _make("leaky_relu", a, negative_slope),
    "hardtanh": lambda a, min_val=-1.0, max_val=1.0: _clamp(a, min_val, max_val),
    "clamp": _clamp,
    "clip": _clamp,
    "layer_norm": _layer_norm,
    **{name: _over_features(name) for name in (*_REDUCTIONS, "softmax")},
}

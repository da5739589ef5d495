"""Terms: values that remember how they were made, call by call, as an author wrote them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.explain.record import Run

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
        pair = (as_term(b), a.term) if reflected else (a.term, as_term(b))
        return Number.of(getattr(float, method)(a, b), Term(op, pair))

    return compute


_add_operators()


def as_term(value: Any) -> Term:
    """Return the term that a term, a hyperparameter or a number stands for."""
    if isinstance(value, Term):
        return value
    if isinstance(value, Number):
        return value.term
    if isinstance(value, int | float):
        return Term("number", value=float(value))
    raise TypeError(f"a {type(value).__name__} stands in an equation")


def _make(op: str, *args: Any) -> Term:
    run = next(a.run for a in args if isinstance(a, Term) and a.run is not None)
    return Term(op, tuple(as_term(a) for a in args), run=run)


def _call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Term:
    kwargs.pop("inplace", None)
    if name in _WRITTEN:
        return as_term(_WRITTEN[name](*args, **kwargs))
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

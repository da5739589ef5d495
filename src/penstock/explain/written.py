"""A cell's equations as they were written: `step` runs once on terms that remember their making.

The compiler's graph knows what is computed; a reader wants to see it as its author wrote it, with
the author's own names. So terms keep each call as it stands, and a recording notes which of them
the local variables of `step` hold.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.cells import Cell, Gate, Vector
from penstock.cells.language import Affine, Interpretation, lower_name
from penstock.cells.words import Worded
from penstock.errors import TraceError

_REDUCTIONS = ("sum", "mean", "amax")


class Recording:
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


@dataclass(frozen=True)
class Name:
    """What a leaf is called: role says what it is (``"old"``, ``"new"``, ``"weight"``, …)."""

    text: str
    role: str = "value"
    number: int = 0
    transposed: bool = False


@dataclass(frozen=True, eq=False)
class Term(Worded):
    """One value: an op on other terms, a number, or a named leaf.

    op: ``"name"``, ``"number"``, ``"product"`` (the weight `name` times its argument), or a word.
    scalar: one number a row, or for all.
    """

    op: str
    args: tuple["Term", ...] = ()
    name: Name = field(default=Name(""))
    value: float = 0.0
    recording: Recording | None = None

    def __post_init__(self) -> None:
        if self.recording is not None:
            self.recording.made.append(self)
            self.recording.look()

    @property
    def scalar(self) -> bool:
        """Whether this is one number for all features."""
        if self.op in ("name", "product"):
            return self.name.role == "number"
        return self.op in _REDUCTIONS or all(a.scalar for a in self.args)

    def say(self, word: str, *args: Any) -> "Term":
        """Return a word of its arguments, or what is written in its place."""
        if word in _WRITTEN:
            return as_term(_WRITTEN[word](*args))
        return _make(word, *args)


class Number(float):
    """A hyperparameter in equations: a float that remembers how it was named and computed."""

    term: Term

    @classmethod
    def of(cls, value: float, term: Term) -> "Number":
        """Return a number that a term stands for."""
        number = cls(value)
        number.term = term
        return number


class Terms(Interpretation[Term]):
    """The equations as terms: W x is a product of a named weight."""

    def __init__(self, cell: Cell, recording: Recording) -> None:
        super().__init__(cell)
        self.recording = recording
        gates = [d for d in cell.declared.values() if isinstance(d, Gate)]
        self.has_one_gate = len(gates) == 1
        for name, value in cell.hyperparameters.items():
            if type(value) is float:
                leaf = Term("name", name=Name(name, "number"), value=value)
                setattr(self.bound, name, Number.of(value, leaf))

    def given(self, lowest: bool, role: str) -> tuple[Term, list[Term], list[Term]]:
        """Return the leaves of x, of the states, in a role, and of those of the lower layer."""
        roles = {"x": "input", "state": role, "below": "input"}
        names = {"below": lower_name}
        return self.inputs(
            lambda kind, name, _: self.leaf(names.get(kind, str)(name), roles[kind]), lowest
        )

    def total(self, terms: Sequence[tuple[Affine, Term]]) -> Term:
        """Return W x + U h + b, as much of it as there is: b is what two biases add up to."""
        parts = [
            Term("product", (as_term(value),), self._weight(affine), recording=self.recording)
            for affine, value in terms
        ]
        with_bias = [affine for affine, _ in terms if affine.has_bias]
        parts += [self.leaf(f"b{self._subscript(a)}", "weight") for a in with_bias[:1]]
        first, *rest = parts
        return sum(rest, first)

    def vector(self, vector: Vector) -> Term:
        """Return the leaf of a vector."""
        return self.leaf(vector.name, "number" if vector.size == "1" else "weight")

    def leaf(self, text: str, role: str) -> Term:
        """Return a named leaf."""
        return Term("name", name=Name(text, role), recording=self.recording)

    def _weight(self, affine: Affine) -> Name:
        """Return what a weight is called: W_f and U_f of a gate; a matrix q is Q, hr is W_hr."""
        if affine.reads != "z":
            letter = "W" if affine.reads == "x" else "U"
            return Name(letter + self._subscript(affine), "weight")
        name = affine.name
        label = name[0].upper() + name[1:] if name[1:2] in ("", "_") else f"W_{name}"
        label = label if label not in ("W", "U") else f"W_{name}"  # which are those of gates
        return Name(label, "weight", transposed=affine.transposed)

    def _subscript(self, affine: Affine) -> str:
        return "" if self.has_one_gate else f"_{affine.name}"


def record(
    cell: Cell, equations: str, states: str, lowest: bool
) -> tuple[Recording, tuple[Term, ...]]:
    """Run `step` or `output` on terms; return the recording and the terms that came out.

    Args:
        cell: with its hyperparameters.
        equations: ``"step"`` or ``"output"``.
        states: ``"old"`` or ``"new"``, what the states that go in are.
        lowest: the equations of the lowest layer.

    Raises:
        TraceError: the equations do what cannot be written down.
    """
    recording = Recording(getattr(type(cell), equations))
    terms = Terms(cell, recording)
    try:
        if equations == "step":
            results = terms.step(*terms.given(lowest, states))
        else:
            results = (terms.output(*terms.given(True, states)[:2]),)
        return recording, tuple(as_term(result) for result in results)
    except Exception as error:
        name = type(cell).__name__
        raise TraceError(f"{name}: {equations} cannot be written down: {error}") from error


_OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow"}


def _add_operators() -> None:
    """Give numbers their arithmetic, forwards and reflected."""
    for python, op in _OPERATORS.items():
        for method, is_reflected in ((f"__{python}__", False), (f"__r{python}__", True)):
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
    given = (a.recording for a in args if isinstance(a, Term))
    recording = next((r for r in given if r is not None), None)
    return Term(op, tuple(as_term(a) for a in args), recording=recording)


def _clamp(a: Any, low: Any, high: Any) -> Any:
    if low is not None and high is not None:
        return _make("clamp", a, low, high)
    return _make("maximum", a, low) if high is None else _make("minimum", a, high)


def _layer_norm(a: Any, epsilon: float) -> Term:
    return _make("layer_norm", a) if epsilon == 1e-5 else _make("layer_norm", a, epsilon)


# Words that are written otherwise than as that function of its arguments.
_WRITTEN: dict[str, Callable[..., Any]] = {
    "rsqrt": lambda a: _make("div", 1, _make("sqrt", a)),
    "logsigmoid": lambda a: _make("log", _make("sigmoid", a)),
    "full_like": lambda a, number: Term("number", value=number, recording=a.recording),
    "clamp": _clamp,
    "layer_norm": _layer_norm,
}

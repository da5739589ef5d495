"""The language of cells: what a cell declares, and what that means in its equations.

The meaning stands here once. Who reads a cell gives an `Interpretation`: `penstock.cells.check`
has shapes for values, the compiler nodes of a graph, `penstock.explain` written terms, and the
eager run tensors. Each says what its values are and how they are mapped, and nothing else.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import torch
from torch import Tensor

from penstock.cells.hyperparameters import annotated, checked
from penstock.cells.modifiers import Modifiers
from penstock.errors import ArgumentError, CellError, nearest

V = TypeVar("V")
MakeInput = Callable[[str, str, str], V]
Initial = float | tuple[float, float] | Callable[[Tensor], Tensor]


class Interpretation(ABC, Generic[V]):
    """A reading of a cell's equations, with values V.

    Args:
        cell: with its hyperparameters. `bound` is the same cell, whose declarations have a
            meaning: `step` and `output` can be called on it.
    """

    def __init__(self, cell: "Equations") -> None:
        self.bound = cell.bind(self)

    def forget(self) -> None:
        """Let go of the bound cell, which holds this: else both live on until gc finds them."""
        del self.bound

    @abstractmethod
    def total(self, terms: "Sequence[tuple[Affine, V]]") -> V:
        """Return Σ (A v + b) over maps A v + b, each with its v."""

    @abstractmethod
    def vector(self, vector: "Vector") -> V:
        """Return what a vector stands for."""

    def inputs(self, make: MakeInput[V], lowest: bool) -> tuple[V, list[V], list[V]]:
        """Return x, the states and a lower layer's, each made of its kind, name and width."""
        cell = self.bound
        states = [make("state", s, cell.width_of(s)) for s in cell.states]
        x = make("x", "x", "input_size")
        below = [] if lowest else [make("below", s, cell.width_of(s)) for s in cell.below]
        return x, states, below

    def step(self, x: V, states: Sequence[V], below: Sequence[V] = ()) -> tuple[V, ...]:
        """Return the new states, of x, the old states, and the lower layer's new ones."""
        new = self.bound.step(x, *states, *below)
        return new if isinstance(new, tuple) else (new,)

    def output(self, x: V, states: Sequence[V]) -> V:
        """Return the output, of x and the new states."""
        if self.bound.output is None:
            return states[0]
        output: V = self.bound.output(x, *states)
        return output


class Declaration(ABC):
    """Something learned that a cell declares as a class attribute."""

    name: str = ""

    @abstractmethod
    def meaning(self, reading: Interpretation[Any]) -> Any:
        """Return what stands for this in the equations."""

    def __set_name__(self, owner: type, name: str) -> None:
        if not hasattr(owner, "declared"):
            raise CellError(f"{owner.__name__}.{name}: only a penstock.Cell can declare it")
        self.name = name

    def __get__(self, cell: Any, owner: type) -> Any:
        if cell is None:
            return self
        if cell._meanings is None or self.name not in cell.declared:
            raise CellError(
                f"{owner.__name__}.{self.name} has a value only inside step() and output()"
            )
        return cell._meanings[self.name]


class Gate(Declaration):
    """An affine map of the input and the state: ``self.f(x, h)`` is W_f x + U_f h + b_f.

    Args:
        bias: the initial value of b_f; True draws it as torch.nn does, False leaves it out.
        x: False leaves out W_f; the gate is then called ``self.f(h)``.
        h: False leaves out U_f; the gate is then called ``self.f(x)``.

    Shapes: x [B, I], h [B, width of the first state], W_f [H, I], U_f [H, width of the first
    state], b_f [H], result [B, H]. As in torch, a gate of both arguments keeps its bias in two
    parts, one beside W_f (`bias_ih`) and one beside U_f (`bias_hh`).
    """

    def __init__(self, *, bias: bool | float = True, x: bool = True, h: bool = True) -> None:
        if not (x or h):
            raise CellError("a Gate without x and h would have nothing to act on; use a Vector()")
        self.bias, self.x, self.h = bias, x, h
        self.of_x, self.of_h = Affine(self, "x"), Affine(self, "h")

    @property
    def has_bias(self) -> bool:
        """Whether there is a b_f."""
        return self.bias is not False

    def meaning(self, reading: Interpretation[V]) -> Callable[..., V]:
        """Return ``self.f``, which is called with values."""
        maps = [a for a, is_there in ((self.of_x, self.x), (self.of_h, self.h)) if is_there]

        def call(*given: V) -> V:
            if len(given) != len(maps):
                raise CellError(
                    f"gate {self.name} was called with {len(given)} arguments; "
                    f"as declared it takes self.{self.name}({', '.join(a.reads for a in maps)})"
                )
            return reading.total([*zip(maps, given, strict=True)])

        return call


class Vector(Declaration):
    """An elementwise weight p [H], used as in ``self.p * c``.

    Args:
        initial: the value it starts with: a number, the (low, high) of a uniform distribution, or
            a function of a tensor drawn uniformly from [0, 1); None draws it as torch.nn does.
        size: ``"hidden_size"``, the name of an integer hyperparameter, or ``"1"`` for one learned
            number that all units share.
    """

    def __init__(self, initial: Initial | None = None, size: str = "hidden_size") -> None:
        self.initial, self.size = initial, size

    def meaning(self, reading: Interpretation[V]) -> V:
        """Return ``self.p``, a value."""
        return reading.vector(self)

    def start(self, values: Tensor) -> None:
        """Give a parameter its initial value, where the declaration has one."""
        if isinstance(self.initial, tuple):
            values.uniform_(*self.initial)
        elif callable(self.initial):
            values.copy_(self.initial(torch.rand_like(values)))
        elif self.initial is not None:
            values.fill_(self.initial)


class Matrix(Declaration):
    """A matrix Q without bias: ``self.q(z)`` is Q z, and ``self.q.T(z)`` is Qᵀ z.

    Args:
        rows, columns: its sizes, each ``"hidden_size"``, ``"input_size"`` or the name of an
            integer hyperparameter.
    """

    def __init__(self, rows: str = "hidden_size", columns: str = "hidden_size") -> None:
        self.rows, self.columns = rows, columns
        self.plain, self.turned = Affine(self, "z"), Affine(self, "z", transposed=True)

    def meaning(self, reading: Interpretation[V]) -> "Multiplication[V]":
        """Return ``self.q``, which is called with a value; ``self.q.T`` too."""
        return Multiplication(reading, self.plain, self.turned)


@dataclass(frozen=True, eq=False)
class Affine:
    """A map A v + b of one value: a gate's half, or a matrix.

    declared: what it is a part of. reads: ``"x"`` for W v + b of a gate, ``"h"`` for U v + b,
    ``"z"`` for a matrix, which has no b. transposed: A is the matrix transposed.
    """

    declared: Gate | Matrix
    reads: Literal["x", "h", "z"]
    transposed: bool = False

    @property
    def name(self) -> str:
        """The name of the declaration."""
        return self.declared.name

    @property
    def has_bias(self) -> bool:
        """Whether there is a b."""
        return isinstance(self.declared, Gate) and self.declared.has_bias

    @property
    def width(self) -> str:
        """The width of the result."""
        if isinstance(self.declared, Gate):
            return "hidden_size"
        return self.declared.columns if self.transposed else self.declared.rows


@dataclass(frozen=True)
class Multiplication(Generic[V]):
    """A matrix in the equations: called with z it is Q z."""

    reading: Interpretation[V]
    plain: Affine
    turned: Affine

    def __call__(self, z: V) -> V:
        return self.reading.total([(self.plain, z)])

    @property
    def T(self) -> "Multiplication[V]":  # noqa: N802  (torch's own name)
        """The transposed matrix."""
        return Multiplication(self.reading, self.turned, self.plain)


_UNCHANGED = Modifiers()


@dataclass(frozen=True)
class Place:
    """Where in a stack of layers a cell stands: I, H, lowest or not, how its step is changed."""

    input_size: int
    hidden_size: int
    lowest: bool = True
    modifiers: Modifiers = _UNCHANGED


def lower_name(state: str) -> str:
    """Return what `step` calls the lower layer's new state of this step."""
    return f"{state}_below"


class Equations:
    """What the author of a cell writes, ready to be interpreted; `Cell` adds what is checked."""

    states: ClassVar[tuple[str, ...]] = ("h",)
    widths: ClassVar[Mapping[str, str]] = {}
    below: ClassVar[tuple[str, ...]] = ()
    declared: ClassVar[Mapping[str, Declaration]] = {}
    step: Callable[..., Any]
    output: Callable[..., Any] | None = None
    _meanings: Mapping[str, Any] | None = None

    def __init__(self, **hyperparameters: Any) -> None:
        known = annotated(type(self))
        self.hyperparameters = {name: getattr(self, name) for name in known}
        for name, value in hyperparameters.items():
            if name not in known:
                raise ArgumentError(
                    f"{type(self).__name__} has no hyperparameter {name!r}: {nearest(name, known)}"
                )
            where = f"{type(self).__name__}.{name}"
            setattr(self, name, checked(where, known[name], value))
            if name in self.widths.values() and value < 1:
                raise ArgumentError(f"{where} is {value!r}; a width must be above 0")
            self.hyperparameters[name] = getattr(self, name)

    def bind(self, reading: Interpretation[Any]) -> Self:
        """Return this cell with a meaning for each declaration inside its equations."""
        bound = type(self)(**self.hyperparameters)
        bound._meanings = _Meanings(self.declared, reading)
        return bound

    def width_of(self, state: str) -> str:
        """Return the width of a state, by its name."""
        return self.widths.get(state, "hidden_size")

    def width_read(self, affine: Affine) -> str:
        """Return the width of the value that a map reads."""
        if isinstance(matrix := affine.declared, Matrix):
            return matrix.rows if affine.transposed else matrix.columns
        return "input_size" if affine.reads == "x" else self.width_of(self.states[0])

    def size_of(self, width: str, place: Place) -> int:
        """Return what a width is at a place."""
        known = {"1": 1, "hidden_size": place.hidden_size, "input_size": place.input_size}
        return known[width] if width in known else int(getattr(self, width))

    def shape(self, declared: Declaration, place: Place) -> tuple[int, ...]:
        """Return the shape of a matrix or vector at a place."""
        if isinstance(declared, Matrix):
            return self.size_of(declared.rows, place), self.size_of(declared.columns, place)
        assert isinstance(declared, Vector)
        return (self.size_of(declared.size, place),)


class _Meanings(dict[str, Any]):
    """The meaning of each declaration, made when the equations first ask for it."""

    def __init__(self, declared: Mapping[str, Declaration], reading: Interpretation[Any]) -> None:
        super().__init__()
        self.declared, self.reading = declared, reading

    def __missing__(self, name: str) -> Any:
        self[name] = self.declared[name].meaning(self.reading)
        return self[name]

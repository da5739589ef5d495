"""What a cell declares, and the place where it stands."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.cells.modifiers import Modifiers
from penstock.errors import CellError

Initial = float | tuple[float, float] | Callable[[Tensor], Tensor]


class Declaration:
    """Something learned that a cell declares as a class attribute."""

    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        if not hasattr(owner, "declared"):
            raise CellError(f"{owner.__name__}.{name}: only a penstock.Cell can declare it")
        self.name = name

    def __get__(self, cell: Any, owner: type) -> Any:
        if cell is None:
            return self
        try:
            return cell._bound[self.name]
        except KeyError:
            raise CellError(
                f"{owner.__name__}.{self.name} has a value only inside step() and output()"
            ) from None


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

    def arguments(self, given: Sequence[Tensor]) -> tuple[Tensor | None, Tensor | None]:
        """Return (x, h) of a call of this gate, None for the one that it does not take."""
        wanted = [name for name, takes in (("x", self.x), ("h", self.h)) if takes]
        if len(given) != len(wanted):
            raise CellError(
                f"gate {self.name} was called with {len(given)} arguments; "
                f"as declared it takes self.{self.name}({', '.join(wanted)})"
            )
        return given[0] if self.x else None, given[-1] if self.h else None


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


@dataclass(frozen=True)
class Multiplication:
    """What a Matrix is inside the equations: called with z, it is Q z; `T` is its transpose.

    multiply: from z, and whether Q is transposed, to the product.
    """

    multiply: Callable[[Any, bool], Any]
    transposed: bool = False

    def __call__(self, z: Any) -> Any:
        return self.multiply(z, self.transposed)

    @property
    def T(self) -> "Multiplication":  # noqa: N802  (torch's own name)
        """The transposed matrix."""
        return Multiplication(self.multiply, not self.transposed)


def multiplication(weight: Tensor) -> Multiplication:
    """Return the products with a matrix, in ordinary torch."""
    return Multiplication(lambda z, transposed: linear(z, weight.T if transposed else weight))


_UNCHANGED = Modifiers()


@dataclass(frozen=True)
class Place:
    """Where in a stack of layers a cell stands: I, H, lowest or not, how its step is changed."""

    input_size: int
    hidden_size: int
    lowest: bool = True
    modifiers: Modifiers = _UNCHANGED


@dataclass(frozen=True)
class Usage:
    """What a run of a cell's equations showed about them.

    x_gates, h_gates: the gates with a W, and with a U, in the order in which they are stacked.
    others: the vectors and matrices. state_gates: the gates whose h is the old first state itself,
    so that one product serves them all. output_size: features of the output.
    """

    x_gates: tuple[str, ...]
    h_gates: tuple[str, ...]
    others: tuple[str, ...]
    state_gates: frozenset[str]
    output_size: int

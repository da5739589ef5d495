"""The language in which cells are written: `Cell`, and what a cell declares.

A cell is a class with declarations and a `step`. When the class is defined, its equations are
run once on small numbers, so that a mistake is an error there and not in the middle of a training.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

from torch import Tensor

from penstock.cells.checking import (
    annotated,
    check_declaration,
    check_equations,
    checked,
    probe,
)
from penstock.cells.declarations import (
    Declaration,
    Gate,
    Matrix,
    Multiplication,
    Place,
    Usage,
    Vector,
    multiplication,
)
from penstock.errors import ArgumentError, nearest

__all__ = [
    "Cell",
    "Gate",
    "Matrix",
    "Multiplication",
    "Place",
    "Usage",
    "Vector",
    "multiplication",
]


class Cell:
    """A recurrent cell: declarations, and one step as equations in ordinary torch.

    ``step(self, x, *states)`` takes the input x [B, I] and the old states [B, H], and returns the
    new states in the order of `states`. The output is the first state, unless the class defines
    ``output(self, x, *states)`` of the new states.

    A further argument of step named after a state, such as ``c_below=None``, receives the lower
    layer's new state of this step; it is None in the lowest layer, where the equations say what
    stands in its place. A layer has just those parameters that its equations use.

    Attributes:
        states: the names of the states.
        widths: the states that are not H wide, each with the hyperparameter that is its width.
        below: the states of the lower layer that step asks for.
        hyperparameters: those of this cell, by name.

    Annotated class attributes with a default (``dt: float = 0.1``) are hyperparameters.

    Raises:
        CellError: when the class is defined, if its equations are not well formed.
    """

    states: ClassVar[tuple[str, ...]] = ("h",)
    widths: ClassVar[Mapping[str, str]] = {}
    below: ClassVar[tuple[str, ...]] = ()
    declared: ClassVar[Mapping[str, Declaration]] = {}
    is_checked: ClassVar[bool] = False
    _usages: ClassVar[dict[Any, Usage]]
    step: Callable[..., Any]
    output: Callable[..., Tensor] | None = None
    _bound: Mapping[str, Any] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.declared = {n: d for n, d in vars(cls).items() if isinstance(d, Declaration)}
        cls._usages = {}
        check_declaration(cls)
        check_equations(cls)
        cls.is_checked = True

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

    def bind(self, values: Mapping[str, Any]) -> Self:
        """Return this cell with something to stand for each declaration inside its equations."""
        bound = type(self)(**self.hyperparameters)
        bound._bound = values
        return bound

    def usage(self, place: Place) -> Usage:
        """Return which declarations the equations use at a place."""
        key = (*self.hyperparameters.values(), place)
        if key not in self._usages:
            self._usages[key] = probe(self, place)
        return self._usages[key]

    def state_sizes(self, hidden_size: int) -> tuple[int, ...]:
        """Return the width of each state."""
        place = Place(0, hidden_size)
        return tuple(self._size(self.widths.get(s, "hidden_size"), place) for s in self.states)

    def shapes(self, place: Place) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter at a place, in the order in which they are drawn.

        ``weight_ih`` [G·H, I] and ``weight_hh`` [G·H, width of the first state] stack the gates
        in the order of their declaration; ``bias_ih`` and ``bias_hh`` follow, then
        ``weight_<name>`` for each matrix and vector.
        """
        use, H = self.usage(place), place.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (len(use.x_gates) * H, place.input_size),
            "weight_hh": (len(use.h_gates) * H, self.state_sizes(H)[0]),
            "bias_ih": (len(self.biased(use.x_gates)) * H,),
            "bias_hh": (len(self.biased(use.h_gates)) * H,),
        }
        for name in use.others:
            shapes[f"weight_{name}"] = self.shape(self.declared[name], place)
        return {name: shape for name, shape in shapes.items() if shape[0]}

    def biased(self, gates: Sequence[str]) -> tuple[str, ...]:
        """Return those of the gates that have a bias."""
        return tuple(g for g in gates if getattr(self.declared[g], "bias", False) is not False)

    def shape(self, declared: Declaration, place: Place) -> tuple[int, ...]:
        """Return the shape of a matrix or vector at a place."""
        if isinstance(declared, Matrix):
            return self._size(declared.rows, place), self._size(declared.columns, place)
        assert isinstance(declared, Vector)
        return (self._size(declared.size, place),)

    def _size(self, name: str, place: Place) -> int:
        known = {"1": 1, "hidden_size": place.hidden_size, "input_size": place.input_size}
        return known[name] if name in known else int(getattr(self, name))

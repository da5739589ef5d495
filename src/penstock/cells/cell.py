"""A cell: equations that are checked where they are written, and the parameters that they need."""

from collections.abc import Sequence
from typing import Any, ClassVar

from penstock.cells.check import Usage, check_declaration, check_uses, probe
from penstock.cells.language import Declaration, Equations, Gate, Place


class Cell(Equations):
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

    is_checked: ClassVar[bool] = False
    _usages: ClassVar[dict[Any, Usage]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.declared = {n: d for n, d in vars(cls).items() if isinstance(d, Declaration)}
        cls._usages = {}
        check_declaration(cls, {*dir(Cell), "hyperparameters"})
        cell, places = cls(), (True, False) if cls.below else (True,)
        check_uses(cls, [cell.usage(Place(3, 5, lowest)) for lowest in places])
        cls.is_checked = True

    def usage(self, place: Place) -> Usage:
        """Return which declarations the equations use at a place."""
        key = (*self.hyperparameters.values(), place)
        if key not in self._usages:
            self._usages[key] = probe(self, place)
        return self._usages[key]

    def state_sizes(self, hidden_size: int) -> tuple[int, ...]:
        """Return the width of each state."""
        place = Place(0, hidden_size)
        return tuple(self.size_of(self.width_of(state), place) for state in self.states)

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
        declared = ((name, self.declared[name]) for name in gates)
        return tuple(name for name, d in declared if isinstance(d, Gate) and d.has_bias)

"""The language in which cells are written: `Cell`, and what a cell declares.

A cell is a class with declarations and a `step`. When the class is defined, its equations are
run once on small numbers, so that a mistake is an error there and not in the middle of a training.
"""

import functools
import inspect
import traceback
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.cells.modifiers import Modifiers
from penstock.errors import ArgumentError, CellError, nearest

_BELOW = "_below"  # step's argument c_below is the lower layer's new state c

Initial = float | tuple[float, float] | Callable[[Tensor], Tensor]


class _Declaration:
    """Something learned that a cell declares as a class attribute."""

    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        if not issubclass(owner, Cell):
            raise CellError(f"{owner.__name__}.{name}: only a penstock.Cell can declare it")
        self.name = name

    def __get__(self, cell: "Cell | None", owner: type) -> Any:
        if cell is None:
            return self
        try:
            return cell._bound[self.name]
        except KeyError:
            raise CellError(
                f"{owner.__name__}.{self.name} has a value only inside step() and output()"
            ) from None


class Gate(_Declaration):
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
                f"as declared it takes self.{self.name}({_list(wanted)})"
            )
        return given[0] if self.x else None, given[-1] if self.h else None


class Vector(_Declaration):
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


class Matrix(_Declaration):
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
    declared: ClassVar[Mapping[str, _Declaration]] = {}
    is_checked: ClassVar[bool] = False
    _usages: ClassVar[dict[Any, Usage]]
    step: Callable[..., Any]
    output: Callable[..., Tensor] | None = None
    _bound: Mapping[str, Any] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.declared = {n: d for n, d in vars(cls).items() if isinstance(d, _Declaration)}
        cls._usages = {}
        _check_declaration(cls)
        _check_equations(cls)
        cls.is_checked = True

    def __init__(self, **hyperparameters: Any) -> None:
        known = _hyperparameters(type(self))
        self.hyperparameters = {name: getattr(self, name) for name in known}
        for name, value in hyperparameters.items():
            if name not in known:
                raise ArgumentError(
                    f"{type(self).__name__} has no hyperparameter {name!r}: {nearest(name, known)}"
                )
            where = f"{type(self).__name__}.{name}"
            setattr(self, name, _checked(where, known[name], value))
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
            self._usages[key] = _probe(self, place)
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
            shapes[f"weight_{name}"] = self._shape(self.declared[name], place)
        return {name: shape for name, shape in shapes.items() if shape[0]}

    def biased(self, gates: Sequence[str]) -> tuple[str, ...]:
        """Return those of the gates that have a bias."""
        return tuple(g for g in gates if getattr(self.declared[g], "bias", False) is not False)

    def _shape(self, declared: _Declaration, place: Place) -> tuple[int, ...]:
        if isinstance(declared, Matrix):
            return self._size(declared.rows, place), self._size(declared.columns, place)
        assert isinstance(declared, Vector)
        return (self._size(declared.size, place),)

    def _size(self, name: str, place: Place) -> int:
        known = {"1": 1, "hidden_size": place.hidden_size, "input_size": place.input_size}
        return known[name] if name in known else int(getattr(self, name))


def _hyperparameters(cls: type[Cell]) -> dict[str, Any]:
    """Return the annotated class attributes of a cell, each with its annotation."""
    hints = inspect.get_annotations(cls)
    if any(isinstance(hint, str) for hint in hints.values()):  # from __future__ import annotations
        hints = {name: typing.get_type_hints(cls)[name] for name in hints}
    origins: dict[str, Any] = {name: typing.get_origin(hint) for name, hint in hints.items()}
    return {name: hint for name, hint in hints.items() if ClassVar not in (hint, origins[name])}


def _checked(where: str, hint: Any, value: Any) -> Any:
    """Return a hyperparameter's value, or raise where it does not fit its annotation."""
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            choices = " or ".join(map(repr, typing.get_args(hint)))
            raise ArgumentError(f"{where} is {value!r}; it must be {choices}")
    elif hint is float and type(value) is int:
        return float(value)
    elif isinstance(hint, type) and type(value) is not hint:
        raise ArgumentError(f"{where} is {value!r}; it must be of type {hint.__name__}")
    return value


def _check_declaration(cls: type[Cell]) -> None:
    """Raise unless states, hyperparameters and step's arguments fit together; set `below`."""
    name, states = cls.__name__, cls.states
    if not isinstance(states, tuple) or not states or len({*states}) < len(states):
        raise CellError(
            f'{name}: states is {states!r}; write a tuple of names: states = ("h", "c")'
        )
    for hyper in _hyperparameters(cls):
        if not isinstance(getattr(cls, hyper, 0), int | float | str):
            raise CellError(f"{name}: hyperparameter {hyper} must be a number or a string")
        if not hasattr(cls, hyper):
            raise CellError(f"{name}: hyperparameter {hyper} has no default; write {hyper} = …")
    if "step" not in vars(cls):
        raise CellError(f"{name} has no step; write  def step(self, x, {_list(states)}): …")
    arguments = list(inspect.signature(cls.step).parameters)[1:]
    lower = [a for a in arguments if a.endswith(_BELOW)]
    own = arguments[: len(arguments) - len(lower)]
    cls.below = tuple(a.removesuffix(_BELOW) for a in lower)
    if own + lower != arguments or len(own) != 1 + len(states) or {*cls.below} - {*states}:
        raise CellError(
            f"{name}: step takes ({_list(['self', *arguments])}), but the states are {states}; "
            f"write  def step(self, x, {_list(states)}), or change `states`"
        )


def _check_equations(cls: type[Cell]) -> None:
    """Raise unless the equations run, return states of the right shapes, and use all declared."""
    cell = cls()
    uses = [cell.usage(Place(3, 5, lowest)) for lowest in ((True, False) if cls.below else (True,))]
    used = {name for use in uses for name in (*use.x_gates, *use.h_gates, *use.others)}
    if idle := [name for name in cls.declared if name not in used]:
        raise CellError(
            f"{cls.__name__}: {_list(idle)} declared, but no equation uses it; "
            "use it in step() or output(), or delete the declaration"
        )


def _probe(cell: Cell, place: Place) -> Usage:
    """Run the equations once on tensors without storage, noting what they use."""
    cls = type(cell)
    sizes = cell.state_sizes(place.hidden_size)
    x, *states = (_empty(2, size) for size in (place.input_size, *sizes))
    used, on_state = set[str](), set[str]()

    def gate(declared: Gate) -> Callable[..., Tensor]:
        def call(*given: Tensor) -> Tensor:
            used.add(declared.name)
            x_, h_ = declared.arguments(given)
            if h_ is states[0]:
                on_state.add(declared.name)
            products = [
                linear(value, _empty(place.hidden_size, columns))
                for value, columns in ((x_, place.input_size), (h_, sizes[0]))
                if value is not None
            ]
            return functools.reduce(torch.add, products)

        return call

    class Seen(dict[str, Any]):
        def __missing__(self, name: str) -> Any:
            declared = cls.declared[name]
            if isinstance(declared, Gate):
                return gate(declared)
            used.add(name)
            weight = _empty(*cell._shape(declared, place))
            return multiplication(weight) if isinstance(declared, Matrix) else weight

    bound = cell.bind(Seen())
    below = () if place.lowest else tuple(_empty(2, sizes[cls.states.index(s)]) for s in cls.below)
    new = _run(cls.step, bound, x, *states, *below)
    new = new if isinstance(new, tuple) else (new,)
    _check_states(cls, new, sizes)
    output = new[0] if cls.output is None else _run(cls.output, bound, x, *new)
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != 2:
        raise CellError(f"{cls.__name__}: output must return one tensor of shape [B, features]")
    return _usage(cls, used, on_state, output.shape[1])


def _usage(cls: type[Cell], used: set[str], on_state: set[str], output_size: int) -> Usage:
    declared = [d for d in cls.declared.values() if d.name in used]
    gates = [d for d in declared if isinstance(d, Gate)]
    return Usage(
        x_gates=tuple(g.name for g in gates if g.x),
        h_gates=tuple(g.name for g in gates if g.h),
        others=tuple(d.name for d in declared if not isinstance(d, Gate)),
        state_gates=frozenset(on_state),
        output_size=output_size,
    )


def _check_states(cls: type[Cell], new: tuple[Any, ...], sizes: tuple[int, ...]) -> None:
    name = cls.__name__
    if len(new) != len(sizes):
        raise CellError(
            f"{name}: step returns {len(new)} value(s), but there are {len(sizes)} states, "
            f"{cls.states}; return the new {_list(cls.states)}, in that order"
        )
    for state, value, size in zip(cls.states, new, sizes, strict=True):
        if not isinstance(value, Tensor) or value.shape != (2, size):
            got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise CellError(
                f"{name}: the new state {state!r} is {got}, but for B=2 and a width of {size} it "
                f"must be [2, {size}]; check the equation that makes it"
            )


def _run(equations: Callable[..., Any], cell: Cell, *args: Tensor) -> Any:
    """Call step or output; turn what goes wrong into a CellError that names cell and line."""
    cls = type(cell)
    try:
        return equations(cell, *args)
    except CellError as error:
        raise CellError(f"{cls.__name__}: {error}{_line(error, equations)}") from None
    except AttributeError as error:
        if error.obj is not cell:
            raise
        raise CellError(
            f"{cls.__name__}: self.{error.name} is not declared; "
            f"{nearest(str(error.name), cls.declared)} To declare it, write in the class  "
            f"{error.name} = penstock.Gate(){_line(error, equations)}"
        ) from None
    except (RuntimeError, TypeError, IndexError, ValueError) as error:
        raise CellError(
            f"{cls.__name__}: the equations do not run: {error}{_line(error, equations)}"
        ) from error


def _line(error: Exception, equations: Callable[..., Any]) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename == inspect.unwrap(equations).__code__.co_filename]
    return f" ({own[-1].name}, line {own[-1].lineno}: {own[-1].line})" if own else ""


def _empty(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)

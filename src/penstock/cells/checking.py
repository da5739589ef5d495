"""The checks of a cell when its class is defined: its equations are run once on small numbers."""

import functools
import inspect
import traceback
import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.cells.declarations import Gate, Matrix, Place, Usage, multiplication
from penstock.errors import ArgumentError, CellError, nearest

if TYPE_CHECKING:
    from penstock.cells import Cell

_BELOW = "_below"  # step's argument c_below is the lower layer's new state c


def annotated(cls: "type[Cell]") -> dict[str, Any]:
    """Return the annotated class attributes of a cell, each with its annotation."""
    hints = inspect.get_annotations(cls)
    if any(isinstance(hint, str) for hint in hints.values()):  # from __future__ import annotations
        hints = {name: typing.get_type_hints(cls)[name] for name in hints}
    origins: dict[str, Any] = {name: typing.get_origin(hint) for name, hint in hints.items()}
    return {name: hint for name, hint in hints.items() if ClassVar not in (hint, origins[name])}


def checked(where: str, hint: Any, value: Any) -> Any:
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


def check_declaration(cls: "type[Cell]") -> None:
    """Raise unless states, hyperparameters and step's arguments fit together; set `below`."""
    name, states = cls.__name__, cls.states
    if not isinstance(states, tuple) or not states or len({*states}) < len(states):
        raise CellError(
            f'{name}: states is {states!r}; write a tuple of names: states = ("h", "c")'
        )
    for hyper in annotated(cls):
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


def check_equations(cls: "type[Cell]") -> None:
    """Raise unless the equations run, return states of the right shapes, and use all declared."""
    cell = cls()
    uses = [cell.usage(Place(3, 5, lowest)) for lowest in ((True, False) if cls.below else (True,))]
    used = {name for use in uses for name in (*use.x_gates, *use.h_gates, *use.others)}
    if idle := [name for name in cls.declared if name not in used]:
        raise CellError(
            f"{cls.__name__}: {_list(idle)} declared, but no equation uses it; "
            "use it in step() or output(), or delete the declaration"
        )


def probe(cell: "Cell", place: Place) -> Usage:
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
            weight = _empty(*cell.shape(declared, place))
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


def _usage(cls: "type[Cell]", used: set[str], on_state: set[str], output_size: int) -> Usage:
    declared = [d for d in cls.declared.values() if d.name in used]
    gates = [d for d in declared if isinstance(d, Gate)]
    return Usage(
        x_gates=tuple(g.name for g in gates if g.x),
        h_gates=tuple(g.name for g in gates if g.h),
        others=tuple(d.name for d in declared if not isinstance(d, Gate)),
        state_gates=frozenset(on_state),
        output_size=output_size,
    )


def _check_states(cls: "type[Cell]", new: tuple[Any, ...], sizes: tuple[int, ...]) -> None:
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


def _run(equations: Callable[..., Any], cell: "Cell", *args: Tensor) -> Any:
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

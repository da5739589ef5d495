"""The checks of a cell when its class is defined: its equations are run once on small numbers."""

import functools
import inspect
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.cells.hyperparameters import annotated
from penstock.cells.language import (
    Affine,
    Equations,
    Gate,
    Interpretation,
    Place,
    Vector,
    lower_name,
)
from penstock.errors import CellError, nearest


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


def check_declaration(cls: type[Equations], taken: Collection[str]) -> None:
    """Raise unless states, hyperparameters and step's arguments fit together; set `below`.

    taken: the names that every cell has.
    """
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
    if both := [own for own in (*annotated(cls), *cls.declared) if own in taken]:
        raise CellError(f"{name}: {both[0]} is a name that every cell has; choose another")
    if "step" not in vars(cls):
        raise CellError(f"{name} has no step; write  def step(self, x, {_list(states)}): …")
    arguments = list(inspect.signature(cls.step).parameters)[1:]
    lower = {lower_name(state): state for state in states}
    own, rest = arguments[: 1 + len(states)], arguments[1 + len(states) :]
    cls.below = tuple(lower[a] for a in rest if a in lower)
    if len(own) <= len(states) or len(cls.below) < len(rest) or {*own} & {*lower}:
        raise CellError(
            f"{name}: step takes ({_list(['self', *arguments])}), but the states are {states}; "
            f"write  def step(self, x, {_list(states)}), or change `states`"
        )


def check_uses(cls: type[Equations], uses: Iterable[Usage]) -> None:
    """Raise unless the equations use all that is declared."""
    used = {name for use in uses for name in (*use.x_gates, *use.h_gates, *use.others)}
    if idle := [name for name in cls.declared if name not in used]:
        raise CellError(
            f"{cls.__name__}: {_list(idle)} declared, but no equation uses it; "
            "use it in step() or output(), or delete the declaration"
        )


def probe(cell: Equations, place: Place) -> Usage:
    """Run the equations once on a batch of no rows, noting what they use.

    Nobody follows that: it may come first while torch fakes tensors or records a graph.
    """
    if not torch._C._len_torch_dispatch_stack():
        return _probe(cell, place)
    # Imported late, as it brings torch's compiler along.
    from torch.utils._python_dispatch import _disable_current_modes  # noqa: PLC0415

    with _disable_current_modes():
        return _probe(cell, place)


def _probe(cell: Equations, place: Place) -> Usage:
    cls, shapes = type(cell), Shapes(cell, place)
    x, states, below = shapes.inputs(
        lambda _kind, _name, width: _empty(0, cell.size_of(width, place)), place.lowest
    )
    shapes.first = states[0]
    new = _run(shapes, "step", x, states, below)
    _check_states(cls, new, [cell.size_of(cell.width_of(s), place) for s in cls.states])
    output = _run(shapes, "output", x, new)
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output):
        raise CellError(f"{cls.__name__}: output must return one tensor of shape [B, features]")
    declared = [d for d in cls.declared.values() if d.name in shapes.used]
    gates = [d for d in declared if isinstance(d, Gate)]
    return Usage(
        x_gates=tuple(g.name for g in gates if g.x),
        h_gates=tuple(g.name for g in gates if g.h),
        others=tuple(d.name for d in declared if not isinstance(d, Gate)),
        state_gates=frozenset(shapes.on_state),
        output_size=output.shape[1],
    )


class Shapes(Interpretation[Tensor]):
    """The equations on no rows: tensors that have shapes and no values.

    Tensors on the device "meta" have shapes alone, too, but at their first sum torch imports its
    compiler, which takes longer than all else that a command such as `penstock cells` does.

    used: the declarations that the equations have used. on_state: the gates whose h was `first`,
    the old first state.
    """

    def __init__(self, cell: Equations, place: Place) -> None:
        super().__init__(cell)
        self.cell, self.place = cell, place
        self.used, self.on_state = set[str](), set[str]()
        self.first: Tensor | None = None

    def total(self, terms: Sequence[tuple[Affine, Tensor]]) -> Tensor:
        """Return what torch makes of these shapes; a bias changes none."""
        self.used |= {a.name for a, _ in terms}
        self.on_state |= {a.name for a, v in terms if a.reads == "h" and v is self.first}
        products = [linear(value, _empty(*self._shape(affine))) for affine, value in terms]
        return functools.reduce(torch.add, products)

    def vector(self, vector: Vector) -> Tensor:
        """Return the shape of a vector."""
        self.used.add(vector.name)
        return _empty(*self.cell.shape(vector, self.place))

    def _shape(self, affine: Affine) -> tuple[int, int]:
        """Return the shape of a map's A."""
        rows, columns = affine.width, self.cell.width_read(affine)
        return self.cell.size_of(rows, self.place), self.cell.size_of(columns, self.place)


def _check_states(cls: type[Equations], new: tuple[Any, ...], sizes: Sequence[int]) -> None:
    name = cls.__name__
    if len(new) != len(sizes):
        raise CellError(
            f"{name}: step returns {len(new)} value(s), but there are {len(sizes)} states, "
            f"{cls.states}; return the new {_list(cls.states)}, in that order"
        )
    for state, value, size in zip(cls.states, new, sizes, strict=True):
        if not isinstance(value, Tensor) or value.shape != (0, size):
            got = _spelled(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise CellError(
                f"{name}: the new state {state!r} is {got}, but for a width of {size} it "
                f"must be [B, {size}]; check the equation that makes it"
            )


def _run(shapes: Shapes, method: Literal["step", "output"], *args: Any) -> Any:
    """Call step or output; turn what goes wrong into a CellError that names cell and line."""
    cls = type(shapes.cell)
    equations: Callable[..., Any] = getattr(cls, method) or cls.step
    try:
        return getattr(shapes, method)(*args)
    except CellError as error:
        raise CellError(f"{cls.__name__}: {error}{line_of(error, equations)}") from None
    except AttributeError as error:
        if error.obj is not shapes.bound:
            raise
        raise CellError(
            f"{cls.__name__}: self.{error.name} is not declared; "
            f"{nearest(str(error.name), cls.declared)} To declare it, write in the class  "
            f"{error.name} = penstock.Gate(){line_of(error, equations)}"
        ) from None
    except (RuntimeError, TypeError, IndexError, ValueError) as error:
        raise CellError(
            f"{cls.__name__}: the equations do not run: {error}{line_of(error, equations)}"
        ) from error


def line_of(error: Exception, equations: Callable[..., Any]) -> str:
    """Return the line of the equations at which an error arose, for its message."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename == inspect.unwrap(equations).__code__.co_filename]
    return f" ({own[-1].name}, line {own[-1].lineno}: {own[-1].line})" if own else ""


class _ValuelessTensor(Tensor):
    """A tensor that has a shape, and no values that equations could ask for."""

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Do what torch does, but for a branch on a value, or the like."""
        if function in _READING:
            raise TypeError("the step branches on a value; use torch.where for that")
        result: Any = super().__torch_function__(function, types, args, kwargs or {})  # type: ignore[no-untyped-call]
        return result


_READING = {Tensor.__bool__, Tensor.__float__, Tensor.__int__, Tensor.item, Tensor.tolist}


def _empty(*shape: int) -> Tensor:
    """Return a tensor of a shape that keeps one number in memory at most."""
    return torch.zeros((), device="cpu").expand(shape).as_subclass(_ValuelessTensor)


def _spelled(shape: Sequence[int]) -> str:
    return f"[{', '.join(str(size) if size else 'B' for size in shape)}]"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)

"""A network's step as values of known widths: what the C is printed from.

The graphs of all layers, their output maps and what joins them become one straight line of values,
so that a schedule is made once, for the whole network. What depends on weights alone is computed
here, in float64.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from penstock.compiler.ir.ops import OPS


@dataclass(frozen=True)
class GivenValue:
    """What is there before the step: the input, or an old state. name: how the C calls it."""

    name: str
    width: int
    is_state: bool = False


@dataclass(frozen=True, eq=False)
class KnownValue:
    """What the step reads of the weights. literal: a number of the equations, no weight."""

    values: Tensor
    literal: bool = False

    @property
    def width(self) -> int:
        """Its elements."""
        return len(self.values)


@dataclass(frozen=True, eq=False)
class ProductSum:
    """The sum of matrices [width, K] times values, and of a bias: terms are (value, matrix)."""

    terms: tuple[tuple[int, Tensor], ...]
    bias: Tensor | None
    width: int


@dataclass(frozen=True)
class Applied:
    """An op of the table on values; "copy" is the value itself, spread if it is a number."""

    op: str
    args: tuple[int, ...]
    width: int

    @property
    def rowwise(self) -> bool:
        """Whether it reduces whole rows."""
        return self.op in OPS and OPS[self.op].rowwise


Value = GivenValue | KnownValue | ProductSum | Applied


@dataclass(frozen=True)
class StepValues:
    """One function's work.

    Attributes:
        values: each reads only earlier ones.
        states: the new value of each state, by its name in C.
        output: what goes out, None where nothing does.
    """

    values: tuple[Value, ...]
    states: Mapping[str, int]
    output: int | None

    def users(self) -> list[list[int]]:
        """Return for each value those that read it."""
        users: list[list[int]] = [[] for _ in self.values]
        for k, value in enumerate(self.values):
            for a in dict.fromkeys(arguments(value)):
                users[a].append(k)
        return users


def arguments(value: Value) -> tuple[int, ...]:
    """Return the values that a value reads."""
    if isinstance(value, ProductSum):
        return tuple(arg for arg, _ in value.terms)
    return value.args if isinstance(value, Applied) else ()


@dataclass
class Maker:
    """Makes values one after the other, and folds what is constant."""

    values: list[Value] = field(default_factory=list)

    def add(self, value: Value) -> int:
        """Add a value; return its number."""
        self.values.append(value)
        return len(self.values) - 1

    def constant(self, values: Tensor, literal: bool = False) -> int:
        """Add a vector that is known now."""
        return self.add(KnownValue(values.detach().cpu().double().reshape(-1), literal))

    def number(self, number: float) -> int:
        """Add a number of the equations."""
        return self.constant(torch.tensor([number], dtype=torch.float64), literal=True)

    def apply(self, op: str, *args: int) -> int:
        """Add an op's result; its width is that of the arguments, or 1 if it reduces rows."""
        given = [self.values[a] for a in args]
        known = [g for g in given if isinstance(g, KnownValue)]
        if len(known) == len(given) and op in OPS:
            literal = all(g.literal for g in known)
            return self.constant(OPS[op].torch(*(g.values for g in known)), literal)
        rowwise = op in OPS and OPS[op].rowwise
        return self.add(Applied(op, args, 1 if rowwise else max(g.width for g in given)))

    def copy(self, arg: int, width: int) -> int:
        """Add a value again, as wide as that."""
        return self.add(Applied("copy", (arg,), width))

    def total(self, terms: list[tuple[int, Tensor]], bias: Tensor | None = None) -> int:
        """Add a sum of products; folded where all that it multiplies is constant."""
        matrices = [(a, m.detach().cpu().double()) for a, m in terms]
        width, bias = len(matrices[0][1]), None if bias is None else bias.detach().cpu().double()
        known = [(v.values, m) for a, m in matrices if isinstance(v := self.values[a], KnownValue)]
        if len(known) < len(matrices):
            return self.add(ProductSum(tuple(matrices), bias, width))
        products = [m @ v.expand(m.shape[1]) for v, m in known]
        return self.constant(torch.stack([*products, *([] if bias is None else [bias])]).sum(0))

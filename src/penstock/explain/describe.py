"""All that is known of a cell, gathered for who prints it: the command line and the pages."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from sympy import Expr, Integer, Symbol

from penstock.cells import Cell, Place, cell_name, find_cell
from penstock.compiler.ir.graph import BIASES
from penstock.compiler.pipeline import Lowered, lower
from penstock.errors import TraceError
from penstock.explain.about import Docstring, about
from penstock.explain.counts import B, Counts, H, I, Sizes, count
from penstock.explain.equations import Equation, equations
from penstock.explain.recurrence import Recurrence, recurrence
from penstock.explain.spelling import STYLES
from penstock.explain.written import Name

FLOAT32 = 4  # bytes

# What a sign in the equations means, by what stands in their text where it is used.
_GLOSSARY = {
    "₋": ("₋", "marks a state before the step"),
    "⊙": ("⊙", "the product of elements"),
    "σ(": ("σ", "the logistic function, σ(a) = 1 / (1 + exp(−a))"),
    "⁾": ("⁽¹⁾", "the first value of a name that has several"),
    "ᵀ": ("ᵀ", "the transposed matrix"),
    "LN(": ("LN", "layer norm: less the mean of the features, over their deviation"),
    "softmax(": ("softmax", "exp over the sum of exp, over the features"),
    "mean(": ("mean", "over the features"),
    "Σ(": ("Σ", "the sum over the features"),
    "relu(": ("relu", "relu(a) = max(a, 0)"),
    "silu(": ("silu", "silu(a) = a σ(a)"),
    "softplus(": ("softplus", "softplus(a) = log(1 + exp(a))"),
    "clamp(": ("clamp", "clamp(a, low, high) = min(max(a, low), high)"),
}


class Row(NamedTuple):
    """A line of a table: what is counted, its formula, and that at the sizes given."""

    label: str
    formula: Expr
    value: Expr


class Description:
    """A cell in the lowest layer, at given sizes.

    Args:
        cell: a Cell subclass, or a name from `penstock.cells`.
        input_size, hidden_size, batch: I, H and B for the figures; T stays open.

    Raises:
        UnknownCellError: no cell has that name.
    """

    def __init__(
        self, cell: str | type[Cell], input_size: int = 128, hidden_size: int = 256, batch: int = 1
    ) -> None:
        self.type = find_cell(cell)
        self.cell = self.type()
        self.name = cell_name(self.type)
        self.place = Place(input_size, hidden_size)
        own, values = Sizes(self.cell).own, self.cell.hyperparameters
        self.sizes: dict[Symbol, int] = {I: input_size, H: hidden_size, B: batch}
        self.sizes |= {symbol: values[name] for name, symbol in own.items()}

    @cached_property
    def about(self) -> Docstring:
        """What the docstring says."""
        return about(self.type)

    @property
    def gates(self) -> int:
        """How many maps to H are stacked: of the input or of the state, whichever has more."""
        use = self.cell.usage(self.place)
        return max(len(use.x_gates), len(use.h_gates))

    @property
    def parameters(self) -> int:
        """How many numbers a layer learns."""
        return sum(int(_product(shape)) for shape in self.cell.shapes(self.place).values())

    @cached_property
    def equations(self) -> tuple[tuple[str, tuple[Equation, ...]], ...]:
        """The equations in groups with a heading; without one where there is one group."""
        lowest = equations(self.cell)
        if not self.cell.below:
            return (("", lowest),)
        above = equations(self.cell, lowest=False)
        return (("In the lowest layer", lowest), ("In a layer above another", above))

    @property
    def latex(self) -> str:
        """The equations as LaTeX for a display, aligned at their signs of equality."""
        return "\n\n".join(aligned(group) for _, group in self.equations)

    def glossary(self) -> Iterator[tuple[str, str]]:
        """Yield what the signs in the equations mean, and the hyperparameters' values."""
        text = " ".join(e.text for _, group in self.equations for e in group)
        if any(stack in self.cell.shapes(self.place) for stack in BIASES):
            yield "b", "a gate's bias: its rows of bias_ih and of bias_hh, added"
        yield from (meaning for sign, meaning in _GLOSSARY.items() if sign in text)
        widths = Sizes(self.cell).own
        for name, value in self.cell.hyperparameters.items():
            letter = f", {widths[name]} in shapes" if name in widths else ""
            yield STYLES[0].name(Name(name)), f"hyperparameter {name}{letter}; {value} unless given"

    @cached_property
    def why_not_compiled(self) -> str | None:
        """Why the compiler cannot run it, so that nothing is counted; None where it can."""
        try:
            assert self._lowered
        except TraceError as error:
            return str(error)
        return None

    @cached_property
    def _lowered(self) -> Lowered:
        return lower(self.cell, self.place)

    @cached_property
    def recurrence(self) -> Recurrence:
        """Its class of recurrence; raises TraceError where the compiler cannot run it."""
        return recurrence(self._lowered)

    @cached_property
    def counts(self) -> Counts:
        """What it costs; raises as `recurrence`."""
        return count(self.cell)

    def shapes(self) -> Iterator[tuple[str, str]]:
        """Yield input, states and output of T steps of B rows, each with its shape."""
        sizes = Sizes(self.cell)
        widths = self.cell.state_sizes(sizes.any_hidden)
        yield "x", "[T, B, I]"
        for state, width in zip(self.cell.states, widths, strict=True):
            yield state, f"[B, {formula(sizes.symbolic(width))}]"
        width = self.cell.usage(Place(sizes.any_input, sizes.any_hidden)).output_size
        what = f", {self.cell.states[0]} of every step" if self.cell.output is None else ""
        yield "output", f"[T, B, {formula(sizes.symbolic(width))}]{what}"

    def parameter_rows(self) -> Iterator[Row]:
        """Yield the numbers in each parameter, and in all."""
        shapes = self.counts.parameters.items()
        for name, shape in shapes:
            yield self._row(f"{name} [{', '.join(map(formula, shape))}]", _product(shape))
        yield self._row("all", _all(_product(shape) for _, shape in shapes))

    def flops_rows(self) -> Iterator[Row]:
        """Yield the FLOPs of one row of one step."""
        counts = self.counts
        yield self._row("forward", counts.forward.total)
        yield self._row("backward", counts.backward.total)
        yield self._row("gradient of x, if asked for", counts.input_gradient)

    def bytes_rows(self) -> Iterator[Row]:
        """Yield bytes in float32: of the weights, of one step, and of sweeps over T steps."""
        counts = self.counts
        for label, numbers in (
            ("all weights", _all(_product(shape) for shape in counts.parameters.values())),
            ("weights that a step reads", counts.loop_weights),
            ("values that a step moves", B * counts.loop_values),
            ("held by a sweep forward", counts.sweep),
            ("kept for the gradient", counts.kept),
            ("held by a sweep backward, besides", counts.working),
        ):
            yield self._row(label, FLOAT32 * numbers)

    def _row(self, label: str, expression: Expr) -> Row:
        whole = expression.expand()
        return Row(label, whole, whole.subs(self.sizes))


def aligned(equations: Iterable[Equation]) -> str:
    """Return equations as LaTeX for a display."""
    lines = (equation.latex.replace(" = ", " &= ", 1) for equation in equations)
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def formula(expression: Expr | int) -> str:
    """Return a polynomial as text: 8H² + 8H·I + 17H; large numbers have commas."""
    text = str(expression).replace("**2", "²").replace("**3", "³")
    text = re.sub(r"\d{4,}", lambda n: f"{int(n.group()):,}", text)
    return re.sub(r"(?<![\w²³])(\d[\d,]*)\*", r"\1", text).replace("*", "·")


def _all(numbers: Iterable[Expr]) -> Expr:
    return sum(numbers, Integer(0))


def _product(shape: Iterable[Expr | int]) -> Expr:
    result: Expr = Integer(1)
    for size in shape:
        result *= size
    return result

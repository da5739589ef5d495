"""What a cell costs: parameters, FLOPs and bytes, as polynomials, counted from the plan that runs.

A multiply-add is 2 FLOPs; every other op is 1 for each element, tanh, σ and exp among them. Counts
are for one row of one step, so that a sequence costs T·B times as much; what is made of weights
alone, once a sweep, is left out. Symbols: T time, B batch, I input, H hidden; another letter is
the initial of a hyperparameter that is a width.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sympy import Expr, Integer, Symbol

from penstock.cells import Cell, Matrix, Place, Vector
from penstock.compiler.ir.flops import flops, product_flops
from penstock.compiler.ir.graph import BIASES, Graph, Origin, StepInput
from penstock.compiler.ir.plan import Access, Buffer, BufferKind, Loop, LoopPlan, Owner
from penstock.compiler.pipeline import Lowered, lower, lower_output


def _symbol(name: str) -> Symbol:
    return Symbol(name, positive=True, integer=True)


T, B, I, H = map(_symbol, "TBIH")


@dataclass(frozen=True)
class Flops:
    """FLOPs of one row of one step: in matrix products, and in all else."""

    products: Expr
    elementwise: Expr

    @property
    def total(self) -> Expr:
        """All of them."""
        return self.products + self.elementwise

    def __add__(self, other: "Flops") -> "Flops":
        products = (self.products + other.products).expand()
        return Flops(products, (self.elementwise + other.elementwise).expand())


_NONE = Flops(Integer(0), Integer(0))


@dataclass(frozen=True)
class Counts:
    """What a cell costs at a place.

    forward, backward: FLOPs of one row of one step; backward makes the gradients of weights and
    states. input_gradient: what the gradient of x adds to it.
    loop_weights: numbers in the matrices that every step reads. loop_values: numbers that a step
    reads and writes for each row.
    sweep, kept, working: numbers that [T, B] steps hold: a forward sweep without gradients (at
    most: from four rows on it makes the products of x step by step), what it keeps for the
    gradient, and what the backward sweep takes besides.
    """

    parameters: Mapping[str, tuple[Expr, ...]]
    forward: Flops
    backward: Flops
    input_gradient: Expr
    loop_weights: Expr
    loop_values: Expr
    sweep: Expr
    kept: Expr
    working: Expr


def count(cell: Cell, lowest: bool = True, bias: bool = True) -> Counts:
    """Return what a cell costs, for any sizes.

    Raises:
        TraceError: the step does what the compiler has no op for.
    """
    sizes = Sizes(cell)
    place = Place(sizes.any_input, sizes.any_hidden, lowest)
    lowered = lower(cell, place, bias)
    plan, forward = lowered.plan, lowered.plan.forward
    backward, for_x = _backward(lowered, sizes)
    output, output_backward, output_x = _output(cell, bias, sizes)
    nodes = forward.graph.nodes
    terms = ((n, w, a) for n in nodes for w, a in zip(n.weights, n.args, strict=False))
    matrices = {(w, n.width, nodes[a].width) for n, w, a in terms}
    return Counts(
        sizes.parameters(place, bias),
        _forward(lowered, sizes) + output,
        backward + output_backward,
        for_x + output_x,
        _sum(sizes(rows) * sizes(columns) for _, rows, columns in matrices),
        _traffic(forward, sizes),
        _sweep(cell, plan, sizes),
        _kept(cell, plan, sizes),
        _working(cell, plan, sizes),
    )


def _sum(terms: Iterable[Expr]) -> Expr:
    return sum(terms, Integer(0)).expand()


class Sizes:
    """The widths that a cell's graph names, as symbols."""

    any_input, any_hidden = 10_007, 10_009  # primes: a size says which width is a factor of it

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.state = cell.widths.get(cell.states[0], "hidden_size")
        declared = cell.declared.values()
        widths = {w for d in declared if isinstance(d, Matrix) for w in (d.rows, d.columns)}
        widths |= {d.size for d in declared if isinstance(d, Vector)} | {*cell.widths.values()}
        own = [name for name in cell.hyperparameters if name in widths]
        letters = [name[0].upper() for name in own]
        free = {a for a in letters if letters.count(a) == 1} - {*"TBIH"}
        self.own = {n: _symbol(a if a in free else n) for n, a in zip(own, letters, strict=True)}

    def __call__(self, width: str) -> Expr:
        """Return a width as a symbol."""
        return {"hidden_size": H, "input_size": I, "1": Integer(1), **self.own}[width]

    def parameters(self, place: Place, bias: bool) -> dict[str, tuple[Expr, ...]]:
        """Return the shape of every parameter."""
        shapes = self.cell.shapes(place)
        names = [name for name in shapes if bias or name not in BIASES]
        return {name: tuple(self.symbolic(size) for size in shapes[name]) for name in names}

    def symbolic(self, size: int) -> Expr:
        """Return a size of a cell made with `any_input` and `any_hidden` as a formula."""
        if size % self.any_hidden == 0:
            return size // self.any_hidden * H
        if size == self.any_input:
            return I
        own = [name for name in self.own if self.cell.hyperparameters[name] == size]
        return self(own[0]) if own else Integer(size)


def _flops(graph: Graph[Any], sizes: Sizes, nodes: Iterable[int] | None = None) -> Flops:
    """Return the FLOPs of a graph, or of some of its nodes."""
    wanted = range(len(graph.nodes)) if nodes is None else nodes
    products, elementwise = flops(graph, wanted, sizes)
    return Flops(products.expand(), elementwise.expand())


def _needed(graph: Graph[Any], roots: Iterable[int]) -> set[int]:
    """Return the nodes that the roots are made of, themselves included."""
    needed = set(roots)
    for k in reversed(range(len(graph.nodes))):
        if k in needed:
            needed.update(graph.nodes[k].args)
    return needed


def _without_x(graph: Graph[StepInput], products: Iterable[int]) -> set[int]:
    """Return the nodes of a gradient that are not there for that of x alone."""
    return _needed(
        graph, [*products, *(k for x, k in graph.outputs.items() if x.origin is not Origin.X)]
    )


def _forward(lowered: Lowered, sizes: Sizes) -> Flops:
    """Return the FLOPs of the products of x, with their biases, and of the loop."""
    lifted, biases = lowered.plan.lifted, lowered.hoisted.biases
    before = Flops(2 * H * I * len(lifted), H * sum(bool(biases[gate]) for gate in lifted))
    return before + _flops(lowered.plan.forward.graph, sizes)


def _backward(lowered: Lowered, sizes: Sizes) -> tuple[Flops, Expr]:
    """Return the FLOPs of the backward loop and of the weights' gradients; those for x apart."""
    plan, biases = lowered.plan, lowered.hoisted.biases
    factors = ((o.adjoint.buffer, o.value.buffer) for o in plan.operands)
    products = _sum(product_flops(a.width, v.width, sizes) for a, v in factors)
    sums = H * sum(bool(biases[gate]) for gate in plan.lifted)
    buffers = plan.backward.buffers.items()
    sums += _sum(n * sizes(b.width) for b, n in buffers if b.kind is BufferKind.TOTAL)
    graph, operands = plan.backward.graph, {o.adjoint for o in plan.operands}
    operands |= {o.value for o in plan.operands}
    made = [k for k, slots in plan.backward.stores.items() if operands & {*slots}]
    loop = _flops(graph, sizes, _without_x(graph, made))
    for_x = _flops(graph, sizes).products - loop.products + 2 * H * I * len(plan.lifted)
    return Flops(products, sums) + loop, for_x.expand()


def _output(cell: Cell, bias: bool, sizes: Sizes) -> tuple[Flops, Flops, Expr]:
    """Return the FLOPs of the output, and of its gradient; those for x apart."""
    graphs = lower_output(cell, bias)
    if graphs is None:
        return _NONE, _NONE, Integer(0)
    forward, backward = graphs
    graph, again = backward.graph, {*backward.forward}
    nodes = graph.nodes
    factors = ((nodes[p.adjoint].width, nodes[p.value].width) for p in backward.products)
    products = _sum(product_flops(rows, columns, sizes) for rows, columns in factors)
    outputs = graph.outputs.items()
    sums = _sum(sizes(nodes[k].width) for x, k in outputs if x.origin is Origin.VECTOR)
    made = _without_x(graph, (p.adjoint for p in backward.products)) - again
    gradient = _flops(graph, sizes, made)
    for_x = _flops(graph, sizes, set(range(len(graph.nodes))) - again - made).products
    return _flops(forward, sizes), Flops(products, sums) + gradient, for_x


def _traffic(loop: Loop, sizes: Sizes) -> Expr:
    """Return how many numbers a step reads and writes for each row."""
    widths = {slot: loop.graph.nodes[k].width for k, slot in loop.loads.items()}
    read = (sizes(width) for slot, width in widths.items() if slot.access is not Access.VECTOR)
    stores = loop.stores.items()
    written = (sizes(loop.graph.nodes[k].width) * len(slots) for k, slots in stores)
    return _sum([*read, *written])


def _numbers(loop: Loop, sizes: Sizes, wanted: Callable[[Buffer], bool], keep: bool = True) -> Expr:
    """Return how many numbers the buffers of some kinds hold in a sweep."""
    buffers = ((b, n * sizes(b.width)) for b, n in loop.buffers.items() if wanted(b))
    return _sum(math.prod((*b.kind.leading(T, B, keep), size)) for b, size in buffers)


def _states(cell: Cell, sizes: Sizes, kind: BufferKind = BufferKind.STATE) -> Expr:
    """Return what all states hold, or the gradients of all; a loop may not read every one."""
    widths = (cell.widths.get(state, "hidden_size") for state in cell.states)
    return _sum(math.prod((*kind.leading(T, B), sizes(width))) for width in widths)


_OWN = (Owner.GRADIENT, Owner.WORKSPACE)


def _sweep(cell: Cell, plan: LoopPlan, sizes: Sizes) -> Expr:
    """Return what a sweep without gradients holds: states, the products of x, scratch.

    Of the states but for the first two steps are held, unless the output or a layer above reads
    them. From four rows on the products of x are not held either.
    """
    own = _numbers(plan.forward, sizes, lambda b: b.kind.owner in _OWN, keep=False)
    if cell.below or cell.output is not None:
        return (own + _states(cell, sizes)).expand()
    first, *others = (cell.widths.get(state, "hidden_size") for state in cell.states)
    states = _sum(2 * B * sizes(width) for width in others)
    return (own + (T + 1) * B * sizes(first) + states).expand()


def _kept(cell: Cell, plan: LoopPlan, sizes: Sizes) -> Expr:
    """Return what is kept for the gradient: all states, and what the backward loop reads."""
    read = plan.backward.buffers
    is_kept = {b for b in plan.forward.buffers if b.kind.owner is Owner.GRADIENT and b in read}
    return (_numbers(plan.forward, sizes, is_kept.__contains__) + _states(cell, sizes)).expand()


def _working(cell: Cell, plan: LoopPlan, sizes: Sizes) -> Expr:
    """Return what the backward sweep takes besides: what it makes of each step, and carries."""
    makes = (Owner.WORKSPACE, Owner.RESULT)
    made = _numbers(plan.backward, sizes, lambda b: b.kind.owner in makes)
    return (made + _states(cell, sizes, BufferKind.CARRY)).expand()

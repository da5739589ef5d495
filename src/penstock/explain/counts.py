"""What a cell costs: parameters, FLOPs and bytes, as polynomials, counted from the plan that runs.

A multiply-add is 2 FLOPs; every other op is 1 for each element, tanh, σ and exp among them. Counts
are for one row of one step, so that a sequence costs T·B times as much; what is made of weights
alone, once a sweep, is left out. Symbols: T time, B batch, I input, H hidden; another letter is
the initial of a hyperparameter that is a width.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sympy import Expr, Integer, Symbol

from penstock.cells import Cell, Matrix, Place, Vector
from penstock.compiler.graph import Graph, Loop, LoopPlan
from penstock.compiler.ops import OPS
from penstock.compiler.pipeline import Stages, lower, lower_output


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
    sweep, kept, working: numbers that [T, B] steps hold: a forward sweep without gradients, what
    it keeps for the gradient, and what the backward sweep takes besides.
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
    stages = lower(cell, place, bias)
    plan, forward = stages.plan, stages.plan.forward
    backward, for_x = _backward(stages, sizes)
    output, output_backward, output_x = _output(cell, bias, sizes)
    matrices = {w for n in forward.graph.nodes for w in n.weights}
    return Counts(
        sizes.parameters(place, bias),
        _forward(stages, sizes) + output,
        backward + output_backward,
        for_x + output_x,
        _sum(sizes.matrix(w.name) for w in matrices),
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

    def matrix(self, name: str) -> Expr:
        """Return the numbers in a matrix of the graph."""
        kind, _, gate = name.partition(".")
        if gate:
            return H * (I if kind == "W" else self(self.state))
        declared = self.cell.declared[name]
        assert isinstance(declared, Matrix)
        return self(declared.rows) * self(declared.columns)

    def parameters(self, place: Place, bias: bool) -> dict[str, tuple[Expr, ...]]:
        """Return the shape of every parameter."""
        shapes = self.cell.shapes(place)
        names = [name for name in shapes if bias or not name.startswith("bias")]
        return {name: tuple(self.symbolic(size) for size in shapes[name]) for name in names}

    def symbolic(self, size: int) -> Expr:
        """Return a size of a cell made with `any_input` and `any_hidden` as a formula."""
        if size % self.any_hidden == 0:
            return size // self.any_hidden * H
        if size == self.any_input:
            return I
        own = [name for name in self.own if self.cell.hyperparameters[name] == size]
        return self(own[0]) if own else Integer(size)


def _flops(graph: Graph, sizes: Sizes, nodes: Iterable[int] | None = None) -> Flops:
    """Return the FLOPs of a graph, or of some of its nodes."""
    products, elementwise = Integer(0), Integer(0)
    for node in graph.nodes if nodes is None else (graph.nodes[k] for k in nodes):
        if node.op == "linear":
            products += _sum(2 * sizes.matrix(w.name) for w in node.weights)
        elif not node.is_input and node.op != "expand":
            is_rowwise = OPS[node.op].rowwise
            elementwise += sizes(graph.nodes[node.args[0]].width if is_rowwise else node.width)
    return Flops(products.expand(), elementwise.expand())


def _needed(graph: Graph, roots: Iterable[int]) -> set[int]:
    """Return the nodes that the roots are made of, themselves included."""
    needed = set(roots)
    for k in reversed(range(len(graph.nodes))):
        if k in needed:
            needed.update(graph.nodes[k].args)
    return needed


def _without_x(graph: Graph, products: Iterable[int]) -> set[int]:
    """Return the nodes of a gradient that are not there for that of x alone."""
    return _needed(graph, [*products, *(k for n, k in graph.outputs.items() if n != "x")])


def _forward(stages: Stages, sizes: Sizes) -> Flops:
    """Return the FLOPs of the products of x, with their biases, and of the loop."""
    lifted, biases = stages.plan.lifted, stages.hoisted.biases
    before = Flops(2 * H * I * len(lifted), H * sum(bool(biases[gate]) for gate in lifted))
    return before + _flops(stages.plan.forward.graph, sizes)


def _backward(stages: Stages, sizes: Sizes) -> tuple[Flops, Expr]:
    """Return the FLOPs of the backward loop and of the weights' gradients; those for x apart."""
    plan, biases = stages.plan, stages.hoisted.biases
    products = _sum(2 * sizes.matrix(o.weight.name) for o in plan.operands)
    sums = H * sum(bool(biases[gate]) for gate in plan.lifted)
    sums += _buffers(plan.backward, sizes, lambda name: name.startswith("total"))
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
    products = _sum(2 * sizes.matrix(p.weight.name) for p in backward.products)
    outputs = graph.outputs.items()
    sums = _sum(sizes(graph.nodes[k].width) for n, k in outputs if n.startswith("vector."))
    made = _without_x(graph, (p.adjoint for p in backward.products)) - again
    gradient = _flops(graph, sizes, made)
    for_x = _flops(graph, sizes, set(range(len(graph.nodes))) - again - made).products
    return _flops(forward, sizes), Flops(products, sums) + gradient, for_x


def _traffic(loop: Loop, sizes: Sizes) -> Expr:
    """Return how many numbers a step reads and writes for each row."""
    widths = {slot: loop.graph.nodes[k].width for k, slot in loop.loads.items()}
    read = (sizes(width) for slot, width in widths.items() if slot.index != "vector")
    stores = loop.stores.items()
    written = (sizes(loop.graph.nodes[k].width) * len(slots) for k, slots in stores)
    return _sum([*read, *written])


def _buffers(loop: Loop, sizes: Sizes, wanted: Callable[[str], bool]) -> Expr:
    """Return the numbers that one row of one step has in the buffers of some kinds."""
    buffers = loop.buffers.items()
    return _sum(sizes(w) * n for name, (w, n) in buffers if wanted(name))


def _states(cell: Cell, sizes: Sizes) -> Expr:
    return _sum(sizes(cell.widths.get(state, "hidden_size")) for state in cell.states)


def _sweep(cell: Cell, plan: LoopPlan, sizes: Sizes) -> Expr:
    """Return what a sweep without gradients holds: all states, the products of x, scratch."""
    steps = T * B * H * len(plan.lifted) + (T + 1) * B * _states(cell, sizes)
    once = _buffers(plan.forward, sizes, lambda name: name.startswith(("saved", "scratch")))
    return (steps + B * once).expand()


def _kept(cell: Cell, plan: LoopPlan, sizes: Sizes) -> Expr:
    """Return what is kept for the gradient: all states, and what the backward loop reads."""
    read = {slot.buffer for slot in plan.backward.loads.values()}
    lifted = H * len(plan.lifted) if "lifted" in read else Integer(0)
    saved = _buffers(plan.forward, sizes, lambda name: name.startswith("saved") and name in read)
    return (T * B * (lifted + saved) + (T + 1) * B * _states(cell, sizes)).expand()


def _working(cell: Cell, plan: LoopPlan, sizes: Sizes) -> Expr:
    """Return what the backward sweep takes besides: what it makes of each step, and carries."""
    once_kinds = ("total", "scratch")
    once = _buffers(plan.backward, sizes, lambda name: name.startswith(once_kinds))
    other = (*once_kinds, "state.", "grad.")
    every = _buffers(plan.backward, sizes, lambda name: not name.startswith(other))
    return (T * B * every + B * once + 2 * B * _states(cell, sizes)).expand()

"""Where each value of both loops lies: the last pass before a backend, which decides nothing more.

Values of one kind and width share a buffer, column by column: row b of step t of the buffer
``saved hidden_size`` is ``[saved 0 | saved 1 | …]``, each H wide.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock.compiler.ir.graph import (
    NUMBERS,
    Graph,
    Node,
    Origin,
    Saving,
    Stacked,
    StepInput,
    Weight,
)
from penstock.compiler.ir.levels import Levels, reads_rows
from penstock.compiler.ir.plan import (
    ADJOINTS,
    GRAD_X,
    LIFTED,
    Access,
    Buffer,
    BufferKind,
    Loop,
    LoopPlan,
    Operand,
    Slot,
    Stage,
    X,
    leaf_slot,
)

# The inputs of a step that have no buffer of their own, but a column of one.
SharedSlots = Mapping[StepInput, Slot]


def store(
    forward: Graph[str],
    saving: Saving,
    stages: tuple[tuple[Stage, ...], tuple[Stage, ...]],
    gates: Iterable[str],
) -> LoopPlan:
    """Return the plan of a cell's step and of its gradient.

    Args:
        forward, saving: the step without the products of x; what it saves for its gradient.
        stages: of the step forward, and of that backward.
        gates: the gates that have a W, in the order in which they are stacked.

    Of the LSTM, where t is a step, and old and new are the states before and after it::

        before   lifted i … o      i = σ(…) … o = σ(…)        c'              h'
        after    lifted[t, 0 … 3]  the same places, once       state c[new]   state h[new]
                                   lifted i … o are read
    """
    nodes = forward.nodes
    used = {n.name for n in nodes if n.op == Origin.LIFTED}
    lifted = tuple(g for g in gates if g in used)
    columns = {
        StepInput(Origin.LIFTED, g): Slot(LIFTED, Access.TIME, c) for c, g in enumerate(lifted)
    }
    stores = _forward_stores(forward, saving, columns)
    lies = {k: slots[0] for k, slots in stores.slots.items()}
    saved = {
        StepInput(Origin.SAVED, n): lies[k] if k in lies else columns[nodes[k].leaf]
        for n, k in enumerate(saving.nodes)
    }
    forward_loop = _loop(forward, stages[0], columns, stores)
    backward_loop, operands = _backward_loop(saving, stages[1], columns | saved, lifted)
    return LoopPlan(forward_loop, backward_loop, operands, lifted)


def _forward_stores(forward: Graph[str], saving: Saving, columns: SharedSlots) -> "_Stores":
    """Return where the loop forward puts what it saves, and the new states."""
    stores = _Stores(forward)
    for k, slot in reused(forward, saving.nodes, columns).items():
        stores.put(k, slot)
    for k in saving.nodes:
        if k not in stores.slots and forward.nodes[k].op != Origin.LIFTED:
            stores.column(BufferKind.SAVED, k, Access.TIME)
    for state, k in forward.outputs.items():
        stores.put(k, Slot(Buffer(BufferKind.STATE, state, stores.width(k)), Access.NEW))
    return stores


def put_forward(forward: Graph[str], saving: Saving) -> set[int]:
    """Return the nodes of a step forward that are stored, beside what stages hand on."""
    made = {k for k in saving.nodes if forward.nodes[k].op != Origin.LIFTED}
    return made | {*forward.outputs.values()}


def put_backward(saving: Saving) -> set[int]:
    """Return the nodes of a step backward that are stored, beside what stages hand on."""
    graph, products = saving.backward.graph, saving.backward.products
    factors = {p.adjoint for p in products}
    factors |= {p.value for p in products if not _lies(graph.nodes[p.value])}
    return factors | {*graph.outputs.values()}


def _lies(node: Node) -> bool:
    """Return whether a node is an input that is read from memory, as numbers are not."""
    return node.is_input and node.op not in NUMBERS


def _slot(node: Node, columns: SharedSlots) -> Slot:
    """Return where an input lies."""
    column = columns.get(node.leaf)
    return column if column is not None else leaf_slot(node.leaf, node.width)


def _backward_loop(
    saving: Saving, stages: tuple[Stage, ...], columns: SharedSlots, lifted: tuple[str, ...]
) -> tuple[Loop, tuple[Operand, ...]]:
    """Return the loop backward, and the products after it.

    A weight's gradient is Σ adjointᵀ value. Adjoints are put side by side, those of the lifted
    gates first, so that W's gradient, and that of x, is one product; values lie where they lay.
    """
    graph, stores = saving.backward.graph, _Stores(saving.backward.graph)
    adjoints: dict[int, Slot] = {}
    operands: list[Operand] = []
    for column, gate in enumerate(lifted):
        k = graph.outputs[StepInput(Origin.LIFTED, gate)]
        adjoints[k] = stores.column(BufferKind.ADJOINT, k, Access.ADJOINT)
        own = Slot(ADJOINTS, Access.ADJOINT, column)
        operands.append(Operand(Weight(Stacked.W, gate), own, Slot(X, Access.TIME)))
    _put_gradients(graph, stores)
    values: dict[int, Slot] = {}
    for product in saving.backward.products:
        k, v = product.adjoint, product.value
        if k not in adjoints:
            adjoints[k] = stores.column(BufferKind.ADJOINT, k, Access.ADJOINT)
        if v not in values:
            lies = _lies(graph.nodes[v])
            values[v] = (
                _slot(graph.nodes[v], columns)
                if lies
                else stores.column(BufferKind.OPERAND, v, Access.TIME)
            )
        operands.append(Operand(product.weight, adjoints[k], values[v]))
    return _loop(graph, stages, columns, stores), tuple(operands)


def _put_gradients(graph: Graph[Any], stores: "_Stores") -> None:
    """Put the gradients of a step's inputs where they go out, or on to the step before."""
    for leaf, k in graph.outputs.items():
        width = stores.width(k)
        if leaf.origin == Origin.STATE:
            stores.put(k, Slot(Buffer(BufferKind.CARRY, leaf.name, width), Access.TO))
        elif leaf.origin in (Origin.VECTOR, Origin.DERIVED):
            if not any(s.access is Access.TOTAL for s in stores.slots.get(k, ())):
                stores.column(BufferKind.TOTAL, k, Access.TOTAL)
        elif leaf.origin == Origin.BELOW:
            stores.put(k, Slot(Buffer(BufferKind.GRAD_BELOW, leaf.name, width), Access.ADJOINT))
        elif leaf.origin == Origin.X:
            stores.put(k, Slot(GRAD_X, Access.ADJOINT))


class _Stores:
    """Gathers where the values of a loop are put; columns of one kind and width share a buffer."""

    def __init__(self, graph: Graph[Any]) -> None:
        self.graph = graph
        self.slots: dict[int, list[Slot]] = {}
        self.columns: dict[Buffer, int] = {}

    def width(self, node: int) -> str:
        """Return the width of a node."""
        return self.graph.nodes[node].width

    def put(self, node: int, slot: Slot) -> Slot:
        """Put a node's value in a slot."""
        self.slots.setdefault(node, []).append(slot)
        self.columns[slot.buffer] = max(slot.column + 1, self.columns.get(slot.buffer, 0))
        return slot

    def column(self, kind: BufferKind, node: int, access: Access) -> Slot:
        """Put a node's value in the next column of its kind and width."""
        buffer = Buffer(kind, self.width(node), self.width(node))
        return self.put(node, Slot(buffer, access, self.columns.get(buffer, 0)))


def reused(graph: Graph[str], saved: tuple[int, ...], columns: SharedSlots) -> dict[int, Slot]:
    """Put saved values where the products of x lay that nobody reads any more.

    The saved i = σ(lifted i + U_i h) takes the place of lifted i, at the moment when that is read
    for the last time: a sweep that saves takes hardly more memory than one that does not.
    """
    levels = Levels(graph)
    free = {
        columns[node.leaf]: levels.last_read(k)
        for k, node in enumerate(graph.nodes)
        if node.op == Origin.LIFTED
        and levels.users[k]
        and k not in (*graph.outputs.values(), *saved)
    }
    found: dict[int, Slot] = {}
    for k in saved:
        level = levels.first[k] - (k in levels.bare)  # these come before the rest of a level
        fits = [slot for slot, last in free.items() if last <= level]
        if fits and graph.nodes[k].width == LIFTED.width and not graph.nodes[k].is_input:
            found[k] = fits[0]
            del free[fits[0]]
    return found


def _loop(
    graph: Graph[Any], stages: tuple[Stage, ...], columns: SharedSlots, stores: _Stores
) -> Loop:
    """Return a loop: where its inputs are read, and scratch for what one stage hands another."""
    levels, loads = Levels(graph), dict[int, Slot]()
    for k, node in enumerate(graph.nodes):
        if _lies(node):
            loads[k] = _slot(node, columns)
        elif not node.is_input and _is_handed_on(levels, k):
            readable = [s for s in stores.slots.get(k, ()) if s.access is not Access.TOTAL]
            scratch = readable or [stores.column(BufferKind.SCRATCH, k, Access.ROW)]
            loads[k] = scratch[0]
    slots = {k: tuple(s) for k, s in stores.slots.items()}
    touched = [*loads.values(), *(s for put in slots.values() for s in put)]
    buffers = dict.fromkeys((slot.buffer for slot in touched), 1)
    for slot in (*touched, *columns.values()):
        if slot.buffer in buffers:
            buffers[slot.buffer] = max(buffers[slot.buffer], slot.column + 1)
    return Loop(graph, stages, loads, slots, buffers)


def _is_handed_on(levels: Levels, k: int) -> bool:
    """Return whether a value is read outside the stage that makes it, and so through memory."""
    return k in levels.bare or any(
        reads_rows(levels.nodes[u])
        or levels.nodes[u].width != levels.nodes[k].width
        or levels.homes[u] - levels.homes[k]
        for u in levels.users[k]
    )

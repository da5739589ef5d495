"""Graphs → LoopPlan: what is saved or computed again, which stages a step has, what lies where.

A stage runs over the columns of one width. Its products read whole rows of values that earlier
stages, or the step before, left in memory; its body is elementwise in the same columns. So a step
needs to wait for whole rows only between stages.
"""

from collections.abc import Iterable, Mapping

from penstock.compiler.builder import Builder, Value, prune, rebuild
from penstock.compiler.graph import (
    Backward,
    Graph,
    Group,
    Loop,
    LoopPlan,
    Node,
    Operand,
    Product,
    Slot,
    Stage,
    Weight,
)
from penstock.compiler.schedule import CHEAP, Schedule, reads_rows


def make_plan(forward: Graph, backward: Backward, gates: Iterable[str]) -> LoopPlan:
    """Return the plan of a cell's step and of its gradient.

    Args:
        forward, backward: the step without the products of x, and its gradient.
        gates: the gates that have a W, in the order in which they are stacked.
    """
    used = {n.name for n in forward.nodes if n.op == "lifted"}
    lifted = tuple(g for g in gates if g in used)
    saved, backward = _save(forward, backward)
    stores = _Stores(forward)
    inputs = {f"lifted.{g}": Slot("lifted", "time", c) for c, g in enumerate(lifted)}
    for k, slot in _reuse(forward, saved, inputs).items():
        stores.put(k, slot)
    for k in saved:
        if k not in stores.slots and forward.nodes[k].op != "lifted":
            stores.column("saved", k, "time")
    for state, k in forward.outputs.items():
        stores.put(k, Slot(f"state.{state}", "new"))
    forward_loop = _loop(forward, inputs, stores)
    inputs = {f"saved.{n}": _kept_at(forward, stores, inputs, k) for n, k in enumerate(saved)}
    backward_loop, operands = _backward_loop(backward, inputs, lifted)
    return LoopPlan(forward_loop, backward_loop, operands, lifted)


def _kept_at(graph: Graph, stores: "_Stores", inputs: Mapping[str, Slot], k: int) -> Slot:
    """Return where a saved value lies; the products of x stay where they are."""
    node = graph.nodes[k]
    return inputs[f"lifted.{node.name}"] if node.op == "lifted" else stores.slots[k][0]


def _backward_loop(
    backward: Backward, inputs: Mapping[str, Slot], lifted: tuple[str, ...]
) -> tuple[Loop, tuple[Operand, ...]]:
    graph, stores = backward.graph, _Stores(backward.graph)
    adjoints: dict[int, Slot] = {}
    for gate in lifted:
        k = graph.outputs[f"lifted.{gate}"]
        adjoints[k] = stores.column("adjoint", k, "adjoint")
    operands = [
        Operand(
            Weight(f"W.{gate}"), Slot("adjoint.hidden_size", "adjoint", column), Slot("x", "time")
        )
        for column, gate in enumerate(lifted)
    ]
    for name, k in graph.outputs.items():
        kind = name.partition(".")[0]
        if kind == "grad":
            stores.put(k, Slot(name, "to"))
        elif kind == "vector":
            if not any(s.index == "total" for s in stores.slots.get(k, ())):
                stores.column("total", k, "total")
        elif kind in ("below", "x"):
            stores.put(k, Slot(f"grad_{name}", "adjoint"))
    values: dict[int, Slot] = {}
    for product in backward.products:
        k, v = product.adjoint, product.value
        if k not in adjoints:
            adjoints[k] = stores.column("adjoint", k, "adjoint")
        if v not in values:
            node = graph.nodes[v]
            slot = _input_slot(node, inputs) if node.is_input else None
            values[v] = slot or stores.column("operand", v, "time")
        operands.append(Operand(product.weight, adjoints[k], values[v]))
    return _loop(graph, inputs, stores), tuple(operands)


class _Stores:
    """Gathers where the values of a loop are put; columns of one kind and width share a buffer."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.slots: dict[int, list[Slot]] = {}
        self.buffers: dict[str, tuple[str, int]] = {}

    def put(self, node: int, slot: Slot) -> Slot:
        """Put a node's value in a slot."""
        self.slots.setdefault(node, []).append(slot)
        width = self.graph.nodes[node].width
        self.buffers[slot.buffer] = (
            width,
            max(slot.column + 1, self.buffers.get(slot.buffer, (width, 0))[1]),
        )
        return slot

    def column(self, kind: str, node: int, index: str) -> Slot:
        """Put a node's value in the next column of its kind and width."""
        buffer = f"{kind}.{self.graph.nodes[node].width}"
        return self.put(node, Slot(buffer, index, self.buffers.get(buffer, ("", 0))[1]))


def _save(forward: Graph, backward: Backward) -> tuple[list[int], Backward]:
    """Choose what the forward loop saves: what the gradient reads and cannot compute again.

    What follows from states, inputs and saved values by elementwise ops is computed again;
    products and reductions are not. Where a value is a product less a mean, and the like, the
    product, which lies in memory anyway, and the number a row are saved.
    """
    ours = {new: k for k, new in enumerate(backward.forward)}
    graph, read = backward.graph, _read(backward)
    read |= _sources(forward, read)
    states = {k: s for s, k in forward.outputs.items()}
    # The gradient asks where the maximum was: to the last bit, which is lost when computed again.
    exact = {n.args[0] for n in forward.nodes if n.op == "amax"}
    saved: list[int] = []
    cheap: list[bool] = []
    for k, node in enumerate(forward.nodes):
        comes_late = node.op == "lifted" or reads_rows(node)
        exactly = k in exact and not node.is_input
        dear = comes_late or exactly or not all(cheap[a] for a in node.args)
        if k in read and dear and k not in states:
            saved.append(k)
        cheap.append(not dear or k in states or k in saved)

    def replace(builder: Builder, new: list[Value], _: Node) -> Value | None:
        k = ours.get(len(new))
        if k is None or (forward.nodes[k].is_input and forward.nodes[k].op != "lifted"):
            return None
        if k in saved:
            return builder.input("saved", str(saved.index(k)), forward.nodes[k].width)
        if k in states:
            return builder.input("new", states[k], forward.nodes[k].width)
        return None

    builder = Builder()
    new = rebuild(graph, builder, replace)
    outputs = {name: new[k].index for name, k in graph.outputs.items()}
    ends = {f"adjoint {n}": new[p.adjoint].index for n, p in enumerate(backward.products)}
    ends |= {f"value {n}": new[p.value].index for n, p in enumerate(backward.products)}
    whole = prune(Graph(tuple(builder.nodes), outputs | ends))
    products = tuple(
        Product(p.weight, whole.outputs[f"adjoint {n}"], whole.outputs[f"value {n}"])
        for n, p in enumerate(backward.products)
    )
    kept = {name: k for name, k in whole.outputs.items() if name in outputs}
    return saved, Backward(Graph(whole.nodes, kept), (), products)


def _read(backward: Backward) -> set[int]:
    """Return the nodes of the forward step that the backward step reads."""
    graph, ours = backward.graph, {new: k for k, new in enumerate(backward.forward)}
    ends = {k for p in backward.products for k in (p.adjoint, p.value)}
    ends |= {*graph.outputs.values()}
    needed = {*ends}
    for k in reversed(range(len(graph.nodes))):
        if k in needed:
            needed.update(graph.nodes[k].args)
    readers = (graph.nodes[k].args for k in needed if k not in ours)
    return {ours[a] for args in (ends, *readers) for a in args if a in ours}


def _sources(graph: Graph, read: set[int]) -> set[int]:
    """Return what to save in place of values that follow from it by a cheap op or two."""
    lying, sources, states = Schedule(graph).bare, set[int](), {*graph.outputs.values()}
    lying |= states | {k for k, node in enumerate(graph.nodes) if node.is_input}
    for k in reversed(range(len(graph.nodes))):
        node = graph.nodes[k]
        wide = [a for a in node.args if graph.nodes[a].width != "1"]
        new = [a for a in wide if graph.nodes[a].op in ("linear", "lifted")]
        cheap = node.op in CHEAP and lying >= {*wide} and len(new) <= 1
        if cheap and k in read | sources and k not in states:
            sources |= {*node.args}
    return sources


def _reuse(graph: Graph, saved: list[int], inputs: Mapping[str, Slot]) -> dict[int, Slot]:
    """Put saved values where the products of x lay that nobody reads any more."""
    schedule = Schedule(graph)
    free = {
        inputs[f"lifted.{node.name}"]: schedule.last_read(k)
        for k, node in enumerate(graph.nodes)
        if node.op == "lifted" and schedule.users[k] and k not in (*graph.outputs.values(), *saved)
    }
    reused: dict[int, Slot] = {}
    for k in saved:
        level = schedule.levels[k] - (k in schedule.bare)  # these come before the rest of a level
        fits = [slot for slot, last in free.items() if last <= level]
        if fits and graph.nodes[k].width == "hidden_size" and not graph.nodes[k].is_input:
            reused[k] = fits[0]
            del free[fits[0]]
    return reused


def _loop(graph: Graph, inputs: Mapping[str, Slot], stores: _Stores) -> Loop:
    """Cut a step into stages, and give scratch to what stages hand on."""
    schedule = Schedule(graph)
    homes, bare = schedule.homes, schedule.bare
    stages: dict[tuple[int, int, str], list[int]] = {}
    for k, node in enumerate(graph.nodes):
        # An input that is put elsewhere has to pass through a stage too.
        if not node.is_input or k in stores.slots:
            turn = 0 if k in bare else 1 if node.width == "1" else 2
            for level in homes[k]:
                stages.setdefault((level, turn, node.width), []).append(k)
    loads: dict[int, Slot] = {}
    for k, node in enumerate(graph.nodes):
        if node.is_input:
            if (slot := _input_slot(node, inputs)) is not None:
                loads[k] = slot
        elif k in bare or any(
            reads_rows(graph.nodes[u]) or graph.nodes[u].width != node.width or homes[u] - homes[k]
            for u in schedule.users[k]
        ):
            readable = [s for s in stores.slots.get(k, ()) if s.index != "total"]
            loads[k] = readable[0] if readable else stores.column("scratch", k, "row")
    slots = {k: tuple(s) for k, s in stores.slots.items()}
    made = tuple(_stage(graph, stages[key]) for key in sorted(stages))
    return Loop(graph, made, loads, slots, stores.buffers)


def _input_slot(node: Node, inputs: Mapping[str, Slot]) -> Slot | None:
    """Return where an input lies; None for those that are numbers."""
    simple = {
        "state": Slot(f"state.{node.name}", "old"),
        "new": Slot(f"state.{node.name}", "new"),
        "x": Slot("x", "time"),
        "below": Slot(f"below.{node.name}", "time"),
        "mask": Slot(f"mask.{node.name}", "row" if node.name == "dropout" else "time"),
        "vector": Slot(f"vector.{node.name}", "vector"),
        "grad": Slot(f"grad.{node.name}", "from"),
    }
    return simple.get(node.op) or inputs.get(f"{node.op}.{node.name}")


def _stage(graph: Graph, members: list[int]) -> Stage:
    groups: dict[tuple[tuple[int, bool], ...], list[int]] = {}
    for k in members:
        node = graph.nodes[k]
        if node.op == "linear":
            layouts = [w.transposed for w in node.weights]
            groups.setdefault(tuple(zip(node.args, layouts, strict=True)), []).append(k)
    body = tuple(k for k in members if graph.nodes[k].op != "linear")
    width = graph.nodes[members[0]].width
    made = (Group(tuple(n), tuple(arg for arg, _ in terms)) for terms, n in groups.items())
    return Stage(width, tuple(made), body)

"""What the forward loop saves for the gradient, and what the backward loop computes again.

Memory is dearer than arithmetic: a value of every step is saved only where it cannot be made again
from what is there anyway, which is the states after every step, the inputs, and what is saved.
"""

from typing import Any

from penstock.compiler.ir.builder import Builder, Value, prune, rebuild
from penstock.compiler.ir.graph import Backward, Graph, Node, Origin, Product, Saving, StepInput
from penstock.compiler.ir.levels import CHEAP, Levels, reads_rows

_COMES_LATE = (Origin.LIFTED, "linear")


def save(forward: Graph[str], backward: Backward) -> Saving:
    """Choose what is saved; let the step backwards read it.

    The LSTM's gradient reads i, f, g, o, tanh c', c and h. Its c and h are states. Of the rest::

        before                                 after
        i = σ(lifted i + U_i h)     made again   saved 0      a product stands behind it
        f, g, o                     likewise     saved 1, 2, 3
        c' = f ⊙ c + i ⊙ g          made again   new c        a state is there anyway
        tanh c'                     made again   tanh(new c)  elementwise of what is there

    so that the step backwards makes no product a second time. Its products of adjoints, and with
    them the weights' gradients, stay as they are.
    """
    wanted = instead_of_cheap(forward, read_by_gradient(backward))
    nodes = chosen(forward, wanted)
    return Saving(nodes, read_from_memory(forward, backward, nodes))


def read_by_gradient(backward: Backward) -> frozenset[int]:
    """Return the nodes of the forward step that the step backwards reads.

    It holds a copy of the forward step; what reads the copy from outside counts::

        copy of the forward step        its own part
        … ── a ── σ ── y ────────────── d ⊙ (y ⊙ (1 − y))        reads y, not a
    """
    graph, ours = backward.graph, {new: k for k, new in enumerate(backward.forward)}
    ends = {k for p in backward.products for k in (p.adjoint, p.value)}
    ends |= {*graph.outputs.values()}
    needed = _ancestors(graph, ends)
    readers = (graph.nodes[k].args for k in needed if k not in ours)
    return frozenset(ours[a] for args in (ends, *readers) for a in args if a in ours)


def _ancestors(graph: Graph[StepInput], ends: set[int]) -> set[int]:
    """Return the nodes that others are made of, themselves included."""
    needed = {*ends}
    for k in reversed(range(len(graph.nodes))):
        if k in needed:
            needed.update(graph.nodes[k].args)
    return needed


def instead_of_cheap(graph: Graph[str], read: frozenset[int]) -> frozenset[int]:
    """Add to what is read what stands a cheap op or two before it, and lies in memory anyway.

    Of a layer norm, a = U h with the mean μ of its row, the gradient reads a − μ::

        before   a ─ sub ─ (a − μ) read          after   a ─┐ both read: a lies in memory, for
                 μ ───┘                                  μ ─┘ its row is summed; μ is one number

    so that not a third value as wide as a is saved.
    """
    lying, before, states = {*Levels(graph).bare}, set[int](), {*graph.outputs.values()}
    lying |= states | {k for k, node in enumerate(graph.nodes) if node.is_input}
    for k in reversed(range(len(graph.nodes))):
        node = graph.nodes[k]
        wide = [a for a in node.args if graph.nodes[a].width != "1"]
        new = [a for a in wide if graph.nodes[a].op in _COMES_LATE]
        cheap = node.op in CHEAP and lying >= {*wide} and len(new) <= 1
        if cheap and k in read | before and k not in states:
            before |= {*node.args}
    return read | before


def chosen(graph: Graph[str], wanted: frozenset[int]) -> tuple[int, ...]:
    """Return what of the wanted nodes is saved: those dear to make again, but for the states.

    Dear are products, reductions and the products of x; and what is made of something dear that
    is not saved. So of ``y = tanh(U h)``, where y is wanted, y is saved; where U h is wanted
    too, that is, and y is made again of it.
    """
    states = {*graph.outputs.values()}
    # The gradient asks where the maximum was: to the last bit, which is lost when computed again.
    exact = {n.args[0] for n in graph.nodes if n.op == "amax"}
    saved: list[int] = []
    there: list[bool] = []  # or cheap to make of what is there
    for k, node in enumerate(graph.nodes):
        comes_late = node.op == Origin.LIFTED or reads_rows(node)
        exactly = k in exact and not node.is_input
        dear = comes_late or exactly or not all(there[a] for a in node.args)
        if dear and k in wanted and k not in states:
            saved.append(k)
        there.append(not dear or k in states or k in saved)
    return tuple(saved)


def read_from_memory(forward: Graph[str], backward: Backward, saved: tuple[int, ...]) -> Backward:
    """Let the step backwards read saved values and new states where it had a copy of their making.

    ::

        before   lifted f ─ + ─ σ ── y ── …      after   saved 0 ── …
                 U_f h ─────┘
    """
    ours = {new: k for k, new in enumerate(backward.forward)}
    states = {k: state for state, k in forward.outputs.items()}
    numbers = {k: n for n, k in enumerate(saved)}

    def replace(builder: Builder, new: list[Value], _: Node) -> Value | None:
        k = ours.get(len(new))
        if k is None or (forward.nodes[k].is_input and forward.nodes[k].op != Origin.LIFTED):
            return None
        width = forward.nodes[k].width
        if k in numbers:
            return builder.input(Origin.SAVED, numbers[k], width)
        return builder.input(Origin.NEW, states[k], width) if k in states else None

    builder = Builder()
    new = rebuild(backward.graph, builder, replace)
    return _pruned(
        Graph(tuple(builder.nodes), {o: new[k].index for o, k in backward.graph.outputs.items()}),
        [Product(p.weight, new[p.adjoint].index, new[p.value].index) for p in backward.products],
    )


def _pruned(graph: Graph[StepInput], products: list[Product]) -> Backward:
    """Return a step backwards without what neither its outputs nor its products need."""
    ends: dict[Any, int] = {("adjoint", n): p.adjoint for n, p in enumerate(products)}
    ends |= {("value", n): p.value for n, p in enumerate(products)}
    whole = prune(Graph[Any](graph.nodes, ends | {**graph.outputs}))
    kept = {leaf: whole.outputs[leaf] for leaf in graph.outputs}
    at = whole.outputs
    return Backward(
        Graph(whole.nodes, kept),
        (),
        tuple(Product(p.weight, at["adjoint", n], at["value", n]) for n, p in enumerate(products)),
    )

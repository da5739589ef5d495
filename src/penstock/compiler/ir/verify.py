"""What may still be there after each stage. Each function returns what it was given, or raises.

`pipeline` calls them in this order. A mistake of a pass is an AssertionError that says what was
found and where, rather than a wrong number in some sweep.
"""

from collections.abc import Iterator
from typing import Any

from penstock.compiler.ir.graph import (
    Backward,
    Graph,
    Hoisted,
    Key,
    Origin,
    Saving,
    Stacked,
    StepInput,
)
from penstock.compiler.ir.levels import reads_rows
from penstock.compiler.ir.ops import OPS
from penstock.compiler.ir.plan import Access, BufferKind, Loop, LoopPlan, Owner, Slot, Stage

_TRACED = {
    Origin.STATE, Origin.X, Origin.BELOW, Origin.VECTOR, Origin.CONST, Origin.FEATURES
}  # fmt: skip
_MODIFIED = _TRACED | {Origin.MASK, Origin.HELD_MASK}
_LOOP = _MODIFIED | {Origin.LIFTED, Origin.DERIVED}
_ALONE = {Origin.VECTOR, Origin.DERIVED, Origin.CONST}


def well_formed(graph: Graph[Key], origins: set[Origin]) -> Graph[Key]:
    """Nodes read earlier ones, widths fit, and what is there before the step is of `origins`."""
    for k, node in enumerate(graph.nodes):
        assert all(0 <= a < k for a in node.args), f"node {k} reads a later one: {node}"
        widths = {graph.nodes[a].width for a in node.args} - {"1"}
        if node.is_input:
            assert node.op in origins, f"node {k}: {node.leaf} at this stage"
        elif node.op == "linear":
            assert len(node.args) == len(node.weights) > 0, f"node {k}: {node}"
        else:
            op = OPS[node.op]
            assert len(node.args) == op.arity, f"node {k}: {node.op} of {len(node.args)}"
            assert len(widths) <= 1, f"node {k}: widths {widths} meet in {node.op}"
            wanted = "1" if op.rowwise else next(iter(widths), "1")
            assert node.op == "expand" or node.width == wanted, f"node {k}: width {node.width}"
    assert all(0 <= k < len(graph.nodes) for k in graph.outputs.values()), "a dangling output"
    return graph


def traced(graph: Graph[Key]) -> Graph[Key]:
    """A step as it was written: of states, x, lower states, vectors and numbers alone."""
    for k, node in enumerate(graph.nodes):
        assert len(node.weights) <= 1, f"node {k}: a sum of products is not made by tracing"
    return well_formed(graph, _TRACED)


def modified(graph: Graph[str]) -> Graph[str]:
    """The same, and masks."""
    return well_formed(graph, _MODIFIED)


def gathered(graph: Graph[str]) -> Graph[str]:
    """No two products are left whose sum nothing but that sum reads them for."""
    users, outputs = graph.users(), {*graph.outputs.values()}
    for k, node in enumerate(graph.nodes):
        alone = [a for a in node.args if len(users[a]) == 1 and a not in outputs]
        products = sum(graph.nodes[a].op == "linear" for a in alone)
        apart = node.op == "add" and products == len(node.args)
        assert not apart, f"node {k}: two products are added up that could be one"
    return well_formed(graph, _MODIFIED)


def hoisted(step: Hoisted) -> Hoisted:
    """No gate's product of x is left, and each lifted one is known by its biases."""
    well_formed(step.loop, _LOOP)
    for k, node in enumerate(step.loop.nodes):
        reads_x = any(step.loop.nodes[a].op == Origin.X for a in node.args)
        is_gates = any(w.parameter == Stacked.W for w in node.weights)
        assert not (reads_x and is_gates), f"node {k}: a product of x in the loop: {node.weights}"
        known = node.op != Origin.LIFTED or node.name in step.biases
        assert known, f"node {k}: {node.leaf}, which nobody makes"
    return step


def derived(step: Hoisted) -> Hoisted:
    """In the loop nothing is left that is made of vectors alone, and before it nothing else is."""
    well_formed(step.loop, _LOOP)
    well_formed(step.derived, {Origin.VECTOR, Origin.CONST})
    for k, node in enumerate(step.loop.nodes):
        ops = {step.loop.nodes[a].op for a in node.args}
        alone = ops <= _ALONE and not ops <= {Origin.CONST}
        elementwise = node.op in OPS and not OPS[node.op].rowwise
        assert not (elementwise and alone), f"node {k}: {node.op} is the same at every step"
        known = node.op != Origin.DERIVED or node.name in step.derived.outputs
        assert known, f"node {k}: {node.leaf}, which nobody makes"
    return step


def differentiated(forward: Graph[str], backward: Backward) -> Backward:
    """Each state has a gradient, as wide as itself; there is one weight's gradient a product."""
    well_formed(backward.graph, _LOOP | {Origin.GRAD})
    graph, outputs = backward.graph, backward.graph.outputs
    for state, k in forward.outputs.items():
        gradient = outputs.get(StepInput(Origin.STATE, state))
        assert gradient is not None, f"the state {state} has no gradient"
        width = forward.nodes[k].width
        assert graph.nodes[gradient].width == width, f"the gradient of {state} is not {width} wide"
    made = {w for n in forward.nodes for w in n.weights}
    assert {p.weight for p in backward.products} <= made, "a gradient of a weight nobody has"
    return backward


def saving(forward: Graph[str], chosen: Saving) -> Saving:
    """The step backwards reads saved values, and makes no product of the step forward again."""
    graph = well_formed(chosen.backward.graph, (_LOOP - {Origin.LIFTED}) | _BACKWARD)
    is_gradients: list[bool] = []
    for k, node in enumerate(graph.nodes):
        is_gradients.append(node.op == Origin.GRAD or any(is_gradients[a] for a in node.args))
        again = node.op == "linear" and not is_gradients[k]
        assert not again, f"node {k}: a product of the step forward is made again"
        if node.op == Origin.SAVED:
            of = forward.nodes[chosen.nodes[int(str(node.name))]]
            assert of.width == node.width, f"node {k}: {node.leaf} is {of.width} wide"
    return chosen


_BACKWARD = {Origin.GRAD, Origin.SAVED, Origin.NEW}


def stages(graph: Graph[Any], cut: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """All is computed, and before it is read; rows are read only of earlier stages."""
    done: set[int] = set()
    for s, stage in enumerate(cut):
        before = {*done}
        for k in stage.nodes:
            node = graph.nodes[k]
            assert node.width == stage.width, f"node {k} is not as wide as stage {s}"
            there = before if reads_rows(node) else done
            late = [a for a in node.args if a not in there and not graph.nodes[a].is_input]
            assert not late, f"node {k} of stage {s} reads {late}, not there yet"
            done.add(k)
    left = {k for k, node in enumerate(graph.nodes) if not node.is_input} - done
    assert not left, f"no stage computes {left}"
    return cut


def plan(made: LoopPlan) -> LoopPlan:
    """What is read was put there, what is put away is read, and nothing is put on it meanwhile."""
    ahead, back = ({s for put in x.stores.values() for s in put} for x in _loops(made))
    for loop in _loops(made):
        _handed_on(loop)
        _not_overwritten(loop)
    lifted = {s for s in made.forward.loads.values() if s.buffer.kind is BufferKind.LIFTED}
    read = {*made.backward.loads.values()}
    factors = {s for o in made.operands for s in (o.adjoint, o.value)}
    for slot in read | factors:
        if slot.buffer.kind.owner is not Owner.CALLER:
            assert slot in ahead | back | lifted, f"{slot} is read, but nobody stores it"
    _all_read(made.forward, read | factors)
    _all_read(made.backward, factors)
    return made


def _loops(made: LoopPlan) -> tuple[Loop, Loop]:
    return made.forward, made.backward


def _handed_on(loop: Loop) -> None:
    """What another stage made, or what is read by rows, is read from where it was put."""
    for stage in loop.stages:
        for k in stage.nodes:
            for a in loop.graph.nodes[k].args:
                by_rows = reads_rows(loop.graph.nodes[k])
                if loop.graph.nodes[a].is_input or (a in stage.nodes and not by_rows):
                    continue
                put = loop.stores.get(a, ())
                assert a in loop.loads, f"%{k} reads %{a}, which lies nowhere"
                assert loop.loads[a] in put, f"{loop.loads[a]} is read, but nobody stores %{a}"


def _not_overwritten(loop: Loop) -> None:
    """A place has one value, but for that of an input which all have read before.

    Stages read before they put away, column by column; whole rows are read across columns.
    """
    at = {k: [s for s, stage in enumerate(loop.stages) if k in stage.nodes] for k in loop.stores}
    holders: dict[Slot, int] = {}
    for k, slots in loop.stores.items():
        for slot in slots:
            first = holders.setdefault(slot, k)
            assert first == k, f"%{first} and %{k} both lie in {slot}"
            once = slot.access is not Access.TOTAL or len(at[k]) == 1
            assert once, f"%{k} is added to {slot} in {len(at[k])} stages"
    for k, slot in loop.loads.items():
        holder = holders.get(slot, k)
        if holder != k and loop.graph.nodes[k].is_input:
            late = [s + by_rows for s, by_rows in _reads(loop, k) if s + by_rows > min(at[holder])]
            assert not late, f"%{holder} is put in {slot} while %{k} is still read there"


def _reads(loop: Loop, k: int) -> Iterator[tuple[int, bool]]:
    """Yield the stages that read a node, and whether by rows."""
    for s, stage in enumerate(loop.stages):
        for u in stage.nodes:
            if k in loop.graph.nodes[u].args:
                yield s, reads_rows(loop.graph.nodes[u])


def _all_read(loop: Loop, elsewhere: set[Slot]) -> None:
    """What is put away is read: by another stage, by the other loop, by a product, by a caller."""
    for k, slots in loop.stores.items():
        for slot in slots:
            goes_out = slot.buffer.kind.owner in (Owner.CALLER, Owner.RESULT)
            is_read = goes_out or slot.access is Access.TOTAL or slot in elsewhere
            assert is_read or loop.loads.get(k) == slot, f"%{k} is put in {slot}, but never read"

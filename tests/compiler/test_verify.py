"""Each stage has a specification: a pass that breaks it is seen, by the pipeline, at that stage."""

import random
from dataclasses import replace

import pytest
import random_cells as rc

from penstock.cells import Place, cells
from penstock.cells.modifiers import Modifiers
from penstock.compiler import pipeline
from penstock.compiler.ir import verify
from penstock.compiler.ir.graph import Graph, Hoisted, Node, Origin, Saving, StepInput, Weight
from penstock.compiler.ir.plan import Access, Buffer, BufferKind, Slot


def lower(name, **options):
    return pipeline.lower(cells()[name](), Place(3, 4), **options)


def broken(monkeypatch, stage, change):
    """Change what a pass returns."""
    whole = getattr(pipeline, stage)
    monkeypatch.setattr(pipeline, stage, lambda *given: change(whole(*given)))


def sees(match, name, **options):
    """Assert that lowering a cell raises, and that it says what is wrong."""
    with pytest.raises(AssertionError, match=match):
        lower(name, **options)


def with_node(graph, node):
    """Return a graph with one more node, of which an output is made."""
    name = next(iter(graph.outputs))
    nodes = (*graph.nodes, node)
    return Graph(nodes, {**graph.outputs, name: len(nodes) - 1})


@pytest.mark.parametrize("seed", range(20))
def test_what_the_passes_make_is_as_specified(seed):
    """Of random cells too; of the shipped ones every other test sees it."""
    rng = random.Random(seed)
    cell = rc.define(rc.write(rng))()
    for place in (Place(3, 4), Place(3, 4, modifiers=Modifiers(layer_norm=True))):
        pipeline.lower(cell, place, streaming=seed % 2 == 0)


def test_a_traced_step_has_no_mask(monkeypatch):
    mask = Node(Origin.MASK, (), "hidden_size", "zoneout.h")
    broken(monkeypatch, "trace", lambda graph: with_node(graph, mask))
    sees("mask zoneout.h at this stage", "lstm")


def test_a_traced_step_has_no_sum_of_products(monkeypatch):
    weights = (Weight("weight_hh", "i"), Weight("weight_hh", "f"))
    two = Node("linear", (0, 0), "hidden_size", weights=weights)
    broken(monkeypatch, "trace", lambda graph: with_node(graph, two))
    sees("a sum of products", "lstm")


def test_a_node_reads_none_that_comes_later(monkeypatch):
    late = Node("tanh", (10**6,), "hidden_size")
    broken(monkeypatch, "trace", lambda graph: with_node(graph, late))
    sees("reads a later one", "lstm")


def test_a_modified_step_has_nothing_lifted(monkeypatch):
    lifted = Node(Origin.LIFTED, (), "hidden_size", "f")
    broken(monkeypatch, "modify", lambda graph: with_node(graph, lifted))
    sees("lifted f at this stage", "lstm")


def test_after_hoist_no_product_of_x_is_left(monkeypatch):
    whole = pipeline.modified(cells()["lstm"](), Place(3, 4))
    broken(monkeypatch, "hoist", lambda _: Hoisted(whole, {}))
    sees("a product of x in the loop", "lstm")


def test_what_is_lifted_is_made_before_the_loop(monkeypatch):
    broken(monkeypatch, "hoist", lambda step: replace(step, biases={}))
    sees("lifted i, which nobody makes", "lstm")


def test_after_derive_nothing_is_made_of_vectors_alone(monkeypatch):
    monkeypatch.setattr(pipeline, "derive", lambda hoisted: hoisted)
    sees("is the same at every step", "lru")


def test_every_state_has_a_gradient(monkeypatch):
    def without_c(backward):
        left = {leaf: k for leaf, k in backward.graph.outputs.items() if leaf.name != "c"}
        return replace(backward, graph=Graph(backward.graph.nodes, left))

    broken(monkeypatch, "differentiate", without_c)
    sees("the state c has no gradient", "lstm")


def test_a_gradient_is_as_wide_as_its_state(monkeypatch):
    def narrow(backward):
        number = Node(Origin.CONST, (), "1", value=0.0)
        nodes = (*backward.graph.nodes, number)
        outputs = {**backward.graph.outputs, StepInput(Origin.STATE, "h"): len(nodes) - 1}
        return replace(backward, graph=Graph(nodes, outputs))

    broken(monkeypatch, "differentiate", narrow)
    sees("the gradient of h is not hidden_size wide", "lstm")


def test_no_product_is_made_again_for_the_gradient(monkeypatch):
    loop = pipeline.modified(cells()["lstm"](), Place(3, 4))
    with pytest.raises(AssertionError, match="a product of the step forward is made again"):
        verify.saving(loop, Saving((), pipeline.differentiate(loop)))
    monkeypatch.setattr(pipeline, "save", lambda _, backward: Saving((), backward))
    sees("lifted i at this stage", "lstm")


def test_a_saved_value_is_as_wide_as_what_is_saved(monkeypatch):
    broken(monkeypatch, "save", lambda chosen: replace(chosen, nodes=(0,) * len(chosen.nodes)))
    sees("wide", "projected_lstm")


def test_rows_are_read_after_the_stage_that_makes_them(monkeypatch):
    broken(monkeypatch, "cut", lambda stages: stages[::-1])
    sees("not there yet", "gru_reset_before")


def test_every_node_is_computed(monkeypatch):
    broken(monkeypatch, "cut", lambda stages: stages[:-1])
    sees("no stage computes", "gru_reset_before")


def changed(monkeypatch, loop, change):
    """Change the stores of one loop of a plan."""

    def store(plan):
        whole = getattr(plan, loop)
        return replace(plan, **{loop: replace(whole, stores=change(whole))})

    broken(monkeypatch, "store", store)


def without(kind):
    """Return stores but for those in buffers of a kind."""
    return lambda loop: {
        k: tuple(s for s in slots if s.buffer.kind is not kind) for k, slots in loop.stores.items()
    }


@pytest.mark.parametrize(
    ("cell", "loop", "kind"),
    [
        ("gru_reset_before", "forward", BufferKind.SCRATCH),
        ("gru_reset_before", "backward", BufferKind.ADJOINT),
        ("fast_grnn", "forward", BufferKind.SAVED),
        ("multiplicative_lstm", "backward", BufferKind.OPERAND),
    ],
)
def test_what_is_read_was_put_there(monkeypatch, cell, loop, kind):
    plan = getattr(lower(cell).plan, loop)
    assert any(s.buffer.kind is kind for slots in plan.stores.values() for s in slots)
    changed(monkeypatch, loop, without(kind))
    sees("is read, but nobody stores", cell)


@pytest.mark.parametrize("loop", ["forward", "backward"])
def test_what_is_put_away_is_read(monkeypatch, loop):
    """A value more is saved than the gradient reads; or an operand than a product has."""
    kind = {"forward": BufferKind.SAVED, "backward": BufferKind.OPERAND}[loop]
    slot = Slot(Buffer(kind, "hidden_size", "hidden_size"), Access.TIME, 7)
    changed(monkeypatch, loop, lambda whole: {**whole.stores, 2: (slot,)})
    sees("never read", "lstm")


def test_two_values_do_not_lie_in_one_place(monkeypatch):
    def both(loop):
        (a, slots), (b, _) = list(loop.stores.items())[:2]
        return {**loop.stores, a: slots, b: slots}

    changed(monkeypatch, "forward", both)
    sees("both lie in lifted", "lstm")


def test_nothing_is_put_where_is_still_read(monkeypatch):
    """Of the GRU: what its first stage saves, in the place of lifted n, which the second reads."""

    def early(loop):
        n = next(s for k, s in loop.loads.items() if loop.graph.nodes[k].name == "n")
        r = next(k for k, node in enumerate(loop.graph.nodes) if node.op == "sigmoid")
        others = {k: tuple(s for s in slots if s != n) for k, slots in loop.stores.items()}
        return {**others, r: (*others.get(r, ()), n)}

    changed(monkeypatch, "forward", early)
    sees("is still read there", "gru_reset_before")


def test_what_is_added_up_is_computed_once(monkeypatch):
    """Also where it is cheap, so that other stages compute it again."""

    def twice(plan):
        loop = plan.backward
        total = next(k for k, s in loop.stores.items() if any(x.access is Access.TOTAL for x in s))
        last = loop.stages[-1]
        stages = (*loop.stages, replace(last, groups=(), body=(total,)))
        return replace(plan, backward=replace(loop, stages=stages))

    broken(monkeypatch, "store", twice)
    sees("in 2 stages", "peephole_lstm")

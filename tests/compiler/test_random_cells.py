"""Random cells agree with their equations: outputs, states and every gradient.

A draw is one sweep of one cell with its own sizes, weights, masks and memory layout, gradients
included; see `random_cells`. Here 52 cells drawn by hypothesis have 40 draws each: 2,080 on the
compiled kernel, of which every eighth runs on the interpreter too. `benchmarks/agreement.py`
does the same at any scale.
"""

import random
from collections import Counter

import pytest
import random_cells as rc
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from penstock.cells import Place
from penstock.cells.modifiers import Modifiers
from penstock.compiler import pipeline
from penstock.compiler.ir.ops import OPS
from penstock.compiler.ir.plan import Access
from penstock.layers.running import eager

CELLS, DRAWS = 52, 40
SOME = [random.Random(seed) for seed in range(120)]
quickly = settings(
    max_examples=CELLS, deadline=None, derandomize=True, database=None, print_blob=False,
    suppress_health_check=[*HealthCheck],
)  # fmt: skip


@quickly
@given(st.randoms(use_true_random=False), st.integers(0, 2**31))
def test_agreement(rng, seed):
    source = rc.write(rng)
    note(source)
    cls = rc.define(source)
    draws = random.Random(seed)
    chosen = rc.variant(draws, cls)
    judged = 0
    for k in range(DRAWS):
        drawn = rc.draw(draws, cls, chosen)
        wanted = rc.results(drawn, eager.run)
        for backend in pipeline.find_backends() if k % 8 == 0 else ("c",):
            outcome = rc.judge(drawn, backend, wanted)
            message = f"{backend}, {chosen}: {outcome} in {drawn}"
            assert outcome.passed, message
            judged += outcome.excuse is None
    assert judged > DRAWS / 2, "most draws of this cell said nothing"


def graphs(rng):
    """Return the forward graph and the backward graph of a random cell."""
    stages = pipeline.lower(rc.define(rc.write(rng))(), Place(3, 4))
    return stages.hoisted.loop, stages.plan.backward.graph


def plans():
    """Yield plans of random cells, as they are and with layer norm."""
    for rng in (random.Random(seed) for seed in range(60)):
        cell = rc.define(rc.write(rng))()
        for modifiers in (Modifiers(), Modifiers(layer_norm=True)):
            yield pipeline.lower(cell, Place(3, 4, modifiers=modifiers)).plan


def test_what_is_added_up_over_the_steps_is_computed_once():
    """What is cheap may be computed in several stages, but a total would count it twice."""
    for loop in (plan.backward for plan in plans()):
        stages = Counter(k for stage in loop.stages for k in stage.body)
        totals = {
            k for k, slots in loop.stores.items() if any(s.access is Access.TOTAL for s in slots)
        }
        assert all(stages[k] == 1 for k in totals)


def test_where_a_maximum_was_is_read_not_computed_again():
    """Two ways to compute a value may differ in its last bit, and no number would be the most."""
    found = 0
    for plan in plans():
        forward = plan.forward.graph.nodes
        for k in (n.args[0] for n in forward if n.op == "amax"):
            stages = sum(k in stage.body for stage in plan.forward.stages)
            assert stages <= 1
            found += 1
        nodes = plan.backward.graph.nodes
        for value, most in (map(nodes.__getitem__, n.args) for n in nodes if n.op == "eq"):
            if most.op == "saved" and most.width == "1":
                assert value.is_input
    assert found


def test_the_cells_have_every_op_and_kind():
    """The generator would be worth little if it left out what can go wrong."""
    forward, backward = zip(*map(graphs, SOME), strict=True)
    used = {n.op for g in (*forward, *backward) for n in g.nodes}
    assert {*OPS, "linear", "lifted", "vector", "x", "features", "state"} <= used
    products = [sum(n.op == "linear" for n in g.nodes) for g in forward]
    assert 0 in products
    assert max(products) > 3
    assert {len(g.outputs) for g in forward} == {1, 2, 3, 4}
    assert max(depth(g) for g in forward) >= 3, "no chain of three products"


def depth(graph):
    """Return the longest chain of products."""
    depths = []
    for node in graph.nodes:
        before = max((depths[a] for a in node.args), default=0)
        depths.append(before + (node.op == "linear"))
    return max(depths)


def test_the_cells_use_the_whole_language():
    texts = [rc.write(random.Random(seed)) for seed in range(300)]
    for part in (
        "x=False", "h=False", "bias=False", "bias=1.0", "Vector()", "Matrix()", 'rows="width"',
        'columns="width"', "_below=None", "def output", "'width'}", "layer_norm", "softmax",
        'columns="input_size"', 'Vector(size="1")', "Vector(0.3)", ".T(", ") - self.q",
    ):  # fmt: skip
        assert any(part in text for text in texts), part


@pytest.mark.parametrize("backend", pipeline.find_backends())
@pytest.mark.parametrize("part", ["output", "final h", "gradient of x", "gradient of weight_hh"])
def test_the_comparison_sees_a_change(backend, part):
    """A result that is off by a thousandth of its norm is seen, in float32 too."""
    source = (
        "class RandomCell(Cell):\n    a = Gate()\n    width: int = 3\n"
        "    def step(self, x, h):\n        return torch.tanh(self.a(x, h))\n"
    )
    cls, rng = rc.define(source), random.Random(3)
    draws = (rc.draw(rng, cls, rc.Variant("float32")) for _ in range(50))
    drawn = next(
        d for d in draws if d.sweep.x.numel() and len(d.leaves) == len(d.sweep.weights) + 2
    )
    wanted = rc.results(drawn, eager.run)
    got = rc.results(drawn, rc.on(backend))
    assert rc.worst(got, wanted)[0] < rc.TOLERANCE["float32"]
    wanted[part] = wanted[part] * 1.001
    assert rc.worst(got, wanted) > (rc.TOLERANCE["float32"], part)


def test_a_shape_or_nan_is_seen():
    a, b = rc.torch.ones(3), rc.torch.full((3,), rc.math.nan)
    assert rc.worst({"a": a}, {"a": a[None]})[0] == rc.math.inf
    assert rc.worst({"a": b}, {"a": a})[0] == rc.math.inf

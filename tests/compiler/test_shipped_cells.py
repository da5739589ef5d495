"""Every shipped cell, compiled and interpreted, agrees with its equations, gradients included.

A draw is one sweep with its own sizes, weights, masks, direction and memory layout; see
`random_cells`.
"""

import random

import pytest
import random_cells as rc

from penstock.cells import Place, cells
from penstock.compiler import pipeline
from penstock.layers.running import eager

SHIPPED = sorted(n for n, c in cells().items() if c.__module__.startswith("penstock.cells."))
DRAWS = 8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SHIPPED)
def test_agreement(name, dtype):
    cls, rng = cells()[name], random.Random(name)
    judged = 0
    for k in range(DRAWS):
        drawn = rc.draw(rng, cls, rc.Variant(dtype, lowest=not cls.below or k % 2 == 0))
        wanted = rc.results(drawn, eager.run)
        for backend in pipeline.find_backends() if k < 2 else ("c",):
            outcome = rc.judge(drawn, backend, wanted)
            assert outcome.passed, f"{backend}: {outcome} in {drawn}"
            judged += outcome.excuse is None
    assert judged > DRAWS / 2, "most draws said nothing"


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("name", ["lru", "hgrn", "unicornn", "fast_grnn"])
def test_what_is_made_of_vectors_alone_leaves_the_loop(name, streaming):
    stages = pipeline.lower(cells()[name](), Place(3, 4), streaming=streaming)
    graph = stages.hoisted.loop
    moving = [n.op not in ("vector", "derived", "const") for n in graph.nodes]
    for node in graph.nodes:
        assert node.is_input or any(moving[a] for a in node.args), node
    made = {n.op for n in stages.hoisted.derived.nodes}
    assert made >= ({"exp", "cos", "sqrt"} if name == "lru" else {"vector"})

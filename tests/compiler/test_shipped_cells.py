"""Every shipped cell, compiled and interpreted, agrees with its equations, gradients included.

A draw is one sweep with its own sizes, weights, masks, direction and memory layout; see
`random_cells`.
"""

import random

import pytest
import random_cells as rc

from penstock.cells import cells
from penstock.layers import equations

SHIPPED = sorted(n for n, c in cells().items() if c.__module__.startswith("penstock.cells."))
DRAWS = 8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SHIPPED)
def test_agreement(name, dtype):
    cls, rng = cells()[name], random.Random(name)
    judged = 0
    for k in range(DRAWS):
        drawn = rc.draw(rng, cls, rc.Variant(dtype, lowest=not cls.below or k % 2 == 0))
        wanted = rc.results(drawn, equations.run)
        for backend in ("c", "interpreter") if k < 2 else ("c",):
            outcome = rc.judge(drawn, backend, wanted)
            assert outcome.passed, f"{backend}: {outcome} in {drawn}"
            judged += outcome.excuse is None
    assert judged > DRAWS / 2, "most draws said nothing"

"""The class of a recurrence, read off the graph, against the Jacobian of a real step."""

import pytest
import torch
from shipped import CELLS
from torch.func import jacrev

from penstock.cells import Cell, Gate, Matrix, Place
from penstock.compiler.ir.ops import OPS
from penstock.compiler.pipeline import Sweep, lower
from penstock.explain.recurrence import recurrence
from penstock.layers.running.eager import run

I, H = 3, 4


def jacobian(cell, weights, x, states):
    """Return ∂ new states / ∂ old states of one row, one matrix."""
    sizes = [len(s) for s in states]

    def step(flat):
        old = tuple(part[None] for part in flat.split(sizes))
        swept = run(Sweep(cell, Place(I, H), weights, x[None, None], old))
        return torch.cat([s[0] for s in swept.states])

    return jacrev(step)(torch.cat(states))


@pytest.mark.parametrize("name", CELLS)
def test_linear_and_elementwise_are_what_the_jacobian_shows(name):
    torch.manual_seed(0)
    cell = CELLS[name]()
    weights = {n: torch.randn(s).double() for n, s in cell.shapes(Place(I, H)).items()}
    x, sizes = torch.randn(I).double(), cell.state_sizes(H)
    states = [torch.randn(size).double() for size in sizes]
    first = jacobian(cell, weights, x, states)
    late = [not rows.any() for rows in first.split(sizes)]  # made of the input alone
    others = [
        s if is_late else torch.randn_like(s) for s, is_late in zip(states, late, strict=True)
    ]
    change = (jacobian(cell, weights, x, others) - first).split(sizes, dim=1)
    stages = lower(cell, Place(I, H))
    found = recurrence(stages)
    largest = max(c.abs().max() for c, is_late in zip(change, late, strict=True) if not is_late)
    assert found.linear == bool(largest < 1e-12)
    mixes_features = any(not n.is_input and n.op != "linear" and OPS[n.op].rowwise
                         for n in stages.hoisted.loop.nodes)  # fmt: skip
    if len({*sizes}) == 1 and not mixes_features:
        unit = torch.arange(sum(sizes)) % H
        between = first[unit[:, None] != unit[None, :]]
        assert (found.depth == 0) == bool((between == 0).all())


def test_the_depth_of_known_cells():
    known = {"lstm": "1 product", "gru": "1 product", "gru_reset_before": "chain of 2"}
    for name, kind in known.items():
        assert recurrence(lower(CELLS[name](), Place(I, H))).name == kind


class Leaky(Cell):
    """A linear recurrence: h = σ(W x) ⊙ h₋ + V x."""

    f, g = Gate(h=False), Gate(h=False)

    def step(self, x, h):
        return torch.sigmoid(self.f(x)) * h + self.g(x)


class Late(Cell):
    """A window of two inputs: linear in c, and v is the input of the step before."""

    states = ("c", "v")
    f, g, w = Gate(h=False), Gate(h=False), Gate(h=False)

    def step(self, x, c, v):
        return torch.sigmoid(self.f(x) + v) * c + torch.tanh(self.g(x) + v), self.w(x)


class Ind(Cell):
    """Elementwise, not linear."""

    f = Gate(h=False)

    def step(self, x, h):
        return torch.tanh(self.f(x) + 0.5 * h)


class Two(Cell):
    """Two products side by side."""

    states = ("h", "c")
    f, q = Gate(), Matrix()

    def step(self, x, h, c):
        return torch.tanh(self.f(x, h) + self.q(c)), h


@pytest.mark.parametrize(
    ("cell", "kind"),
    [(Leaky, "linear"), (Late, "linear"), (Ind, "elementwise"), (Two, "2 products")],
)
def test_classes(cell, kind):
    assert recurrence(lower(cell(), Place(I, H))).name == kind

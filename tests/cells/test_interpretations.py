"""What a declaration means stands in one place, which checks, graphs, text and tensors all read."""

import pytest
import torch
from torch.overrides import TorchFunctionMode

from penstock import Cell, Gate, Matrix, Vector
from penstock.cells import Place
from penstock.cells.check import probe
from penstock.cells.language import Interpretation, Multiplication
from penstock.compiler.passes.trace import trace
from penstock.compiler.pipeline import Sweep
from penstock.errors import CellError
from penstock.explain.equations import equations
from penstock.layers.running.eager import run

B, I, H = 2, 3, 4


class All(Cell):
    """One of each declaration."""

    states = ("h", "c")
    f, g = Gate(), Gate(x=False, bias=False)
    q, p = Matrix(rows="few"), Vector()
    few: int = 2

    def step(self, x, h, c, c_below=None):
        c = c + self.g(h) + self.q.T(self.q(self.p * c))
        c = c if c_below is None else c + c_below
        return torch.tanh(self.f(x, h)) + c, c


class Calls(TorchFunctionMode):
    """Notes torch's functions and the shapes that they are called with."""

    def __init__(self):
        super().__init__()
        self.noted = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        shapes = [tuple(a.shape) for a in args if isinstance(a, torch.Tensor)]
        self.noted.append((function.__name__, shapes))
        return function(*args, **(kwargs or {}))


def shapes():
    """The interpretation that checks."""
    with Calls() as calls:
        probe(All(), Place(I, H, lowest=False))
    return calls.noted


def nodes():
    """The compiler's."""
    return [str(node) for node in trace(All(), lowest=False, bias=True).nodes]


def terms():
    """The one that is printed."""
    return [equation.text for equation in equations(All(), lowest=False)]


def tensors():
    """The eager run."""
    g = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(shape, generator=g)  # noqa: E731
    weights = {name: draw(*shape) for name, shape in All().shapes(Place(I, H)).items()}
    states, below = (draw(B, H), draw(B, H)), (draw(1, B, H),)
    place = Place(I, H, lowest=False)
    swept = run(Sweep(All(), place, weights, draw(1, B, I), states, below))
    return [state.tolist() for state in swept.states]


READINGS = {"shapes": shapes, "nodes": nodes, "terms": terms, "tensors": tensors}


class Halved(Interpretation):
    """Reads a gate as if its state were not there, whoever asks."""

    def __init__(self, reading):
        self.reading = reading

    def total(self, terms):
        return self.reading.total(terms[:1])

    def vector(self, vector):
        return self.reading.vector(vector)


MEANINGS = {
    "a gate without its h": (Gate, "meaning", lambda of: lambda gate, by: of(gate, Halved(by))),
    "a vector twice": (Vector, "meaning", lambda of: lambda p, by: of(p, by) + of(p, by)),
    "no matrix is transposed": (Multiplication, "T", lambda _: property(lambda product: product)),
    "no state of a lower layer": (
        Interpretation, "step", lambda of: lambda by, x, states, *_: of(by, x, states)
    ),
}  # fmt: skip


@pytest.mark.parametrize("meaning", MEANINGS)
@pytest.mark.parametrize("reading", READINGS)
def test_another_meaning_is_another_meaning_for_all(meaning, reading, monkeypatch):
    owner, name, changed = MEANINGS[meaning]
    before = READINGS[reading]()
    monkeypatch.setattr(owner, name, changed(vars(owner)[name]))
    try:
        after = READINGS[reading]()
    except (CellError, RuntimeError):  # such shapes do not fit
        return
    assert after != before

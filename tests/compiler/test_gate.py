"""All that a kernel is handed, one by one, of the wrong kind: it is named, and no kernel runs."""

import pytest
import torch

from penstock.cells import Place, cells
from penstock.cells.modifiers import Modifiers
from penstock.compiler import pipeline
from penstock.compiler.pipeline import Kept, Sweep
from penstock.errors import ArgumentError
from penstock.layers.calling.masks import draw_masks

T, B, H = 3, 2, 5
CHANGED = Modifiers(training=True, zoneout=(("h", 0.5), ("c", 0.1)), recurrent_dropout=0.3)


def freed(tensor):
    copied = tensor.clone()
    copied.untyped_storage().resize_(0)
    return copied


def shrunk(tensor):
    copied = tensor.clone()
    copied.untyped_storage().resize_(tensor.nbytes - 1)
    return copied


WRONG = {
    "dtype": lambda t: t.to(torch.int32),
    "shape": lambda t: t[..., :1],
    "device": lambda t: t.to("meta"),
    "layout": torch.Tensor.to_sparse,
    "freed": freed,
    "shrunk": shrunk,
}
FORWARD = [
    ("x", "x is"), ("states", "state h is"), ("below", "state c of the layer below is"),
    ("masks", "the mask of"), ("weights", "weight_hh is"), ("valid", "valid is"),
    ("reset", "reset is"),
]  # fmt: skip
BACKWARD = [
    ("kept states", "state h is"), ("saved", "what was saved is"),
    ("gradient", "the gradient of h is"),
]  # fmt: skip


@pytest.fixture(scope="module")
def sweep():
    """A sweep of an upper layer, with all that a sweep may have."""
    torch.manual_seed(0)
    cell, place = cells()["depth_gated_lstm"](), Place(H, H, lowest=False, modifiers=CHANGED)
    x, state = torch.randn(T, B, H), torch.randn(B, H)
    weights = {name: torch.randn(*shape) for name, shape in cell.shapes(place).items()}
    masks = draw_masks(CHANGED, {"h": H, "c": H}, x)
    steps = torch.ones(T, B, dtype=torch.bool)
    below = tuple(torch.randn(T, B, H) for _ in cell.below)
    return Sweep(cell, place, weights, x, (state, state), below, steps, steps, False, "", masks)


@pytest.fixture(scope="module", params=["c", "interpreter"])
def program(request, sweep):
    return pipeline.program(sweep.cell, sweep.place, True, "float32", request.param)


def with_one(sweep, what, change):
    """Return a sweep in which one tensor, of its kind the first, is changed."""
    given = getattr(sweep, what)
    if isinstance(given, torch.Tensor):
        return sweep._replace(**{what: change(given)})
    if isinstance(given, tuple):
        return sweep._replace(**{what: (change(given[0]), *given[1:])})
    name = "weight_hh" if what == "weights" else next(iter(given))
    return sweep._replace(**{what: {**given, name: change(given[name])}})


def complaint(named, wrong):
    """Return what the error says: the tensor's name, and for some why."""
    name = named.removesuffix(" is")
    return {"shrunk": f"{name}.*smaller", "freed": name}.get(wrong, f"{named} .*it must be")


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("what", "named"), FORWARD, ids=[what for what, _ in FORWARD])
def test_forward(program, sweep, what, named, wrong):
    with pytest.raises(ArgumentError, match=complaint(named, wrong)):
        program.forward(with_one(sweep, what, WRONG[wrong]), keep=True)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("what", "named"), BACKWARD, ids=[what for what, _ in BACKWARD])
def test_backward(program, sweep, what, named, wrong):
    kept, ones = program.forward(sweep, keep=True), torch.ones(T, B, H)
    states, saved, change = kept.states, kept.saved, WRONG[wrong]
    if what == "kept states":
        states = (change(states[0]), *states[1:])
    elif what == "saved":
        saved = change(saved)
    else:
        ones = change(ones)
    nothing = {"h": None, "c": None}
    with pytest.raises(ArgumentError, match=complaint(named, wrong)):
        program.backward(sweep, Kept(states, saved), {"h": ones, "c": None}, nothing, True)


@pytest.mark.parametrize("wrong", WRONG)
def test_bind(program, sweep, wrong):
    twice = tuple(torch.stack([s] * (T + 1)) for s in sweep.states)
    changed = WRONG[wrong](twice[0]), *twice[1:]
    with pytest.raises(ArgumentError, match=complaint("state h is", wrong)):
        program.bind(sweep._replace(states=changed))

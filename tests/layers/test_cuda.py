"""Layers on a CUDA device, beside torch.nn there and beside themselves on the CPU."""

import pytest
import torch

import penstock
from penstock.errors import ArgumentError
from penstock.layers.running import native

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.manual_seed(0)


def gradients(layer, x, output):
    weights = [x, *layer.parameters()]
    return torch.autograd.grad(output.square().sum(), weights, allow_unused=True)


@pytest.mark.parametrize("cell", penstock.cells())
@pytest.mark.parametrize("masked", [False, True])
def test_same_as_on_the_cpu(cell, masked):
    layer = penstock.Recurrent(cell, 5, 7, num_layers=2, bidirectional=True)
    x = torch.randn(6, 3, 5)
    masks = {"lengths": torch.tensor([6, 2, 4]), "reset": torch.rand(6, 3) < 0.3} if masked else {}
    with penstock.backend("eager"):
        there = x.clone().requires_grad_()
        wanted, _ = layer(there, **masks)
        wanted_gradients = gradients(layer, there, wanted)
    layer.cuda()
    here = x.cuda().requires_grad_()
    given, _ = layer(here, **{name: mask.cuda() for name, mask in masks.items()})
    torch.testing.assert_close(given.cpu(), wanted, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(gradients(layer, here, given), wanted_gradients, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_dropin_takes_cudnn(name):
    theirs = getattr(torch.nn, name)(16, 32, num_layers=2, bidirectional=True, device="cuda")
    ours = getattr(penstock, name)(16, 32, num_layers=2, bidirectional=True, device="cuda")
    ours.load_state_dict(theirs.state_dict())
    assert native.has(type(ours.cell))
    x = torch.randn(20, 4, 16, device="cuda", requires_grad=True)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0], atol=1e-5, rtol=1e-4)
    for own, other in zip(
        gradients(ours, x, ours(x)[0]), gradients(theirs, x, theirs(x)[0]), strict=True
    ):
        torch.testing.assert_close(own, other, atol=1e-4, rtol=1e-3)


def test_a_step_from_another_device():
    x = torch.ones(2, 3)
    on_cpu, there = (penstock.Recurrent("gru", 3, 5, device=d).stream(2) for d in ("cpu", "cuda"))
    for stream, wrong, right in ((on_cpu, x.cuda(), x), (there, x, x.cuda())):
        with pytest.raises(ArgumentError, match="x is"):
            stream.step(wrong)
        stream.step(right)

"""Where values lie: nothing is overwritten that is still read, and nothing lies in two hands."""

import pytest
import torch

import penstock
from penstock.cells import Cell, Gate
from penstock.compiler import pipeline


class SquaredDeviation(Cell):
    """Its product is put away, whole, while twice the product of x is still to be made."""

    z = Gate(h=False, bias=False)
    u = Gate(x=False, bias=False)

    def step(self, x, h):
        a = self.u(h)
        deviation = a - a.mean(-1, keepdim=True)
        twice = self.z(x) * 2
        return torch.tanh(1 + h + deviation * deviation + twice.mean(-1, keepdim=True))


@pytest.mark.parametrize("backend", pipeline.find_backends())
def test_a_product_takes_no_place_that_is_still_read(backend):
    torch.manual_seed(0)
    layer = penstock.Recurrent(SquaredDeviation, 3, 5).double()
    x = torch.randn(6, 2, 3, dtype=torch.float64, requires_grad=True)
    wanted = [x, *layer.parameters()]
    found = {}
    for name in (backend, "eager"):
        with penstock.backend(name):
            y = layer(x)[0]
        found[name] = [y.detach(), *torch.autograd.grad(y.cos().sum(), wanted)]
    for ours, theirs in zip(found[backend], found["eager"], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", pipeline.find_backends())
def test_two_biases_of_one_gradient_do_not_share_its_memory(backend):
    layer = penstock.Recurrent("rnn", 3, 5, layer_norm=True)
    with penstock.backend(backend):
        layer(torch.randn(6, 2, 3))[0].sum().backward()
    first, second = (p.grad for n, p in layer.named_parameters() if "bias_" in n)
    before = second.clone()
    assert torch.equal(first, before)
    first.zero_()
    assert before.any()
    assert torch.equal(second, before)

"""What torch can do to a layer: compile and export it whole, differentiate it twice, vmap it."""

import pytest
import torch
from torch.autograd import forward_ad

import penstock

CELLS = sorted(n for n, c in penstock.cells().items() if c.__module__.startswith("penstock."))


@pytest.fixture(autouse=True)
def fresh():
    torch.manual_seed(0)
    torch.compiler.reset()


def layer_and_input(cell, dtype=torch.float64, **options):
    if cell == "projected_lstm":
        options["proj_size"] = 2
    layer = penstock.Recurrent(cell, 2, 3, dtype=dtype, **options)
    return layer, torch.randn(3, 2, 2, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("cell", CELLS)
def test_gradient_of_the_gradient(cell):
    layer, x = layer_and_input(cell, num_layers=2)

    def function(x, *weights):
        named = dict(zip(dict(layer.named_parameters()), weights, strict=True))
        return torch.func.functional_call(layer, named, (x,))[0]

    assert torch.autograd.gradcheck(function, (x, *layer.parameters()))
    assert torch.autograd.gradgradcheck(function, (x, *layer.parameters()))


@pytest.mark.parametrize("cell", CELLS)
def test_functional_transforms(cell):
    layer, x = layer_and_input(cell)
    x, v = x.detach(), torch.randn_like(x)
    _, tangent = torch.func.jvp(lambda x: layer(x)[0], (x,), (v,))
    nearby = (layer(x + 1e-6 * v)[0] - layer(x - 1e-6 * v)[0]) / 2e-6
    torch.testing.assert_close(tangent, nearby, atol=1e-7, rtol=1e-6)
    with forward_ad.dual_level():
        dual = layer(forward_ad.make_dual(x, v))[0]
        torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, tangent)
    many = torch.randn(4, *x.shape, dtype=x.dtype)
    each = torch.stack([layer(one)[0] for one in many])
    torch.testing.assert_close(torch.vmap(lambda x: layer(x)[0])(many), each)


@pytest.mark.parametrize("cell", CELLS)
def test_compiled_whole(cell):
    layer, x = layer_and_input(cell, torch.float32, num_layers=2, bidirectional=True)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    wanted = [x, *layer.parameters()]
    given, expected = compiled(x)[0], layer(x)[0]
    torch.testing.assert_close(given, expected)
    ours, theirs = (
        torch.autograd.grad(y.square().sum(), wanted, allow_unused=True) for y in (given, expected)
    )
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_compiled_with_lengths_and_resets():
    layer, x = layer_and_input("gru", torch.float32)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    masks = {"lengths": torch.tensor([3, 1]), "reset": torch.tensor([[False, True]] * 3)}
    torch.testing.assert_close(compiled(x, **masks)[0], layer(x, **masks)[0])


@pytest.mark.parametrize("layer", [penstock.Recurrent("elman", 2, 3), penstock.LSTM(2, 3)], ids=str)
def test_exported(layer):
    x = torch.randn(4, 2, 2)
    program = torch.export.export(layer, (x,))
    torch.testing.assert_close(program.module()(x)[0], layer(x)[0])
    operators = {str(node.target) for node in program.graph.nodes}
    assert "penstock.sweep.default" in operators, "the sweep is one operator"


def test_autocast_runs_in_lower_precision():
    layer, x = layer_and_input("lstm", torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = layer(x)
    torch.testing.assert_close(output.float(), layer(x)[0], atol=0.05, rtol=0.05)


def test_backward_twice_over_one_graph():
    layer, x = layer_and_input("lstm", torch.float32)
    output, _ = layer(x)
    first = torch.autograd.grad(output.sum(), x, retain_graph=True)
    second = torch.autograd.grad(output.sum(), x)
    assert torch.equal(first[0], second[0])


def test_a_result_changed_in_place_is_an_error_not_a_wrong_gradient():
    layer, x = layer_and_input("rnn", torch.float32)
    output, _ = layer(x)
    with torch.no_grad():
        output.mul_(2)
    with pytest.raises(RuntimeError, match="inplace"):
        output.sum().backward()


def test_weights_changed_between_calls_are_seen():
    """What is kept between calls in inference follows every way of changing a weight."""
    layer, x = layer_and_input("lstm", torch.float32)
    changes = [
        lambda w: w.add_(0.1),
        lambda w: w.data.mul_(0.9),
        lambda w: setattr(w, "data", torch.randn_like(w)),
        lambda w: w.copy_(torch.randn_like(w)),
    ]
    with torch.no_grad():
        for change in changes:
            layer(x)
            change(layer.weight_hh_l0)
            with penstock.backend("eager"):
                wanted = layer(x)[0]
            torch.testing.assert_close(layer(x)[0], wanted)

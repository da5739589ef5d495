"""What does not fit is an error where torch itself runs the equations, too, and would not ask."""

import pytest
import torch
from torch import nn

import penstock
from penstock.errors import ArgumentError
from penstock.layers.running import fitting

T, B, I, H = 4, 2, 3, 5
WRONG = {
    "one number": lambda w: w.flatten()[:1],
    "one row": lambda w: w[:1],
    "another dimension": lambda w: w[None],
    "another dtype": torch.Tensor.double,
    "whole numbers": torch.Tensor.int,
    "meta": lambda w: w.to("meta"),
    "sparse": torch.Tensor.to_sparse,
}
LAYERS = {
    "torch's": ("lstm", {}),
    "with a vector": ("peephole_lstm", {}),
    "with a matrix": ("scrn", {}),
    "with an output": ("lru", {}),
    "modified": ("lstm", {"layer_norm": True}),
}
every_way = pytest.mark.parametrize("way", ["bfloat16", "half", "eager"])


def make(way, cell="lstm", **options):
    """Return a layer that the equations run, or torch's own operator, and an input."""
    torch.manual_seed(0)
    dtype = {"bfloat16": torch.bfloat16, "half": torch.half}.get(way, torch.float32)
    return penstock.Recurrent(cell, I, H, dtype=dtype, **options), torch.randn(T, B, I).to(dtype)


def backend(way):
    return penstock.backend("eager" if way == "eager" else "auto")


@every_way
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize(("cell", "options"), LAYERS.values(), ids=LAYERS)
def test_a_weight_that_does_not_fit(cell, options, wrong, way):
    for name in make(way, cell, **options)[0]._parameters:
        layer, x = make(way, cell, **options)
        layer._parameters[name] = wrong(getattr(layer, name).detach())
        message = rf"{name[:-3]} is .*it must be|the input is .*weights are"
        with backend(way), pytest.raises(ArgumentError, match=message):
            layer(x)
        with pytest.raises(ArgumentError, match=r"is .*it must be"):  # as the first of the weights
            layer.stream(B)


@every_way
@pytest.mark.parametrize(
    "wrong", [lambda s: s[:1], lambda s: s[:, :1], lambda s: torch.cat([s, s]), torch.Tensor.double]
)
def test_a_learned_state_that_does_not_fit(wrong, way):
    for name in ("initial_h", "initial_c"):
        layer, x = make(way, trainable_state=True, num_layers=2)
        layer._parameters[name] = wrong(getattr(layer, name).detach())
        with backend(way), pytest.raises(ArgumentError, match=f"{name} is .*it must be .*of shape"):
            layer(x)
        with pytest.raises(ArgumentError, match=f"{name} is .*it must be .*of shape"):
            layer.stream(B)


@every_way
@pytest.mark.parametrize("connection", ["residual", "highway"])
def test_a_projection_that_does_not_fit(connection, way):
    for part in ("projection", "gate") if connection == "highway" else ("projection",):
        layer, x = make(way, projection_size=I, connection=connection)
        linear = getattr(layer.connections[0], part)
        linear.weight = nn.Parameter(linear.weight[:1].detach())
        linear.bias = None
        with backend(way), pytest.raises(ArgumentError, match=f"{part} gives 1 features"):
            layer(x)
        with pytest.raises(ArgumentError, match=f"{part} gives 1 features"):
            layer.stream(B).step(x[0])


def test_dtypes_may_differ_under_autocast_alone():
    x, weight = torch.ones(2), torch.ones(2).double()
    with torch.autocast("cpu", torch.bfloat16):
        fitting.check("w", weight, (2,), x)
        with pytest.raises(ArgumentError, match=r"w is .* \[2\].*it must be .* \[3\]"):
            fitting.check("w", weight, (3,), x)
    with pytest.raises(ArgumentError, match=r"w is torch\.float64"):
        fitting.check("w", weight, (2,), x)


@every_way
@pytest.mark.parametrize("options", [{}, {"zoneout": 0.1}, {"num_layers": 2}], ids=str)
@pytest.mark.parametrize("cell", ["gru", "lstm", "lru", "depth_gated_lstm"])
def test_no_steps_have_gradients(cell, options, way):
    layer, x = make(way, cell, **options)
    x = x[:0].requires_grad_()
    with backend(way):
        output, state = layer(x)
    output.sum().backward()
    assert output.shape == (0, B, layer.output_size)
    assert x.grad.shape == x.shape
    assert all(not s.any() for s in (state if isinstance(state, tuple) else (state,)))
    assert any(p.grad is not None for p in layer.parameters())
    assert not any(p.grad.any() for p in layer.parameters() if p.grad is not None)


@every_way
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("cell", ["lstm", "projected_lstm", "gru"])
def test_all_states_are_all(cell, options, way):
    layer, x = make(way, cell, **options)
    with backend(way):
        _, state, every = layer(x, all_states=True)
    assert isinstance(every, tuple) == isinstance(state, tuple)
    if isinstance(every, tuple):
        assert len(every) == len(state)
        for steps, last in zip(every, state, strict=True):
            assert steps.shape == (len(last), T, *last.shape[1:])
            assert torch.equal(steps[0, -1], last[0])

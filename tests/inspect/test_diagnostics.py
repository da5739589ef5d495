"""Diagnostics against closed forms and numpy in float64."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import penstock
from penstock.cells import Cell, Gate, cells
from penstock.errors import ArgumentError
from penstock.inspect.clipping import descend
from penstock.inspect.gates import gate_statistics, trace
from penstock.inspect.gradients import Flow, loss_flow, state_flow, unroll
from penstock.inspect.probing import probe
from penstock.inspect.pruning import prune, pruning_curve
from penstock.inspect.span import Effects, input_effects

T, B, I, H = 12, 3, 2, 4
SHIPPED = sorted(n for n, c in cells().items() if c.__module__.startswith("penstock.cells."))


@pytest.fixture(scope="module")
def linear():
    """The name of a linear RNN, h = W x + U h₋; no other test module shall find the class."""

    class Linear(Cell):
        """h = W x + U h₋."""

        a = Gate(bias=False)

        def step(self, x, h):
            return self.a(x, h)

    return Linear


def make(cell, seed=0, **options):
    torch.manual_seed(seed)
    layer = penstock.Recurrent(cell, I, H, dtype=torch.float64, **options).eval()
    return layer, torch.randn(T, B, I, dtype=torch.float64)


def set_recurrence(layer, matrix):
    layer.get_parameter("weight_hh_l0").data.copy_(torch.as_tensor(matrix, dtype=torch.float64))


@pytest.mark.parametrize("radius", [0.5, 1.0, 1.3])
def test_the_growth_of_a_linear_recurrence_is_its_spectral_radius(linear, radius):
    layer, x = make(linear)
    set_recurrence(layer, radius * np.linalg.qr(np.random.default_rng(1).normal(size=(H, H)))[0])
    flow = state_flow(layer, x)
    np.testing.assert_allclose(flow.norms, [2 * radius**k for k in range(T)], rtol=1e-9)
    assert flow.growth == pytest.approx(radius, rel=1e-9)
    estimate = state_flow(layer, x, probes=3)  # fewer than H: by random products
    assert estimate.growth == pytest.approx(radius, rel=0.15)


def test_norms_by_random_products():
    matrix = torch.tensor(np.random.default_rng(2).normal(size=(64, 64)))
    x = torch.zeros(1, 64, dtype=torch.float64, requires_grad=True)
    (exact,) = probe(x @ matrix, [x], 64)
    (estimate,) = probe(x @ matrix, [x], 40)
    assert float(exact.norm()) == pytest.approx(float(matrix.norm()), rel=1e-12)
    assert float(estimate.norm()) == pytest.approx(float(matrix.norm()), rel=0.05)


def test_norms_of_a_diagonal_recurrence(linear):
    layer, x = make(linear)
    diagonal = np.array([0.9, 0.5, -0.7, 0.1])
    set_recurrence(layer, np.diag(diagonal))
    w = layer.get_parameter("weight_ih_l0").detach().numpy()
    powers = [diagonal**k for k in range(T)]
    norms = [np.sqrt((p**2).sum()) for p in powers]
    np.testing.assert_allclose(state_flow(layer, x).norms, norms, rtol=1e-12)
    effects = [np.linalg.norm(p[:, None] * w) for p in powers]
    np.testing.assert_allclose(input_effects(layer, x).effects, effects, rtol=1e-12)
    loss = loss_flow(layer, lambda net: net(x)[0][-1].sum())
    np.testing.assert_allclose(loss.norms, norms, rtol=1e-12)


@pytest.mark.parametrize("batch_first", [False, True])
def test_rows_of_unequal_length_are_aligned_at_their_ends(linear, batch_first):
    layer, x = make(linear, batch_first=batch_first)
    diagonal = np.array([0.9, 0.5, -0.7, 0.1])
    set_recurrence(layer, np.diag(diagonal))
    lengths = torch.tensor([T, 5, 9])
    x = x.transpose(0, 1) if batch_first else x
    wanted = [np.sqrt((diagonal ** (2 * k)).sum()) for k in range(T)]
    np.testing.assert_allclose(state_flow(layer, x, lengths=lengths).norms, wanted, rtol=1e-12)
    alone = input_effects(layer, x[:1] if batch_first else x[:, :1])
    effects = input_effects(layer, x, lengths=lengths).effects
    np.testing.assert_allclose(effects, alone.effects, rtol=1e-9)

    def loss(net):
        output, _ = net(x, lengths=lengths)
        steps = output.transpose(0, 1) if batch_first else output
        return steps[lengths - 1, torch.arange(B)].sum()

    np.testing.assert_allclose(loss_flow(layer, loss).norms, wanted, rtol=1e-12)


@pytest.mark.parametrize("a", [0.5, 0.9])
@pytest.mark.parametrize("share", [1 / math.e, 0.01])
def test_the_span_of_a_leaky_integrator(linear, a, share):
    """h = a h₋ + (1 − a) x forgets as aᵏ, so that the span is ln(share) / ln(a)."""
    layer = penstock.Recurrent(linear, 1, 1, dtype=torch.float64)
    set_recurrence(layer, [[a]])
    layer.get_parameter("weight_ih_l0").data.fill_(1 - a)
    x = torch.randn(60, 2, 1, dtype=torch.float64)
    span = input_effects(layer, x).span(share)
    assert span == pytest.approx(math.log(share) / math.log(a), rel=1e-9)
    assert input_effects(layer, x[:2]).span(0.01) == math.inf


def test_the_span_of_odd_effects():
    assert Effects((0.0, 1.0, 0.5, 0.25)).span(0.5) == 2.0
    assert Effects((1.0, 0.0, 0.0)).span() == 0.0
    assert Effects((0.0, 0.0)).span() == 0.0
    assert Effects((1.0, 0.1, 0.9, 0.1)).span(0.5) > 2  # under it for good
    assert math.isnan(Flow((1.0, 0.0, 0.0)).growth)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_cell_unrolled_is_the_layer_itself(name):
    layer, x = make(name, num_layers=2)
    output, state = layer(x)
    found = unroll(layer, x)
    torch.testing.assert_close(found.output, output)
    states = (state,) if isinstance(state, torch.Tensor) else state
    torch.testing.assert_close(found.states[-1], tuple(states))
    assert len(state_flow(layer, x, probes=2).norms) == T
    assert len(loss_flow(layer, lambda net: net(x)[0].sum()).norms) == T
    values = trace(layer, x)
    torch.testing.assert_close(values[1][layer.cell.states[0]][-1], states[0][1])


def sigma(a):
    return 1 / (1 + np.exp(-a))


def test_gates_of_an_lstm():
    layer, x = make("lstm", bidirectional=True)
    found = trace(layer, x)
    for direction, suffix in enumerate(("l0", "l0_reverse")):
        w, u, b, b_ = (
            layer.get_parameter(f"{name}_{suffix}").detach().numpy()
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        h, c = np.zeros((B, H)), np.zeros((B, H))
        for t in range(T)[:: -1 if direction else 1]:
            i, f, g, o = np.split(x[t].numpy() @ w.T + h @ u.T + b + b_, 4, axis=1)
            c = sigma(f) * c + sigma(i) * np.tanh(g)
            h = sigma(o) * np.tanh(c)
            values = {"i": sigma(i), "f": sigma(f), "g": np.tanh(g), "o": sigma(o), "h": h, "c": c}
            assert {*found[direction]} == {*values}
            for name, value in values.items():
                np.testing.assert_allclose(found[direction][name][t], value, rtol=1e-10)


def test_statistics_of_gates():
    gate = torch.tensor([[[0.05, 0.5]], [[0.95, 0.5]], [[0.99, 0.5]], [[0.01, 0.5]]])
    found = gate_statistics({"f": gate, "g": gate - 0.5})
    assert list(found) == ["f"]
    torch.testing.assert_close(found["f"].mean, torch.tensor([0.5, 0.5]))
    assert found["f"].near_zero.tolist() == [0.5, 0]
    assert found["f"].near_one.tolist() == [0.5, 0]


def test_pruning_of_a_small_network():
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    values = [[[0.1, -4.0], [3.0, 0.2]], [0.01, 0.02], [[-0.3, 5.0]], [0.03]]
    for parameter, value in zip(network.parameters(), values, strict=True):
        parameter.data.copy_(torch.tensor(value))
    half = list(prune(network, 0.5).parameters())
    torch.testing.assert_close(half[0].data, torch.tensor([[0.0, -4.0], [3.0, 0.0]]))
    torch.testing.assert_close(half[1].data, torch.tensor([0.01, 0.02]))
    torch.testing.assert_close(half[2].data, torch.tensor([[0.0, 5.0]]))

    def largest(net):
        return max(float(p.detach().abs().max()) for p in net.parameters())

    curve = pruning_curve(network, largest, (0.0, 0.5, 1.0))
    assert [p.left for p in curve] == [9, 6, 3]
    assert [p.bytes for p in curve] == [36, 25, 13]
    assert [p.quality for p in curve] == pytest.approx([5.0, 5.0, 0.03])
    assert network[0].weight[0, 0].item() == pytest.approx(0.1)


def test_norms_and_clipping_of_a_descent():
    """loss = w · batch: the gradient is the batch, and w moves by the clipped one."""
    network = nn.Linear(2, 1, bias=False)
    network.weight.data.zero_()
    batches = [torch.tensor([[3.0, 4.0]]), torch.tensor([[0.3, 0.4]])]

    def loss(net, batch):
        return net(batch).sum()

    still = descend(network, loss, batches)
    assert still.norms == pytest.approx([5, 0.5])
    assert [still.clipped(at) for at in (0.1, 1, 10)] == [1, 0.5, 0]
    assert descend(network, loss, batches, rate=1).losses == pytest.approx([0, -2.5])
    assert descend(network, loss, batches, rate=1, clip=1).losses == pytest.approx([0, -0.5])
    assert not network.weight.any()


def test_what_cannot_be_looked_into(linear):
    layer, x = make(linear, bidirectional=True)
    changed, _ = make("gru", zoneout=0.1)
    one, _ = make(linear)
    for call, message in (
        (lambda: state_flow(layer, x), "one direction"),
        (lambda: state_flow(one, x[0]), "padded batch"),
        (lambda: state_flow(one, x, probes=0), "at least 1"),
        (lambda: loss_flow(one, lambda _: x.sum()), "never called"),
        (lambda: loss_flow(nn.Linear(1, 1), lambda _: x.sum()), "no penstock.Recurrent"),
        (lambda: trace(changed, x), "modifiers"),
        (lambda: input_effects(one, x).span(2), "between 0 and 1"),
        (lambda: prune(one, 2), "between 0 and 1"),
        (lambda: descend(one, lambda *_: x.sum(), []), "no batch"),
        (lambda: descend(one, lambda *_: x.sum(), [], clip=0), "above 0"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()

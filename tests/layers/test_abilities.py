"""What a layer can do beside running a cell: modifiers, merging, checkpoints, initialisers."""

import math

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import penstock
from penstock.compiler import pipeline
from penstock.errors import ArgumentError

T, B, I, H = 7, 3, 4, 5


def double(cell="lstm", **options):
    torch.manual_seed(0)
    return penstock.Recurrent(cell, I, H, dtype=torch.float64, **options)


def draw(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def arrays(layer):
    return {name: p.detach().numpy() for name, p in layer.named_parameters()}


def lstm_in_numpy(layer, x, change=None, **options):
    """A layer of LSTM written from the papers: every modifier in its own words."""
    p = arrays(layer)
    x = x.numpy()
    h = c = np.zeros((x.shape[1], H))
    outputs = []
    clip_gates, clip_state = options.get("clip_gates", 0), options.get("clip_state", 0)
    for t in range(len(x)):
        read = h * options.get("read_mask", 1)
        wx, uh = x[t] @ p["weight_ih_l0"].T, read @ p["weight_hh_l0"].T
        if options.get("layer_norm"):
            gains = [
                np.concatenate([p[f"weight_gain_{s}_{g}_l0"] for g in "ifgo"]) for s in ("ih", "hh")
            ]
            wx, uh = (
                gain * (a - a.mean(1, keepdims=True)) / np.sqrt(a.var(1, keepdims=True) + 1e-5)
                for gain, a in zip(gains, (wx, uh), strict=True)
            )
        a = wx + uh + p["bias_ih_l0"] + p["bias_hh_l0"]
        a = np.clip(a, -clip_gates, clip_gates) if clip_gates else a
        i, f, g, o = np.split(a, 4, axis=1)
        new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        new_c = np.clip(new_c, -clip_state, clip_state) if clip_state else new_c
        seen = new_c
        if options.get("layer_norm"):
            z = (seen - seen.mean(1, keepdims=True)) / np.sqrt(seen.var(1, keepdims=True) + 1e-5)
            seen = p["weight_gain_c_l0"] * z + p["weight_shift_c_l0"]
        new_h = sigmoid(o) * np.tanh(seen)
        mix = options.get("zoneout", {})
        keep_h, keep_c = (m[t] if np.ndim(m) else m for m in (mix.get("h", 0.0), mix.get("c", 0.0)))
        h, c = keep_h * h + (1 - keep_h) * new_h, keep_c * c + (1 - keep_c) * new_c
        outputs.append(h)
    return np.stack(outputs)


MODIFIED = {
    "layer norm": {"layer_norm": True},
    "clipped gates": {"clip_gates": 0.3},
    "clipped state": {"clip_state": 0.1},
    "zoneout in evaluation": {"zoneout": {"h": 0.1, "c": 0.5}},
}


@pytest.mark.parametrize("backend", [*pipeline.find_backends(), "eager"])
@pytest.mark.parametrize("options", MODIFIED.values(), ids=MODIFIED)
def test_modifiers_against_numpy(options, backend):
    layer, x = double(**options).eval(), draw(T, B, I)
    with torch.no_grad():
        for name, p in layer.named_parameters():  # gains and shifts away from 1 and 0
            p.add_(0.3 * draw(*p.shape) if "gain" in name or "shift" in name else 0)
    with penstock.backend(backend):
        output, _ = layer(x)
    np.testing.assert_allclose(
        output.detach().numpy(), lstm_in_numpy(layer, x, **options), atol=1e-12
    )


class Recorded:
    """Keeps the masks that a layer draws."""

    def __init__(self, layer):
        self.masks, draws = [], layer._masks

        def record(*args):
            self.masks.append(draws(*args))
            return self.masks[-1]

        layer._masks = record


def test_zoneout_in_training_against_numpy():
    layer, x = double(zoneout={"h": 0.4, "c": 0.7}), draw(T, B, I)
    recorded = Recorded(layer)
    output, _ = layer(x)
    (masks,) = recorded.masks
    mix = {state: masks[f"zoneout.{state}"].numpy() for state in ("h", "c")}
    np.testing.assert_allclose(
        output.detach().numpy(), lstm_in_numpy(layer, x, zoneout=mix), atol=1e-12
    )


def test_recurrent_dropout_against_numpy():
    layer, x = double(recurrent_dropout=0.5), draw(T, B, I)
    recorded = Recorded(layer)
    output, _ = layer(x)
    mask = recorded.masks[0]["dropout"].numpy()
    assert set(np.unique(mask)) == {0.0, 2.0}
    np.testing.assert_allclose(
        output.detach().numpy(), lstm_in_numpy(layer, x, read_mask=mask), atol=1e-12
    )
    plain = layer.eval()(x)[0].detach().numpy()
    np.testing.assert_allclose(plain, lstm_in_numpy(layer, x), atol=1e-12)


ALL = {
    "zoneout": 0.2, "recurrent_dropout": 0.3, "layer_norm": True, "clip_gates": 1.0,
    "clip_state": 0.5, "input_dropout": 0.2, "weight_drop": 0.3,
}  # fmt: skip


@pytest.mark.parametrize("cell", ["lstm", "gru_reset_before", "peephole_lstm"])
@pytest.mark.parametrize("training", [True, False])
def test_modified_kernels_agree_with_the_graph(cell, training):
    layer = double(cell, num_layers=2, bidirectional=True, **ALL).train(training)
    x = draw(T, B, I).requires_grad_()
    reset, found = torch.rand(T, B) < 0.2, []
    for backend in ("c", "eager"):
        torch.manual_seed(1)
        with penstock.backend(backend):
            output, state = layer(x, lengths=[T, 4, 1], reset=reset)
        loss = output.sin().sum() + sum(s.cos().sum() for s in penstock_states(state))
        found.append([output, *torch.autograd.grad(loss, [x, *layer.parameters()])])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=1e-9)


def penstock_states(state):
    return state if isinstance(state, tuple) else (state,)


def test_modified_second_derivatives_and_compile():
    layer, x = double("lstm", layer_norm=True, zoneout=0.3), draw(3, 2, I).requires_grad_()

    def run(x):
        torch.manual_seed(3)
        return layer(x)[0]

    assert torch.autograd.gradgradcheck(run, (x,), atol=1e-6)
    compiled = torch.compile(layer.eval(), fullgraph=True)
    torch.testing.assert_close(compiled(x)[0], layer(x)[0])


def test_masks_have_their_statistics_and_follow_torchs_generator():
    layer = penstock.Recurrent("lstm", 2, 64, zoneout={"h": 0.1, "c": 0.6}, recurrent_dropout=0.25)
    recorded, x = Recorded(layer), torch.randn(50, 40, 2)
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        layer(x)
    first, again, other = recorded.masks
    for name, p in (("zoneout.h", 0.1), ("zoneout.c", 0.6)):
        n = first[name].numel()
        assert abs(first[name].mean().item() - p) < 5 * math.sqrt(p * (1 - p) / n)
        assert torch.equal(first[name], again[name])
        assert not torch.equal(first[name], other[name])
        assert not torch.equal(first[name][0], first[name][1])  # new at every step
    dropped = (first["dropout"] == 0).double().mean().item()
    assert abs(dropped - 0.25) < 5 * math.sqrt(0.25 * 0.75 / (40 * 64))
    assert first["dropout"].shape == (40, 64)  # the same at all steps
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


def test_input_and_weight_dropout():
    layer = double("rnn", input_dropout=0.5)
    x = torch.ones(T, B, I, dtype=torch.float64)
    torch.manual_seed(2)
    mask = torch.nn.functional.dropout(torch.ones(1, B, I, dtype=torch.float64), 0.5)
    torch.manual_seed(2)
    dropped = layer(x)[0]
    torch.testing.assert_close(dropped, layer.eval()(x * mask)[0])
    layer = double("rnn", weight_drop=0.5)
    torch.manual_seed(4)
    dropped = layer(x)[0]
    torch.manual_seed(4)
    weights = torch.nn.functional.dropout(layer.weight_hh_l0, 0.5)
    plain = double("rnn").eval()
    plain.load_state_dict(layer.state_dict() | {"weight_hh_l0": weights.detach()})
    torch.testing.assert_close(dropped, plain(x)[0])


MERGED = {
    "concat": lambda a, b: torch.cat([a, b], -1), "sum": torch.add, "product": torch.mul,
    "mean": lambda a, b: (a + b) / 2,
}  # fmt: skip


@pytest.mark.parametrize("merge", MERGED)
def test_merge_of_directions(merge):
    layer = double("gru", bidirectional=True, merge=merge)
    theirs = torch.nn.GRU(I, H, bidirectional=True, dtype=torch.float64)
    theirs.load_state_dict(layer.state_dict())
    x = draw(T, B, I)
    expected = MERGED[merge](*theirs(x)[0].split(H, -1))
    torch.testing.assert_close(layer(x)[0], expected)
    assert layer.output_size == expected.shape[-1]
    deep = double("gru", num_layers=2, bidirectional=True, merge=merge)
    assert deep(x)[0].shape[-1] == deep.output_size


@pytest.mark.parametrize("connection", ["residual", "highway"])
def test_connections_around_layers(connection):
    torch.manual_seed(0)
    layer = penstock.Recurrent(
        "lstm", I, H, 2, dtype=torch.float64, connection=connection, projection_size=I
    )
    x = z = draw(T, B, I)
    for k in range(2):
        theirs = torch.nn.LSTM(I, H, dtype=torch.float64)
        own = layer.state_dict()
        theirs.load_state_dict({n: own[n.replace("l0", f"l{k}")] for n in theirs.state_dict()})
        joined = layer.connections[k]
        y = theirs(z)[0] @ joined.projection.weight.T
        if connection == "residual":
            z = y + z
        else:
            gate = torch.sigmoid(z @ joined.gate.weight.T + joined.gate.bias)
            z = gate * y + (1 - gate) * z
    torch.testing.assert_close(layer(x)[0], z)
    lengths = torch.tensor([T, 3, 1])
    padded = layer(x, lengths=lengths)[0]
    assert not padded[3:, 1].any()
    stream = layer.stream(B)
    steps = torch.stack([stream.step(x[t]).clone() for t in range(T)])
    torch.testing.assert_close(steps, layer(x)[0].detach())


def test_trainable_state():
    layer = double("lstm", num_layers=2, bidirectional=True, trainable_state=True)
    x = draw(T, B, I)
    with torch.no_grad():
        layer.initial_h.copy_(draw(4, H))
        layer.initial_c.copy_(draw(4, H))
    given = tuple(s[:, None].expand(-1, B, -1) for s in (layer.initial_h, layer.initial_c))
    torch.testing.assert_close(layer(x)[0], layer(x, given)[0])
    layer(x)[0].sum().backward()
    assert layer.initial_h.grad.abs().sum() > 0
    stream = double("gru", trainable_state=True).stream(2)
    assert not stream.state.any()


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_all_states(batch_first, checkpoint):
    options = {"batch_first": batch_first, "checkpoint": checkpoint}
    layer = double("lstm", num_layers=2, bidirectional=True, **options)
    x = draw(B, T, I) if batch_first else draw(T, B, I)
    output, state, (h, c) = layer(x, all_states=True)
    if batch_first:
        h, c = h.transpose(1, 2), c.transpose(1, 2)
        output = output.transpose(0, 1)
    assert h.shape == (4, T, B, H)
    torch.testing.assert_close(torch.cat([h[2], h[3]], -1), output)
    for every, final in ((h, state[0]), (c, state[1])):
        torch.testing.assert_close(every[[0, 2], -1], final[[0, 2]])
        torch.testing.assert_close(every[[1, 3], 0], final[[1, 3]])
    with pytest.raises(ArgumentError, match="all_states goes with a padded batch"):
        layer(pack_sequence([draw(3, I)]), all_states=True)


@pytest.mark.parametrize("checkpoint", [True, 1, 3, 100])
@pytest.mark.parametrize("cell", ["lstm", "depth_gated_lstm"])
def test_checkpoints_change_no_number(cell, checkpoint):
    layer = double(cell, num_layers=2, bidirectional=cell == "lstm", zoneout=0.2)
    chunked = double(
        cell, num_layers=2, bidirectional=cell == "lstm", zoneout=0.2, checkpoint=checkpoint
    )
    x, reset, found = draw(T, B, I).requires_grad_(), torch.rand(T, B) < 0.2, []
    for one in (layer, chunked):
        torch.manual_seed(1)
        output, state = one(x, lengths=[T, 4, 1], reset=reset)
        loss = output.sin().sum() + state[1].cos().sum()
        found.append([output, *state, *torch.autograd.grad(loss, [x, *one.parameters()])])
    for plain, remade in zip(*found, strict=True):
        torch.testing.assert_close(plain, remade, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("name", ["eager", "c"])
def test_chunks_are_made_again_on_the_backend_of_their_call(name):
    layer, chunked, x = double(), double(checkpoint=2), draw(T, B, I)
    with penstock.backend(name):
        output, _ = chunked(x)
    other = "c" if name == "eager" else "eager"
    with penstock.backend(other):
        found = torch.autograd.grad(output.sum(), list(chunked.parameters()))
    for one, wanted in zip(
        found, torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters())), strict=True
    ):
        torch.testing.assert_close(one, wanted)


def test_truncated_backpropagation_carries_the_state():
    layer, x = double("gru"), draw(6, B, I)
    whole, _ = layer(x)
    first, state = layer(x[:3])
    second, _ = layer(x[3:], state.detach())
    torch.testing.assert_close(torch.cat([first, second]), whole)
    x1 = x[:3].clone().requires_grad_()
    _, state = layer(x1)
    (across,) = torch.autograd.grad(layer(x[3:], state)[0].sum(), x1, retain_graph=True)
    assert across.abs().sum() > 0
    output, _ = layer(x[3:], state.detach())
    assert torch.autograd.grad(output.sum(), x1, allow_unused=True) == (None,)


def test_initialisers():
    keras = double("lstm", init="keras", num_layers=2)
    for k in range(2):
        w, u, b = (getattr(keras, f"{n}_l{k}") for n in ("weight_ih", "weight_hh", "bias_ih"))
        a = math.sqrt(6 / (w.shape[1] + H))
        assert w.abs().max() <= a
        assert w.abs().max() > 0.8 * a
        for block in u.split(H):
            torch.testing.assert_close(block @ block.T, torch.eye(H, dtype=torch.float64))
        assert b.tolist() == [0] * H + [1] * H + [0] * 2 * H
        assert not getattr(keras, f"bias_hh_l{k}").any()
    chrono = double("lstm", init="chrono")
    start = chrono.bias_ih_l0.split(H)
    assert ((start[1] >= 0) & (start[1] <= math.log(99))).all()
    torch.testing.assert_close(start[0], -start[1])
    assert (
        double(
            "lstm", init=lambda layer: torch.nn.init.zeros_(layer.weight_hh_l0)
        ).weight_hh_l0.sum()
        == 0
    )
    torch.testing.assert_close(
        double("lstm", init="torch").weight_hh_l0, double("lstm").weight_hh_l0
    )


WRONG = {
    "zoneout names no state": {"zoneout": {"hh": 0.1}},
    "zoneout of h is 2": {"zoneout": 2},
    "recurrent_dropout is -1": {"recurrent_dropout": -1},
    "clip_gates is -3": {"clip_gates": -3},
    "merge is 'add'": {"merge": "add"},
    "connection is 'skip'": {"connection": "skip"},
    "goes around a layer as wide": {"connection": "residual"},
    "projection_size is 1.5": {"projection_size": 1.5},
    "no initialiser 'kears'": {"init": "kears"},
    "checkpoint is -1": {"checkpoint": -1},
    "checkpoint is 2.5": {"checkpoint": 2.5},
    "checkpoint is 'yes'": {"checkpoint": "yes"},
    "layer_norm is 1": {"layer_norm": 1},
}


@pytest.mark.parametrize(("message", "options"), WRONG.items(), ids=WRONG)
def test_wrong_options(message, options):
    with pytest.raises(ArgumentError, match=message):
        double(**options)


def test_dropout_of_a_product_that_is_not_there():
    with pytest.raises(ArgumentError, match="act on U h, and indrnn has no such product"):
        double("indrnn", recurrent_dropout=0.1)


def test_a_cell_without_parameters():
    class Leak(penstock.Cell):
        """A leaky integrator."""

        def step(self, x, h):
            return 0.9 * h + 0.1 * x.sum(-1, keepdim=True)

    layer, x = penstock.Recurrent(Leak, I, H), torch.randn(T, B, I)
    output, _ = layer(x)
    wanted, h = [], torch.zeros(B, H)
    for t in range(T):
        h = 0.9 * h + 0.1 * x[t].sum(-1, keepdim=True)
        wanted.append(h)
    torch.testing.assert_close(output, torch.stack(wanted))
    stream = layer.stream(B)
    torch.testing.assert_close(stream.step(x[0]), output[0])


def test_a_stream_of_a_modified_layer():
    layer, x = double("lstm", num_layers=2, **ALL).eval(), draw(T, B, I)
    stream = layer.stream(B)
    steps = torch.stack([stream.step(x[t]).clone() for t in range(T)])
    torch.testing.assert_close(steps, layer(x)[0].detach())


@pytest.mark.parametrize("backend", pipeline.find_backends())
def test_a_gate_called_twice_has_both_gradients(backend):
    """Once with x, before the loop, and once with something else, within it."""

    class Twice(penstock.Cell):
        """A gate called twice."""

        f = penstock.Gate()

        def step(self, x, h):
            return torch.tanh(self.f(x, h)) + 0.5 * torch.sigmoid(self.f(x * x, h))

    layer, x, found = double(Twice), draw(T, B, I), []
    for name in (backend, "eager"):
        with penstock.backend(name):
            found.append(torch.autograd.grad(layer(x)[0].sin().sum(), list(layer.parameters())))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)

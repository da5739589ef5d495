"""A stream: its state as the layer's, its copies, and what a kernel does not take."""

import copy
import pickle
import subprocess
import sys
import threading

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

import penstock
from penstock.compiler.backends.c import step_input
from penstock.errors import ArgumentError

T, B, I, H = 6, 2, 3, 5


def make(cell="gru", **options):
    torch.manual_seed(0)
    return penstock.Recurrent(cell, I, H, **options).eval()


def draw(*shape, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), **options)


def walk(stream, x):
    return torch.stack([stream.step(step).clone() for step in x])


def states(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["gru", "rnn", "lstm", "projected_lstm", "slstm"])
def test_the_state_is_what_the_layer_gives_and_takes(cell, layers):
    layer, x = make(cell, num_layers=layers, dtype=torch.float64), draw(T, B, I).double()
    _, middle = layer(x[:3])
    output, final = layer(x[3:], middle)
    stream = layer.stream(B)
    for given in (middle, states(middle)):
        stream.state = given
        torch.testing.assert_close(walk(stream, x[3:]), output.detach())
    for ours, theirs in zip(states(stream.state), states(final), strict=True):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs.detach())
    assert isinstance(stream.state, torch.Tensor) == isinstance(final, torch.Tensor)
    assert not any(s.requires_grad for s in states(stream.state))
    layer(x, stream.state)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_state_that_does_not_fit(layers):
    stream = make("gru", num_layers=layers).stream(B)
    before = stream.state
    good = torch.ones(layers, B, H)
    wrong = [
        good[0], good[:, 0], good[:, :1], good[..., :1], torch.ones(layers + 1, B, H),
        (good, good), (), good.double(), good.to("meta"), None, 1.0, [0.0],
    ]  # fmt: skip
    for given in wrong:
        with pytest.raises((ArgumentError, TypeError)):
            stream.state = given
    assert torch.equal(stream.state, before)


@pytest.mark.parametrize("layout", ["expanded", "transposed", "negative"])
def test_the_state_in_any_layout(layout):
    layer, x = make(), draw(T, B, I)
    state = {
        "expanded": draw(1, 1, H).expand(1, B, H),
        "transposed": draw(H, B, 1).mT.transpose(0, 1).mT.reshape(1, B, H).mT.contiguous().mT,
        "negative": torch._neg_view(draw(1, B, H)),
    }[layout]
    stream = layer.stream(B)
    stream.state = state
    torch.testing.assert_close(walk(stream, x), layer(x, state)[0].detach())


class Mine(penstock.Cell):
    """A cell of this module."""

    f = penstock.Gate()
    rate: float = 0.5

    def step(self, x, h):
        return (1 - self.rate) * h + self.rate * torch.tanh(self.f(x, h))


OPTIONS = {
    "plain": ("lstm", {}),
    "two layers": ("gru", {"num_layers": 2}),
    "joined": ("gru", {"num_layers": 2, "projection_size": I, "connection": "residual"}),
    "with an output": ("mamba" if "mamba" in penstock.cells() else "lru", {}),
    "a learned state": ("lstm", {"trainable_state": True}),
    "modified": ("lstm", {"layer_norm": True, "zoneout": 0.1}),
    "bfloat16": ("gru", {"dtype": torch.bfloat16}),
    "one's own": (Mine, {"rate": 0.3}),
}


@pytest.mark.parametrize("steps", [2, 3])
@pytest.mark.parametrize("case", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))], ids=["copy", "pickle"]
)
def test_copies_go_on_by_themselves(duplicate, case, steps):
    cell, options = case
    layer = make(cell, **options)
    x = draw(T, B, I).to(options.get("dtype", torch.float32))
    stream = layer.stream(B)
    walk(stream, x[:steps])
    other = duplicate(stream)
    wanted = walk(stream, x[steps:])
    assert torch.equal(walk(other, x[steps:]), wanted)
    other.reset()
    again = layer.stream(B)
    assert torch.equal(walk(other, x), walk(again, x))


def test_a_pickle_in_another_process(tmp_path):
    (tmp_path / "my_module.py").write_text(
        "import torch, penstock\n"
        "class Own(penstock.Cell):\n"
        '    """My own."""\n'
        "    f = penstock.Gate()\n"
        "    def step(self, x, h):\n"
        "        return 0.5 * h + torch.tanh(self.f(x, h))\n"
    )
    make_it = (
        "import my_module, penstock, pickle, torch\n"
        f"stream = penstock.Recurrent(my_module.Own, {I}, {H}, 2).stream({B})\n"
        f"x = torch.ones({B}, {I})\n"
        "stream.step(x)\n"
        "kept = pickle.dumps(stream)\n"
        "open('stream.pickle', 'wb').write(kept)\n"
        "print(stream.step(x).tolist())"
    )
    use_it = (
        "import pickle, torch\n"
        "stream = pickle.load(open('stream.pickle', 'rb'))\n"
        f"print(stream.step(torch.ones({B}, {I})).tolist())"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        for code in (make_it, use_it)
    ]
    assert said[0] == said[1] != ""


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("cell", ["gru", "lstm", "peephole_lstm"])
def test_a_stream_of_half_the_bits(cell, dtype):
    torch.manual_seed(0)
    layer = penstock.Recurrent(cell, 8, 64, 2, dtype=dtype)
    x = draw(20, 1, 8).to(dtype)
    with penstock.backend("eager"):
        output, final = layer(x)
    stream = layer.stream(1)
    assert torch.equal(walk(stream, x), output)
    torch.testing.assert_close(output, layer(x)[0], atol=2e-2, rtol=2e-2)  # torch's own operator
    assert all(torch.equal(a, b) for a, b in zip(stream.state, final, strict=True))


def test_a_cell_that_the_compiler_cannot_read():
    class Sorted(penstock.Cell):
        """Sorts its units."""

        f = penstock.Gate()

        def step(self, x, h):
            return torch.sort(self.f(x, h), -1).values

    layer, x = make(Sorted), draw(T, B, I)
    with pytest.warns(UserWarning, match="Sorted runs eager"):
        stream = layer.stream(B)
    torch.testing.assert_close(walk(stream, x), layer(x)[0].detach())


def test_the_weights_are_those_of_the_moment():
    for options in ({}, {"connection": "residual", "projection_size": I}):
        layer, x = make("peephole_lstm", **options), draw(T, B, I)
        wanted, stream = layer(x)[0].detach(), layer.stream(B)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.zero_()
        layer.to(torch.float64)
        for parameter in layer.parameters():
            parameter.untyped_storage().resize_(0)
        del layer
        torch.testing.assert_close(walk(stream, x), wanted)


def shrunk(x, first, count):
    """Return x, lying at number `first` of a storage that is then cut down to `count` numbers."""
    whole = torch.cat([x.new_zeros(first), x.flatten()])
    laid = whole[first:].view(x.shape)
    whole.untyped_storage().resize_(count * x.element_size())
    return laid


@pytest.fixture(params=["C", "Python"])
def asked_in(request, monkeypatch):
    """Run with the step's input asked in C and, as where torch has no shim, in Python."""
    if request.param == "Python":
        monkeypatch.setattr(step_input, "_shim", lambda: None)


@pytest.mark.usefixtures("asked_in")
@pytest.mark.parametrize("name", ["gru", "lru"])
def test_a_step_that_does_not_fit(name):
    stream, x = make(name).stream(B), draw(B, I)
    wanted = copy.deepcopy(stream).step(x)
    wrong = [
        x[:1], x[:, :2], x[None], x[..., None], x.flatten(), x.mT, x.double(), x.bfloat16(),
        x.int(), x.to("meta"), x.to_sparse(), torch._efficientzerotensor(B, I), shrunk(x, 0, 0),
        shrunk(x, 0, B * I - 1), shrunk(x, 1, B * I), shrunk(x, 100, 1),
    ]  # fmt: skip
    for given in wrong:
        with pytest.raises(ArgumentError):
            stream.step(given)
    assert torch.equal(stream.step(x), wanted)


@pytest.mark.usefixtures("asked_in")
def test_steps_in_any_layout_and_mode():
    x = draw(B, I)
    wanted = make().stream(B).step(x).clone()
    layouts = [
        x.mT.contiguous().mT, torch._neg_view(-x), torch.nn.Parameter(x),
        x.clone().requires_grad_(), torch.stack([x, x])[1], torch.stack([x, x], -1)[..., 1],
        shrunk(x, 3, 3 + B * I),
    ]  # fmt: skip
    for given in layouts:
        output = make().stream(B).step(given)
        assert torch.equal(output, wanted)
        assert not output.requires_grad
    for strides in ((I + 1, 1), (I, 2)):
        given = draw(20).as_strided((B, I), strides)
        wanted_of_it = make().stream(B).step(given.clone(memory_format=torch.contiguous_format))
        assert torch.equal(make().stream(B).step(given), wanted_of_it)
    with torch.inference_mode():
        made_inside = make().stream(B)
        inside = made_inside.step(x.clone())
    assert torch.equal(inside, wanted)
    made_inside.reset()
    assert torch.equal(made_inside.step(x), wanted)


@pytest.mark.parametrize("case", [("lru", {}), ("gru", {"projection_size": 2})], ids=str)
def test_no_graph_grows_from_step_to_step(case):
    stream = make(case[0], **case[1]).stream(B)
    for _ in range(3):
        stream.step(draw(B, I).requires_grad_())
    assert not any(t.requires_grad for t in (stream._x, *stream._states[0]))


def test_a_step_in_the_midst_of_another():
    """As another thread would take it; then the state is as it was."""
    stream, x, seen = make("gru").stream(B), draw(B, I), []
    wanted = copy.deepcopy(stream).step(x)
    feed, *rest = stream._steps[0]

    def feed_in_the_midst(given):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        feed(given)

    def attempt():
        for use in (lambda: stream.step(x), lambda: stream.state, stream.reset):
            with pytest.raises(ArgumentError, match="another thread"):
                use()
            seen.append(True)

    stream._steps = ((feed_in_the_midst, *rest), stream._steps[1])
    assert torch.equal(stream.step(x), wanted)
    assert len(seen) == 3


def test_each_thread_its_own_stream():
    layer, x = make("lstm", num_layers=2), draw(50, B, I)
    wanted, found = layer(x)[0].detach(), {}

    def run(k):
        found[k] = walk(layer.stream(B), x)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for steps in found.values():
        torch.testing.assert_close(steps, wanted)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_step_is_no_constant_of_a_graph(cell):
    """What records op by op cannot see a kernel write: it would keep this step's numbers."""
    stream = make(cell).stream(B)
    with pytest.raises(ArgumentError, match="cannot see into a step"):
        make_fx(lambda x: stream.step(x))(torch.ones(B, I))  # noqa: PLW0108  (it looks at a name)
    stream.step(torch.ones(B, I))


@pytest.mark.parametrize("cell", ["gru", "lru"])
def test_a_step_is_no_constant_of_a_trace(cell):
    stream = make(cell).stream(B)
    with pytest.raises(ArgumentError, match="cannot see into a step"):
        torch.jit.trace(lambda x: stream.step(x) + x.sum(), torch.ones(B, I))
    stream.step(torch.ones(B, I))

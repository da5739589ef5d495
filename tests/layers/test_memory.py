"""Nothing reaches a kernel that does not fit it, and nobody's memory is another's."""

import copy
import gc
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import penstock
from penstock.cells import cells
from penstock.errors import ArgumentError, BackendError

T, B, I, H = 4, 2, 3, 5
PARAMETERS = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]


def make(cell="gru", H=H, **options):
    torch.manual_seed(0)
    return penstock.Recurrent(cell, I, H, **options)


def draw(*shape, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), **options)


def emptied(weight):
    copied = weight.clone()
    copied.untyped_storage().resize_(0)
    return copied


def shrunk(weight):
    """Return a weight whose storage ends before its last number, as a tensor with an offset."""
    copied = torch.cat([weight.new_zeros(1), weight.flatten()])[1:].view(weight.shape)
    copied.untyped_storage().resize_(copied.nbytes)
    return copied


def shrunk_and_transposed(weight):
    copied = weight.T.clone().T if weight.ndim > 1 else weight.repeat_interleave(2)[::2]
    copied.untyped_storage().resize_(copied.nbytes - 4)
    return copied


WRONG = {
    "meta": lambda w: w.to("meta"),
    "float64": torch.Tensor.double,
    "bfloat16": torch.Tensor.bfloat16,
    "int32": torch.Tensor.int,
    "fewer rows": lambda w: w[:2],
    "one row": lambda w: w[:1],
    "more rows": lambda w: torch.cat([w, w]),
    "another dimension": lambda w: w[None],
    "sparse": torch.Tensor.to_sparse,
    "freed": emptied,
    "shrunk": shrunk,
    "shrunk and transposed": shrunk_and_transposed,
    "no numbers": lambda w: torch._efficientzerotensor(*w.shape),
}
# torch's own words, for where the equations meet the tensor first
COMPLAINTS = (ArgumentError, RuntimeError, NotImplementedError)


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_weight_that_does_not_fit(name, wrong):
    x = draw(T, B, I)
    for training in (True, False):
        layer = make().requires_grad_(training)
        layer._parameters[name] = wrong(getattr(layer, name).detach())
        with pytest.raises(COMPLAINTS):
            layer(x)
        with pytest.raises(COMPLAINTS):
            layer.stream(B).step(x[0])


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("made", [make, lambda: penstock.GRU(I, H)], ids=["layer", "drop-in"])
def test_a_weight_that_is_none(name, made):
    layer, x = made(), draw(T, B, I)
    setattr(layer, name, None)
    for use in (lambda: layer(x), lambda: layer.stream(B)):
        with pytest.raises(ArgumentError, match=f"{name} is None"):
            use()


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_weight_made_smaller_before_backward(name):
    layer = make()
    output, _ = layer(draw(T, B, I))
    getattr(layer, name).data = getattr(layer, name).data[:2]
    with pytest.raises(ArgumentError, match=rf"{name[:-3]} is .*it must be .*of shape \[15"):
        output.sum().backward()


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_storage_made_smaller_before_backward(name):
    layer = make(H=2048)
    output, _ = layer(draw(T, B, I))
    getattr(layer, name).untyped_storage().resize_(16)
    with pytest.raises((ArgumentError, RuntimeError), match=r"smaller|out of bounds"):
        output.sum().backward()


def test_what_is_saved_and_comes_back_otherwise():
    """Hooks on saved tensors may give back anything."""
    for change in (torch.Tensor.double, lambda t: t[:1], lambda t: t.to("meta")):
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t, change):
            output, _ = make()(draw(T, B, I))
        with pytest.raises((ArgumentError, RuntimeError)):
            output.sum().backward()


@pytest.mark.parametrize("where", ["x", "state", "reset", "below"])
def test_an_argument_on_another_device(where):
    layer, x = make(), draw(T, B, I)
    arguments = {"x": x, "state": torch.zeros(1, B, H), "reset": torch.zeros(T, B).bool()}
    if where == "below":
        layer = make("depth_gated_lstm", num_layers=2)
        layer.weight_hh_l1 = nn.Parameter(layer.weight_hh_l1.detach().to("meta"))
        del arguments["state"]
    else:
        arguments[where] = arguments[where].to("meta")
    with pytest.raises(COMPLAINTS):
        layer(**arguments)


class Mine(torch.Tensor):
    """A subclass, whose numbers might lie anywhere."""


LAYOUTS = {
    "negative view": lambda w: torch._neg_view(-w),
    "transposed": lambda w: w.mT.contiguous().mT if w.ndim > 1 else w,
    "every other number": lambda w: torch.stack([w, w], -1)[..., 0],
    "within more": lambda w: torch.cat([w, w])[len(w) :],
    "a subclass": lambda w: w.as_subclass(Mine),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("cell", ["gru", "lstm", "indrnn"])
def test_layouts_give_the_same(cell, layout):
    layer, x, state = make(cell), draw(T, B, I), draw(1, B, H)
    given = (state, state) if cell == "lstm" else state
    incoming = draw(T, B, H)
    output, final = layer(x, given)
    wanted = torch.autograd.grad(output, list(layer.parameters()), incoming)
    for name, weight in layer.named_parameters():
        layer._parameters[name] = layout(weight.detach()).requires_grad_()
    given = tuple(layout(s) for s in given) if cell == "lstm" else layout(given)
    again, final_again = layer(layout(x), given)
    torch.testing.assert_close(torch.Tensor(again), output)
    last = final_again[0] if cell == "lstm" else final_again
    torch.testing.assert_close(torch.Tensor(last), final[0] if cell == "lstm" else final)
    found = torch.autograd.grad(again, list(layer._parameters.values()), layout(incoming))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(torch.Tensor(one), other)
    stream = layer.stream(B)
    stream.state = given
    steps = torch.stack([torch.Tensor(stream.step(layout(step))).clone() for step in x])
    torch.testing.assert_close(steps, output.detach())


def test_negative_vectors_that_others_are_made_of():
    layer, x = make("lru"), draw(T, B, I)
    wanted = layer(x)[0]
    layer._parameters["weight_nu_l0"] = torch._neg_view(-layer.weight_nu_l0.detach())
    torch.testing.assert_close(layer(x)[0], wanted)


def test_the_c_backend_has_no_kernel_of_bfloat16():
    layer = make(dtype=torch.bfloat16)
    with penstock.backend("c"), pytest.raises(BackendError, match="not in bfloat16"):
        layer(draw(T, B, I).bfloat16())


# In place, and behind the back of autograd


def relu(y):
    y.relu_()


def add(y):
    y += 1


def zero(y):
    y[:, 0] = 0


RETURNING = {
    **{cell: {} for cell in ("gru", "rnn", "lstm", "peephole_lstm", "cfc")},
    "projected_lstm": {"proj_size": 2},
    "mlstm": {},
}


def both(cell, **options):
    """Return a layer, and its copy that runs by the equations."""
    layer = make(cell, dtype=torch.float64, **options)
    return layer, copy.deepcopy(layer)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"batch_first": True}], ids=str)
@pytest.mark.parametrize("change", [relu, add, zero])
@pytest.mark.parametrize("cell", [c for c in RETURNING if c in cells()])
def test_in_place_on_what_is_returned(cell, change, options):
    layer, other = both(cell, **options, **RETURNING[cell])
    x = draw(T, B, I, dtype=torch.float64)
    for one, name in ((layer, "auto"), (other, "eager")):
        with penstock.backend(name):
            output, state = one(x)
        output = output * 1 if name == "eager" else output  # an output of its own
        states = state if isinstance(state, tuple) else (state,)
        for tensor in (output, *states):
            change(tensor)
        sum((tensor * tensor).sum() for tensor in (output, *states)).backward()
    for ours, theirs in zip(layer.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("module", ["GRU", "RNN"])
@pytest.mark.parametrize("change", [relu, add, zero])
def test_in_place_as_in_torch(module, change):
    ours = getattr(penstock, module)(I, H, dtype=torch.float64)
    theirs = getattr(nn, module)(I, H, dtype=torch.float64)
    theirs.load_state_dict(ours.state_dict())
    for one in (ours, theirs):
        output, state = one(draw(T, B, I, dtype=torch.float64))
        change(output)
        change(state)
        ((output * output).sum() + (state * state).sum()).backward()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


class Bent(penstock.Cell):
    """A cell whose output's gradient reads the output itself."""

    n = penstock.Gate()
    o = penstock.Gate(x=False)

    def step(self, x, h):
        return torch.tanh(self.n(x, h))

    def output(self, x, h):
        return torch.sigmoid(self.o(h)) + 0 * x[:, :1]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm", Bent])
def test_gradients_do_not_read_what_is_returned(cell, compiled):
    layer, other = both(cell)
    x = draw(T, B, I, dtype=torch.float64)
    run = torch.compile(layer) if compiled else layer
    for one, spoilt in ((run, True), (other, False)):
        output, state = one(x)
        for tensor in (output, *(state if isinstance(state, tuple) else (state,))):
            if spoilt:
                tensor.detach().numpy()[:] = np.nan
        output.backward(torch.ones_like(output))
    for ours, theirs in zip(layer.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_final_state_is_not_the_output():
    with torch.no_grad():
        output, state = make()(draw(T, B, I))
        kept = state.clone()
        output.zero_()
    assert torch.equal(state, kept)


def test_resets_changed_before_backward():
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[2] = True
    layer, x = make(), draw(T, B, I)
    wanted = torch.autograd.grad(layer(x, reset=reset.clone())[0].sum(), layer.weight_hh_l0)
    output, _ = layer(x, reset=reset)
    reset.zero_()
    assert torch.equal(torch.autograd.grad(output.sum(), layer.weight_hh_l0)[0], wanted[0])


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_backward_twice_and_made_again(cell):
    layer, x = make(cell, dtype=torch.float64), draw(T, B, I, dtype=torch.float64)
    leaves = list(layer.parameters())
    output = layer(x)[0]
    first = torch.autograd.grad(output.sum(), leaves, retain_graph=True)
    output.data.zero_()
    second = torch.autograd.grad(output.sum(), leaves)
    again = checkpoint(lambda x: layer(x)[0].relu_(), x, use_reentrant=False)
    third = torch.autograd.grad(again.sum(), leaves)
    wanted = torch.autograd.grad(layer(x)[0].relu().sum(), leaves)
    for a, b in zip((*first, *third), (*second, *wanted), strict=True):
        assert torch.equal(a, b)


def test_no_rows_and_no_steps():
    layer = make()
    for shape in ((0, B, I), (T, 0, I)):
        output, state = layer(draw(*shape))
        output.sum().backward()
        assert output.shape == (*shape[:2], H)
        assert not state.numel() or not state.any()
    with warnings.catch_warnings(), pytest.raises(ArgumentError):
        layer.stream(0)


@pytest.mark.parametrize("way", ["auto", "eager"])
@pytest.mark.parametrize("cell", ["lru", "lstm", "scrn"])
def test_a_call_leaves_nobody_holding_the_weights(cell, way):
    """Not even until the garbage is collected: who swaps parameters must be the only holder."""
    gc.disable()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        layer = make(cell)
        with penstock.backend(way):
            wanted, _ = layer(draw(T, B, I))
            wanted.sum().backward()
            del wanted
            for parameter in layer.parameters():
                parameter.grad = None
            layer.double()(draw(T, B, I).double())[0].sum().backward()
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
        gc.enable()

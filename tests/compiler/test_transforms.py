"""torch's transforms over layers: higher derivatives, functorch, autocast, compile, export."""

import contextlib
import gc
import warnings

import pytest
import torch
from torch.autograd import forward_ad, gradcheck, gradgradcheck

import penstock
from penstock.cells import cells
from penstock.layers.running import eager

SHIPPED = sorted(n for n, c in cells().items() if c.__module__.startswith("penstock.cells."))
OPTIONS = {"projected_lstm": {"proj_size": 2}}
DROPINS = [penstock.RNN, penstock.LSTM, penstock.GRU]
T, B, I, H = 3, 2, 2, 3

every_cell = pytest.mark.parametrize("cell", SHIPPED)
some_cells = pytest.mark.parametrize("cell", ["lstm", "gru_reset_before", "projected_lstm"])


def make(cell, layers=1, dtype=torch.float64, **keywords):
    """Return a layer and its input."""
    torch.manual_seed(0)
    keywords |= OPTIONS.get(cell, {})
    layer = penstock.Recurrent(cell, I, H, layers, dtype=dtype, **keywords)
    return layer, torch.randn(T, B, I, dtype=dtype)


def flat(result):
    """Return output and states as one tuple."""
    output, state = result
    return (output, *state) if isinstance(state, tuple) else (output, state)


def as_function(layer, **keywords):
    """Return a layer as a function of its input and all its parameters, and these."""
    names = [n for n, _ in layer.named_parameters()]

    def run(x, *parameters):
        named = dict(zip(names, parameters, strict=True))
        return flat(torch.func.functional_call(layer, named, (x,), keywords))

    return run, [p.detach().clone().requires_grad_() for p in layer.parameters()]


def eagerly(function, *arguments):
    with penstock.backend("eager"):
        return function(*arguments)


def assert_close(ours, theirs, tolerance=1e-10):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


# ---------------------------------------------------------------- derivatives of any order


@every_cell
def test_gradient_and_second_gradient(cell):
    """Of the compiled layer with masks, two layers deep; each number alone in test_formulas."""
    reset = torch.tensor([[False, True], [True, False], [False, False]])
    layer, x = make(cell, 2)
    run, parameters = as_function(layer, lengths=torch.tensor([3, 2]), reset=reset)
    with penstock.backend("c"):
        assert gradcheck(run, (x.requires_grad_(), *parameters), fast_mode=True)
        assert gradgradcheck(run, (x, *parameters), fast_mode=True)


@some_cells
def test_backward_twice_with_the_graph_kept(cell):
    layer, x = make(cell)
    output = layer(x.requires_grad_())[0].square().sum()
    leaves = [x, *layer.parameters()]
    first = torch.autograd.grad(output, leaves, retain_graph=True)
    second = torch.autograd.grad(output, leaves)
    assert all(map(torch.equal, first, second))
    with pytest.raises(RuntimeError, match=r"second time"):
        torch.autograd.grad(output, leaves)


@every_cell
def test_gradients_share_no_memory(cell):
    """A parameter's gradient can be changed, as clipping does, without changing another's."""
    layer, x = make(cell)
    layer(x)[0].sum().backward()
    grads = [p.grad for p in layer.parameters()]
    assert len({g.data_ptr() for g in grads}) == len(grads)
    x.requires_grad_()
    found = torch.autograd.grad(layer(x)[0].sum(), [x, *layer.parameters()])
    kept = [g.clone() for g in found]
    for k, gradient in enumerate(found):
        gradient.add_(1)
        assert all(map(torch.equal, found[k + 1 :], kept[k + 1 :]))


@some_cells
@pytest.mark.parametrize("part", [0, 1])
def test_a_result_changed_in_place(cell, part):
    """The gradient needs what was there: an error, not another gradient."""
    layer, x = make(cell)
    x.requires_grad_()
    expected = torch.autograd.grad(flat(layer(x))[part].sum() * 2, x)[0]
    results = flat(layer(x))
    with contextlib.suppress(RuntimeError):  # which says that something was modified in place
        results[part].mul_(2)
        got = torch.autograd.grad(results[part].sum(), x)[0]
        torch.testing.assert_close(got, expected)


@some_cells
def test_an_output_changed_behind_autograd(cell):
    """What was returned is the user's: the gradient is that of the numbers that were there."""
    layer, x = make(cell)
    x.requires_grad_()
    expected = torch.autograd.grad(layer(x)[0].sum(), x)[0]
    output = layer(x)[0]
    with torch.no_grad():
        output.mul_(2)
    torch.testing.assert_close(torch.autograd.grad(output.sum(), x)[0], expected)


@some_cells
@pytest.mark.parametrize("what", ["x", "weight", "state"])
def test_an_argument_changed_in_place_raises(cell, what):
    layer, x = make(cell)
    _, state = layer(x)
    states = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
    output = layer(x, states)[0]
    first = states[0] if isinstance(states, tuple) else states
    with torch.no_grad():
        {"x": x, "weight": layer.weight_hh_l0, "state": first}[what].mul_(2)
    with pytest.raises(RuntimeError, match=r"modified.*inplace"):
        output.sum().backward()


# ---------------------------------------------------------------- functorch, forward mode


@some_cells
def test_func_grad(cell):
    layer, x = make(cell)
    run, parameters = as_function(layer)

    def loss(x, *parameters):
        return sum(r.square().sum() for r in run(x, *parameters))

    ours = torch.func.grad(loss, argnums=(0, 1, 2))(x, *parameters)
    x.requires_grad_()
    leaves = [x, *parameters[:2]]
    assert_close(ours, torch.autograd.grad(loss(x, *parameters), leaves))


@some_cells
def test_func_jvp_and_jacobians(cell):
    layer, x = make(cell)
    run, parameters = as_function(layer)
    tangent = torch.randn_like(x)

    def output(x):
        return run(x, *parameters)[0]

    _, ours = torch.func.jvp(output, (x,), (tangent,))
    backward = torch.autograd.functional.jacobian(output, x)
    product = (backward * tangent).flatten(output(x).ndim).sum(-1)
    torch.testing.assert_close(ours, product)
    torch.testing.assert_close(torch.func.jacrev(output)(x), backward)
    torch.testing.assert_close(torch.func.jacfwd(output)(x), backward)


@some_cells
def test_func_vmap(cell):
    """Over inputs, and over an ensemble of weights."""
    layer, x = make(cell)
    run, parameters = as_function(layer)
    inputs = torch.stack([x, 2 * x, -x])
    ours = torch.func.vmap(lambda x: run(x, *parameters))(inputs)
    assert_close(ours, map(torch.stack, zip(*(run(i, *parameters) for i in inputs), strict=True)))
    many = [torch.stack([p, 0.5 * p]) for p in parameters]
    ours = torch.func.vmap(lambda *p: run(x, *p))(*many)
    theirs = [run(x, *(p[k] for p in many)) for k in range(2)]
    assert_close(ours, map(torch.stack, zip(*theirs, strict=True)))


@some_cells
def test_per_sample_gradients(cell):
    layer, x = make(cell)
    run, parameters = as_function(layer)

    def loss(parameters, x):
        return run(x[:, None], *parameters)[0].square().sum()

    ours = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 1))(tuple(parameters), x)
    for b in range(B):
        theirs = torch.autograd.grad(loss(parameters, x[:, b]), parameters)
        assert_close([p[b] for p in ours], theirs)


@some_cells
def test_forward_mode(cell):
    layer, x = make(cell)
    tangent = torch.randn_like(x)
    with forward_ad.dual_level():
        output = layer(forward_ad.make_dual(x, tangent))[0]
        ours = forward_ad.unpack_dual(output).tangent
    _, theirs = torch.func.jvp(lambda x: layer(x)[0], (x,), (tangent,))
    torch.testing.assert_close(ours, theirs)


# ---------------------------------------------------------------- modes


@every_cell
def test_autocast(cell):
    """It runs, gives numbers, and is near the layer without it; gradients come in float32."""
    layer, x = make(cell, dtype=torch.float32)
    plain = layer(x)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = layer(x)[0]
    torch.testing.assert_close(output.float(), plain, rtol=0.1, atol=0.1)
    output.float().sum().backward()
    assert {p.grad.dtype for p in layer.parameters()} == {torch.float32}


@every_cell
def test_without_gradient(cell):
    """The same numbers, and no graph."""
    layer, x = make(cell, 2)
    expected = flat(layer(x))
    assert expected[0].requires_grad
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            results = flat(layer(x))
        assert not any(r.requires_grad for r in results)
        assert all(map(torch.equal, results, expected))
    for parameter in layer.parameters():
        parameter.requires_grad_(False)
    assert not layer(x)[0].requires_grad


def test_no_grad_keeps_no_buffers():
    """What is saved for the gradient is T times as much; without one it is not there."""
    steps, width = 500, 32
    layer, x = penstock.LSTM(4, width), torch.randn(steps, 8, 4)
    with torch.no_grad():
        layer(x)
        held = tensors_held(lambda: layer(x)[0])
    kept = tensors_held(lambda: layer(x)[0])
    sequence = steps * 8 * width
    assert kept > 5 * sequence
    assert held < 1.1 * sequence


def tensors_held(function):
    """Return how many numbers are held by what a call saves for the gradient and its result."""
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        output = function()
    gc.collect()
    sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in saved}
    return (sum(sizes.values()) + output.nelement() * 4) / 4


@some_cells
def test_saved_tensor_hooks(cell):
    """Saved values may be moved and brought back, as offloading to disk does."""
    layer, x = make(cell)
    expected = torch.autograd.grad(layer(x)[0].sum(), [*layer.parameters()])
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t.clone()):
        output = layer(x)[0]
    assert_close(torch.autograd.grad(output.sum(), [*layer.parameters()]), expected)


@some_cells
def test_checkpoint(cell):
    """Computed again in the backward pass."""
    layer, x = make(cell)
    x.requires_grad_()
    expected = torch.autograd.grad(layer(x)[0].sum(), [x, *layer.parameters()])
    output = torch.utils.checkpoint.checkpoint(lambda x: layer(x)[0], x, use_reentrant=False)
    assert_close(torch.autograd.grad(output.sum(), [x, *layer.parameters()]), expected)


# ---------------------------------------------------------------- torch.compile, torch.export


@contextlib.contextmanager
def without_their_warnings():
    """torch.compile and torch.export warn of their own matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch._dynamo.reset()
        yield
        torch._dynamo.reset()


class Model(torch.nn.Module):
    """A model with a recurrent layer in it."""

    def __init__(self, recurrent, width):
        super().__init__()
        self.recurrent, self.head = recurrent, torch.nn.Linear(width, 2)

    def forward(self, x, **masks):
        output, _ = self.recurrent(torch.tanh(x), **masks)
        return self.head(output)


def models():
    """Yield models over drop-ins and over cells of one's own, with their masks."""
    torch.manual_seed(0)
    for kind in DROPINS:
        yield kind.__name__, Model(kind(I, H, 2, bidirectional=True), 2 * H), {}
    masks = {"lengths": torch.tensor([3, 2]), "reset": torch.rand(T, B) < 0.3}
    for cell in ("gru_reset_before", "depth_gated_lstm", "elman", "lru", "antisymmetric_rnn"):
        yield cell, Model(penstock.Recurrent(cell, I, H, 2), H), {}
    yield "masked", Model(penstock.Recurrent("peephole_lstm", I, H), H), masks


MODELS = [pytest.param(model, masks, id=name) for name, model, masks in models()]
every_model = pytest.mark.parametrize(("model", "masks"), MODELS)


@every_model
def test_compile(model, masks):
    """In one graph, with equal outputs and gradients, and for other batch sizes too."""
    with without_their_warnings():
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
        for batch in (B, B + 1) if not masks else (B,):
            x = torch.randn(T, batch, I)
            leaves = [x.requires_grad_(), *model.parameters()]
            found = []
            for way in (compiled, model):
                output = way(x, **masks)
                found.append([output, *torch.autograd.grad(output.square().sum(), leaves)])
            assert_close(*found, tolerance=1e-5)


def test_the_compiled_graph_is_small():
    """A sweep is one operator in it, not one for every step."""
    model, x = Model(penstock.LSTM(I, H), H), torch.randn(50, B, I)
    with without_their_warnings():
        explained = torch._dynamo.explain(model)(x)
    assert explained.graph_break_count == 0
    assert explained.op_count < 30


@every_model
def test_export(model, masks):
    x = torch.randn(T, B, I)
    with without_their_warnings():
        exported = torch.export.export(model, (x,), masks)
        torch.testing.assert_close(exported.module()(x, **masks), model(x, **masks))


def test_an_exported_file_runs_in_another_process(tmp_path):
    """The operator finds its cell again by name."""
    torch.manual_seed(0)
    model, x = Model(penstock.Recurrent("gru_reset_before", I, H), H), torch.randn(T, B, I)
    path = tmp_path / "model.pt2"
    with without_their_warnings():
        torch.export.save(torch.export.export(model, (x,)), path)
        loaded = torch.export.load(path)
        torch.testing.assert_close(loaded.module()(x), model(x))


def test_the_equations_are_not_run_where_a_kernel_is(monkeypatch):
    """Or the tests above would compare the equations with themselves."""
    layer, x = make("lstm")
    monkeypatch.setattr(eager, "run", None)
    layer(x.requires_grad_())[0].sum().backward()

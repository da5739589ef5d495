"""The kinds of case that torch's suite of torch.nn has for RNN, LSTM and GRU (its test_nn.py).

Beside those in test_dropin.py: arguments, states, dropout, options, empty batches, retained graphs,
weights that are shared, swapped, normed and pruned, and what else happens to a module. Left out:

- RNNCell, LSTMCell and GRUCell: a step is `Recurrent.stream`, and a cell is an equation;
- weights in one piece, cuDNN's flags, its dropout state, CPU against CUDA, MIOpen, MPS: there are
  no such weights, and no such device here (test_cuda.py runs where there is one);
- transformers and other modules that share those files.
"""

import copy
import os
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import penstock
from penstock.errors import ArgumentError

T, B, I, H = 5, 3, 4, 6
NAMES = ["RNN", "LSTM", "GRU"]
every_name = pytest.mark.parametrize("name", NAMES)
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")


def pair(name, *arguments, **keywords):
    """Return torch's module and ours with its weights."""
    torch.manual_seed(0)
    theirs = getattr(nn, name)(*(arguments or (I, H)), **keywords)
    ours = getattr(penstock, name)(*(arguments or (I, H)), **keywords)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def draw(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def flat(value):
    return [value] if isinstance(value, torch.Tensor) else [t for v in value for t in flat(v)]


def assert_same(ours, theirs, tolerance=1e-5):
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)


# ---------------------------------------------------------------- arguments and states


def wrong_calls(name, rows, width):
    """Yield (input, state) with one size of one of them wrong, of all ranks."""
    sizes = {"x": [T, B, I], "h": [rows, B, width]}
    for which, size in sizes.items():
        for k in range(3):
            for change in (-1, 1):
                if which == "x" and k == 0:
                    continue  # any number of steps will do
                bad = {n: list(s) for n, s in sizes.items()}
                bad[which][k] = size[k] + change
                x, h = torch.zeros(bad["x"]), torch.zeros(bad["h"])
                yield x, (h, torch.zeros(rows, B, H)) if name == "LSTM" else h
    x, h = torch.zeros(T, B, I), torch.zeros(rows, B, width)
    for bad in (h[0], h[None], h.double(), h.long()):
        yield x, (bad, torch.zeros(rows, B, H)) if name == "LSTM" else bad
    yield x, h if name == "LSTM" else (h, h)


REFUSED = (RuntimeError, ValueError, TypeError, AttributeError, IndexError)


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"proj_size": 2}], ids=str)
@pytest.mark.parametrize("num_layers", [1, 2])
@every_name
def test_every_wrong_size_is_refused_as_torch_refuses_it(name, num_layers, options):
    if "proj_size" in options and name != "LSTM":
        pytest.skip("only the LSTM projects")
    modules = pair(name, I, H, num_layers, **options)
    rows = num_layers * (1 + modules[0].bidirectional)
    width = options.get("proj_size", H)
    for x, state in wrong_calls(name, rows, width):
        errors = []
        for module in modules:
            with pytest.raises(REFUSED) as caught:
                module(x, state)
            errors.append(caught.value)
        theirs, ours = errors
        assert isinstance(ours, type(theirs) | ValueError), (theirs, ours)
        if "Expected hidden" in str(theirs):
            assert str(ours) == str(theirs)


@every_name
def test_the_same_state_given_as_none_zero_or_expanded(name):
    _, ours = pair(name, I, H, 2)
    x, zero = draw(T, B, I), torch.zeros(2, 1, H).expand(2, B, H)
    state = (zero, zero) if name == "LSTM" else zero
    assert_same(ours(x), ours(x, state), 0)
    assert_same(ours(x), ours(x, None), 0)


@every_name
def test_the_state_is_given_as_a_list(name):
    theirs, ours = pair(name)
    if name == "LSTM":
        state = [draw(1, B, H), draw(1, B, H, seed=2)]
        assert_same(ours(draw(T, B, I), state), theirs(draw(T, B, I), state))


@every_name
def test_inputs_on_another_device_are_refused(name):
    for module in pair(name):
        with pytest.raises((RuntimeError, NotImplementedError, ArgumentError)):
            torch.zeros(1) + module(torch.empty(T, B, I, device="meta"))[0]


@every_name
def test_batches_of_no_rows(name):
    for shape in ((T, 0, I), (1, 0, I)):
        found = []
        for module in pair(name, I, H, 2, bidirectional=True):
            x = torch.zeros(shape, requires_grad=True)
            output, state = module(x)
            output.sum().backward()
            found.append([output, *flat(state), x.grad, *(p.grad for p in module.parameters())])
        assert_same(*found)


# ---------------------------------------------------------------- dropout


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@every_name
def test_dropout_statistics(name, p):
    """Of ones that go through a layer that copies them: so many zeros, the rest scaled."""
    _, ours = pair(name, 100, 100, 2, dropout=p)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.zero_()
        ours.bias_ih_l0.fill_(20 if name != "GRU" else -20)
        if name == "GRU":
            ours.bias_ih_l0[200:].fill_(20)
        rows = {"RNN": slice(0, 100), "LSTM": slice(200, 300), "GRU": slice(200, 300)}[name]
        ours.weight_ih_l1[rows].copy_(torch.eye(100))
    found = ours(torch.zeros(1, 50, 100))[0]
    zeros = found.eq(0).double().mean().item()
    assert abs(zeros - p) < 0.03 or (p == 0 and zeros == 0)


@every_name
def test_dropout_is_read_at_every_call(name):
    theirs, ours = pair(name, I, H, 3, dropout=0.0)
    x = draw(T, B, I)
    before = ours(x)
    for module in (theirs, ours):
        module.dropout = 1.0
    assert_same(ours(x), theirs(x))
    assert not torch.equal(ours(x)[0], before[0])
    ours.dropout = 0.0
    assert_same(ours(x), before, 0)


@every_name
def test_dropout_follows_the_generator_through_copies(name):
    _, ours = pair(name, I, H, 2, dropout=0.5)
    x, state = draw(T, B, I), torch.get_rng_state()
    found = []
    for module in (ours, copy.deepcopy(ours), ours):
        torch.set_rng_state(state)
        found.append(module(x)[0])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


# ---------------------------------------------------------------- options


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_nonlinearity_by_keyword_and_position(nonlinearity):
    _, ours = pair("RNN", I, H, 1, nonlinearity)
    again = penstock.RNN(I, H, nonlinearity=nonlinearity)
    again.load_state_dict(ours.state_dict())
    assert again.nonlinearity == ours.nonlinearity == nonlinearity
    x, h = draw(1, B, I), draw(1, B, H)
    weights = dict(ours.named_parameters())
    z = x[0] @ weights["weight_ih_l0"].T + h[0] @ weights["weight_hh_l0"].T
    z = z + weights["bias_ih_l0"] + weights["bias_hh_l0"]
    assert_same([again(x, h)[0][0], ours(x, h)[0][0]], [getattr(torch, nonlinearity)(z)] * 2)


@pytest.mark.parametrize("proj_size", [1, 3, H - 1])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_projections(proj_size, bidirectional, batch_first):
    options = {"proj_size": proj_size, "bidirectional": bidirectional, "batch_first": batch_first}
    theirs, ours = pair("LSTM", I, H, 2, **options)
    assert_same(ours(draw(T, B, I)), theirs(draw(T, B, I)))
    assert [p.shape for p in ours.parameters()] == [p.shape for p in theirs.parameters()]


# ---------------------------------------------------------------- graphs


@every_name
def test_a_retained_graph_gives_the_same_gradients_again(name):
    _, ours = pair(name, I, H, 2, bidirectional=True)
    output, _ = ours(draw(T, B, I))
    first = torch.autograd.grad(output.sum(), list(ours.parameters()), retain_graph=True)
    second = torch.autograd.grad(output.sum(), list(ours.parameters()))
    assert_same(first, second, 0)
    with pytest.raises(RuntimeError, match="second time"):
        output.sum().backward()


@every_name
def test_one_weight_in_two_places(name):
    found = []
    for module in pair(name, H, H, 2):
        module.weight_hh_l1 = module.weight_hh_l0
        assert len(list(module.parameters())) == 7
        module(draw(T, B, H))[0].square().sum().backward()
        found.append([p.grad for p in module.parameters()])
    assert_same(*found)


@every_name
def test_weights_that_are_views_of_one_vector(name):
    """As optimisers lay them, and nn.utils.vector_to_parameters."""
    theirs, ours = pair(name, I, H, 2)
    vector = nn.utils.parameters_to_vector(theirs.parameters()).detach() * 0.5
    for module in (theirs, ours):
        nn.utils.vector_to_parameters(vector, module.parameters())
    assert_same(ours(draw(T, B, I)), theirs(draw(T, B, I)))
    with torch.no_grad():
        vector.mul_(2)
    assert_same(ours(draw(T, B, I)), theirs(draw(T, B, I)))


@every_name
def test_weights_from_elsewhere(name):
    """functional_call, an ensemble under vmap, gradients of each row, an assigned state_dict."""
    theirs, ours = pair(name, I, H, 2)
    x = draw(T, B, I)
    ensemble = [pair(name, I, H, 2)[1] for _ in range(3)]
    for k, one in enumerate(ensemble):
        with torch.no_grad():
            one.weight_hh_l0.mul_(k)
    weights, _ = torch.func.stack_module_state(ensemble)
    together = torch.vmap(lambda w: torch.func.functional_call(ours, w, (x,))[0])(weights)
    assert_same(list(together), [one(x)[0] for one in ensemble])
    own = {n: p.detach() for n, p in ours.named_parameters()}

    def loss(weights, row):
        return torch.func.functional_call(ours, weights, (row[:, None],))[0].square().sum()

    rows = torch.vmap(torch.func.grad(loss), (None, 1))(own, x)
    total = torch.autograd.grad(theirs(x)[0].square().sum(), list(theirs.parameters()))
    assert_same([g.sum(0) for g in rows.values()], total)
    ours.load_state_dict({n: p * 2 for n, p in own.items()}, assign=True)
    theirs.load_state_dict(ours.state_dict())
    assert_same(ours(x), theirs(x))


NORMS = [
    lambda m: parametrizations.weight_norm(m, "weight_hh_l0"),
    lambda m: parametrizations.weight_norm(m, "weight_ih_l0", dim=None),
    lambda m: parametrizations.orthogonal(m, "weight_hh_l0"),
    lambda m: prune.l1_unstructured(m, "weight_hh_l0", 0.5),
    lambda m: prune.ln_structured(m, "weight_ih_l0", 0.5, n=2, dim=0),
    lambda m: nn.utils.weight_norm(m, "weight_hh_l0"),
    lambda m: nn.utils.spectral_norm(m, "weight_hh_l0"),
]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("change", NORMS)
@every_name
def test_norms_and_pruning(name, change):
    found = []
    for module in pair(name):
        torch.manual_seed(3)
        change(module)
        output, _ = module(draw(T, B, I))
        output.square().sum().backward()
        found.append([output, *(p.grad for p in module.parameters())])
    assert_same(*found)


# ---------------------------------------------------------------- the life of a module


@every_name
def test_hooks_are_called(name):
    _, ours = pair(name)
    called = []
    for kind in ("forward_pre", "forward", "full_backward"):
        register = getattr(ours, f"register_{kind}_hook")
        register(lambda *_, kind=kind: called.append(kind))
    ours.register_state_dict_post_hook(lambda *_: called.append("saved"))
    ours.register_load_state_dict_post_hook(lambda *_: called.append("loaded"))
    ours(draw(T, B, I).requires_grad_())[0].sum().backward()
    ours.load_state_dict(ours.state_dict())
    assert called == ["forward_pre", "forward", "full_backward", "saved", "loaded"]


@pytest.mark.parametrize("enforce_sorted", [True, False])
@every_name
def test_a_packed_sequence_keeps_its_order_and_its_device(name, enforce_sorted):
    theirs, ours = pair(name, I, H, 2, bidirectional=True)
    lengths = [5, 4, 2] if enforce_sorted else [2, 5, 4]
    packed = pack_padded_sequence(draw(T, B, I), lengths, enforce_sorted=enforce_sorted)
    with torch.device("meta"):  # where new tensors would lie
        output, state = ours(packed)
    expected, their_state = theirs(packed)
    assert isinstance(output, PackedSequence)
    assert_same([output.data, *flat(state)], [expected.data, *flat(their_state)])


@every_name
def test_new_tensors_elsewhere_do_not_disturb(name):
    _, ours = pair(name, I, H, 2)
    masked = penstock.Recurrent(
        "peephole_lstm", I, H, zoneout=0.1, recurrent_dropout=0.1, weight_drop=0.1, checkpoint=True
    )
    x = draw(T, B, I)
    with torch.device("meta"):
        ours(x)[0].sum().backward()
        masked(x, lengths=[5, 2, 0])[0].sum().backward()
        assert ours.stream(B).step(x[0]).device.type == "cpu"


@every_name
def test_made_on_meta_and_filled_later(name):
    with torch.device("meta"):
        module = getattr(penstock, name)(I, H, 2)
        other = penstock.Recurrent("lru", I, H, trainable_state=True, layer_norm=False)
    assert all(p.is_meta for m in (module, other) for p in m.parameters())
    for made in (module, other):
        made.to_empty(device="cpu").reset_parameters()
        assert made(draw(T, B, I))[0].isfinite().all()
    torch.manual_seed(4)
    module.reset_parameters()
    torch.manual_seed(4)
    theirs = getattr(nn, name)(I, H, 2)
    assert_same(list(module.parameters()), list(theirs.parameters()), 0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
@every_name
def test_the_default_type(name, dtype):
    torch.set_default_dtype(dtype)
    try:
        made, wide = getattr(penstock, name)(I, H), getattr(penstock, name)(I, H, dtype=torch.float)
        assert made(torch.randn(T, B, I))[0].dtype == dtype
        assert wide(torch.randn(T, B, I, dtype=torch.float))[0].dtype == torch.float
    finally:
        torch.set_default_dtype(torch.float32)


@every_name
def test_shared_memory(name):
    theirs, ours = pair(name)
    ours.share_memory()
    assert all(p.is_shared() for p in ours.parameters())
    assert_same(ours(draw(T, B, I)), theirs(draw(T, B, I)))


class Tagged(torch.Tensor):
    """A subclass of tensors that does nothing else."""


@every_name
def test_a_subclass_of_tensors_stays_one(name):
    theirs, ours = pair(name)
    x = draw(T, B, I).as_subclass(Tagged)
    assert type(ours(x)[0]) is type(theirs(x)[0]) is Tagged
    assert_same([t.as_subclass(torch.Tensor) for t in flat(ours(x))], theirs(draw(T, B, I)))


def test_in_parallel_on_processes():
    """DDP, FSDP and distributed tensors, with one process."""
    from torch.distributed.device_mesh import init_device_mesh  # noqa: PLC0415  (they take a second)
    from torch.distributed.fsdp import fully_shard  # noqa: PLC0415
    from torch.distributed.tensor import Replicate, distribute_tensor  # noqa: PLC0415

    x, layer = draw(T, B, I), penstock.Recurrent("peephole_lstm", I, H)
    expected = layer(x)[0]
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrapped = nn.parallel.DistributedDataParallel(layer)
            assert_same(wrapped(x)[0], expected)
            mesh = init_device_mesh("cpu", (1,))
            sharded = fully_shard(copy.deepcopy(layer), mesh=mesh)
            output = sharded(x)[0]
            output.sum().backward()
            assert_same(output, expected)
            places = [Replicate()]
            weights = {
                n: distribute_tensor(p.detach(), mesh, places) for n, p in layer.named_parameters()
            }
            spread = distribute_tensor(x, mesh, places)
            output = torch.func.functional_call(layer, weights, (spread,))[0]
            assert_same(output.full_tensor(), expected)
    finally:
        torch.distributed.destroy_process_group()

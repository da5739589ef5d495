"""penstock's layers in the place of torch.nn's: by name, and in a model at hand."""

import copy
import itertools
import threading
import time

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import penstock
from penstock.errors import ArgumentError

NAMES = ["RNN", "LSTM", "GRU"]
TORCHS = {name: getattr(nn, name) for name in NAMES}
every_name = pytest.mark.parametrize("name", NAMES)
projection_warns = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")


@pytest.fixture(autouse=True)
def as_before():
    """Whatever a test does, torch.nn has its own classes afterwards."""
    yield
    for home in (nn, nn.modules):
        for name, cls in TORCHS.items():
            setattr(home, name, cls)


def flat(value):
    return [value] if isinstance(value, torch.Tensor) else [t for v in value for t in flat(v)]


def assert_same(ours, theirs):
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


class Theirs(nn.Module):
    """Somebody's model, which says nn.LSTM and asks what its parts are."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict({name: getattr(nn, name)(3, 4, 2) for name in NAMES})
        self.again = self.layers["GRU"]
        for part in self.modules():
            if isinstance(part, nn.LSTM | nn.GRU | nn.RNN):
                nn.init.orthogonal_(part.weight_hh_l0)

    def forward(self, x):
        """Return all outputs, and one of them again."""
        return [layer(x)[0] for layer in self.layers.values()] + [self.again(x)[0]]


# ---------------------------------------------------------------- by name


@every_name
def test_assigned_by_hand(name):
    setattr(nn, name, getattr(penstock, name))
    layer = getattr(nn, name)(3, 4, 2)
    assert type(layer) is getattr(penstock, name)
    assert isinstance(layer, getattr(nn, name))
    assert layer(torch.randn(5, 2, 3))[0].shape == (5, 2, 4)
    with pytest.raises(RuntimeError, match="Expected 3, got 7"):
        layer(torch.randn(5, 2, 7))
    assert_same(copy.deepcopy(layer)(torch.ones(5, 2, 3)), layer(torch.ones(5, 2, 3)))


@pytest.mark.parametrize("home", [nn, nn.modules])
def test_patch_torch_is_undone_by_the_block(home):
    torch.manual_seed(0)
    theirs = Theirs()
    with penstock.patch_torch():
        assert [getattr(home, n) for n in NAMES] == [getattr(penstock, n) for n in NAMES]
        ours = Theirs()
        assert all(type(part) is getattr(penstock, n) for n, part in ours.layers.items())
    assert {n: getattr(home, n) for n in NAMES} == TORCHS
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 2, 3)
    assert_same(ours(x), theirs(x))


def test_patch_torch_is_undone_by_close_and_can_be_nested():
    outer = penstock.patch_torch()
    with penstock.patch_torch():
        assert nn.LSTM is penstock.LSTM
    assert nn.LSTM is penstock.LSTM
    outer.close()
    outer.close()
    assert TORCHS["LSTM"] is nn.LSTM


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_patches_closed_in_any_order(order):
    patches = [penstock.patch_torch() for _ in range(3)]
    for k in order:
        assert nn.LSTM is nn.modules.LSTM is penstock.LSTM
        patches[k].close()
        patches[k].close()
    assert {n: getattr(nn, n) for n in NAMES} == TORCHS


def test_a_patch_over_what_somebody_has_put_back():
    with penstock.patch_torch():
        nn.LSTM = TORCHS["LSTM"]
        with penstock.patch_torch():
            assert nn.LSTM is penstock.LSTM
    assert TORCHS["LSTM"] is nn.LSTM


def test_patches_of_several_threads():
    """In each block it holds, whatever the others do; after all of them torch is as before."""
    seen, together = [], threading.Barrier(4)

    def run(k):
        together.wait()
        for _ in range(50):
            with penstock.patch_torch():
                time.sleep(1e-4)
                seen.append(nn.LSTM is nn.modules.LSTM is penstock.LSTM)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 200
    assert all(seen)
    assert {n: getattr(nn, n) for n in NAMES} == TORCHS


def test_patch_torch_is_undone_by_an_error():
    with pytest.raises(KeyError), penstock.patch_torch():
        raise KeyError
    assert TORCHS["GRU"] is nn.GRU


def test_modules_made_before_are_pickled_and_compared_as_before():
    theirs = nn.LSTM(3, 4)
    with penstock.patch_torch():
        copied = copy.deepcopy(theirs)
        assert type(copied) is TORCHS["LSTM"]
        assert isinstance(theirs, nn.RNNBase)
        assert isinstance(penstock.LSTM(3, 4), nn.RNNBase)


@projection_warns
@pytest.mark.parametrize("proj_size", [0, 2])
def test_a_subclass_that_calls_torchs_operator_itself(proj_size):
    """As subclasses of nn.LSTM do that change one thing of its forward."""
    with penstock.patch_torch():

        class Own(nn.LSTM):
            def forward(self, x):
                rows = self.num_layers, x.shape[1]
                states = x.new_zeros(*rows, proj_size or 4), x.new_zeros(*rows, 4)
                states = self.permute_hidden(states, None)
                self.check_forward_args(x, states, None)
                self._update_flat_weights()
                self.flatten_parameters()
                return torch.lstm(
                    x, states, self._flat_weights, self.bias, self.num_layers, self.dropout,
                    self.training, self.bidirectional, self.batch_first,
                )  # fmt: skip

    layer, x = Own(3, 4, 2, proj_size=proj_size), torch.randn(5, 2, 3)
    assert_same(layer(x)[0], penstock.LSTM.forward(layer, x)[0])
    with pytest.raises(RuntimeError, match="Expected 3, got 7"):
        layer(torch.randn(5, 2, 7))


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # by torch, at its own graph break
def test_compile_while_torch_is_patched_and_after():
    with penstock.patch_torch():
        model, x = Theirs(), torch.randn(5, 2, 3)
        assert_same(torch.compile(model, backend="eager")(x), model(x))
    torch._dynamo.reset()
    assert_same(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))


# ---------------------------------------------------------------- in a model


def test_there_and_back():
    torch.manual_seed(0)
    model, x = Theirs().eval(), torch.randn(5, 2, 3)
    expected, parameters = model(x), dict(model.named_parameters())
    assert penstock.from_torch(model) is model
    assert all(type(part) is getattr(penstock, n) for n, part in model.layers.items())
    assert model.again is model.layers["GRU"]
    assert dict(model.named_parameters()).keys() == parameters.keys()
    assert all(p is parameters[n] for n, p in model.named_parameters())
    assert not model.layers["LSTM"].training
    assert_same(model(x), expected)
    assert penstock.to_torch(model) is model
    assert {n: type(part) for n, part in model.layers.items()} == TORCHS
    assert all(p is parameters[n] for n, p in model.named_parameters())
    assert_same(model(x), expected)
    model.double()(x.double())  # torch's own list of its weights follows them


OPTIONS = [
    ("RNN", {"nonlinearity": "relu", "bias": False}),
    ("LSTM", {"proj_size": 2, "bidirectional": True}),
    ("GRU", {"batch_first": True, "num_layers": 3, "dropout": 0.5}),
]


@projection_warns
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_options_dtype_and_hooks_go_with_a_layer(name, options):
    layer = TORCHS[name](3, 4, dtype=torch.float64, **options).eval()
    layer.weight_hh_l0.requires_grad_(False)
    called = []
    layer.register_forward_hook(lambda *_: called.append(1))
    ours = penstock.from_torch(layer)
    assert repr(ours) == repr(layer)
    assert not ours.weight_hh_l0.requires_grad
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    assert_same(ours(x), layer(x))
    assert_same(penstock.to_torch(ours)(x), layer(x))
    assert len(called) == 4


def test_what_is_not_torchs_own_class_stays():
    class Own(nn.LSTM):
        """A subclass, which may do anything."""

    model = nn.Sequential(Own(3, 4), nn.Linear(4, 2), penstock.Recurrent("mgu", 2, 2))
    parts = list(model)
    penstock.from_torch(model)
    penstock.to_torch(model)
    assert list(model) == parts


def test_weight_norm_is_an_error():
    layer = nn.Sequential(nn.LSTM(3, 4))
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(layer[0], "weight_hh_l0")
    with pytest.raises(ArgumentError, match="undo what changed them, such as weight norm"):
        penstock.from_torch(layer)
    assert type(layer[0]) is nn.LSTM
    layer = parametrizations.weight_norm(nn.LSTM(3, 4), "weight_hh_l0")
    with pytest.raises(ArgumentError, match="undo what changed them, such as weight norm"):
        penstock.from_torch(layer)

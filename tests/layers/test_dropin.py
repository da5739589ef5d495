"""The drop-ins beside torch.nn: same numbers, same gradients, same weights, same complaints."""

import copy
import inspect
import io
import itertools
import pickle
import typing
import warnings
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import penstock

# said by torch.nn's own module, once a process
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")

T, B, I, H = 4, 3, 3, 4
LENGTHS = {"sorted": [4, 2, 1], "unsorted": [2, 4, 1]}
KINDS = {
    "rnn_tanh": ("RNN", {"nonlinearity": "tanh"}, "a"),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}, "a"),
    "lstm": ("LSTM", {}, "ifgo"),
    "lstm_projected": ("LSTM", {"proj_size": 2}, "ifgo"),
    "gru": ("GRU", {}, "rzn"),
}
STACKS = list(itertools.product([1, 2, 3], [False, True]))


def both(kind, dtype=torch.float32, seed=0, **keywords):
    """Return torch's module and ours with torch's weights, loaded strictly."""
    name, options, _ = KINDS[kind]
    torch.manual_seed(seed)
    theirs = getattr(nn, name)(I, H, dtype=dtype, **options, **keywords)
    ours = getattr(penstock, name)(I, H, dtype=dtype, **options, **keywords)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def tensors(value):
    """Return the tensors in an output or a state."""
    if isinstance(value, PackedSequence):
        return [value.data]
    return [value] if isinstance(value, torch.Tensor) else [t for v in value for t in tensors(v)]


@dataclass(frozen=True)
class Example:
    """An input and an initial state, both leaves, and the form in which the input is given."""

    form: str
    batch_first: bool
    x: torch.Tensor
    state: tuple[torch.Tensor, ...]

    def leaves(self):
        """Return fresh leaves: the input, then the states."""
        return [t.clone().requires_grad_() for t in (self.x, *self.state)]

    def call(self, module, x, *state):
        """Run a module on the leaves."""
        if self.form in LENGTHS:
            x = pack_padded_sequence(
                x, LENGTHS[self.form], self.batch_first, enforce_sorted=self.form == "sorted"
            )
        return module(x, state if len(state) > 1 else state[0])


def example(module, form="padded", dtype=torch.float32, seed=1):
    """Return random input and initial state that fit a module."""
    generator = torch.Generator().manual_seed(seed)
    rows = module.num_layers * (1 + module.bidirectional)
    batch = () if form == "unbatched" else (B,)
    shape = (*batch, T, I) if module.batch_first else (T, *batch, I)
    widths = [getattr(module, "proj_size", 0) or H, H][: 1 + isinstance(module, LSTMS)]
    draw = [
        torch.randn(s, dtype=dtype, generator=generator)
        for s in (shape, *((rows, *batch, w) for w in widths))
    ]
    return Example(form, module.batch_first, draw[0], tuple(draw[1:]))


LSTMS = (nn.LSTM, penstock.LSTM)


def run(module, given):
    """Return all that a module gives: outputs, states, and the gradient of everything."""
    leaves = given.leaves()
    output, state = given.call(module, *leaves)
    results = tensors((output, state))
    generator = torch.Generator().manual_seed(2)
    weights = [torch.randn(r.shape, dtype=r.dtype, generator=generator) for r in results]
    parameters = dict(module.named_parameters())
    gradients = torch.autograd.grad(results, [*leaves, *parameters.values()], weights)
    names = [f"result {i}" for i in range(len(results))]
    names += [f"gradient of leaf {i}" for i in range(len(leaves))]
    names += [f"gradient of {name}" for name in parameters]
    return output, dict(zip(names, [*results, *gradients], strict=True))


def assert_agree(theirs, ours, given, tolerance=1e-5):
    """Fail unless both modules give the same, gradients included."""
    output, expected = run(theirs, given)
    got_output, got = run(ours, given)
    assert list(got) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(
            got[name], value, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )
    assert type(got_output) is type(output)
    if isinstance(output, PackedSequence):
        for got_part, part in zip(got_output[1:], output[1:], strict=True):
            assert (got_part is None) == (part is None)
            assert part is None or torch.equal(got_part, part)


# ---------------------------------------------------------------- the numbers


@pytest.mark.parametrize("form", ["padded", "unbatched", "sorted", "unsorted"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
@pytest.mark.parametrize("batch_first", [False, True], ids=["time_first", "batch_first"])
@pytest.mark.parametrize(("num_layers", "bidirectional"), STACKS)
@pytest.mark.parametrize("kind", KINDS)
def test_same_as_torch(kind, num_layers, bidirectional, batch_first, bias, form):
    theirs, ours = both(
        kind,
        num_layers=num_layers,
        bidirectional=bidirectional,
        batch_first=batch_first,
        bias=bias,
    )
    assert_agree(theirs, ours, example(theirs, form))


@pytest.mark.parametrize("form", ["padded", "unsorted"])
@pytest.mark.parametrize("kind", KINDS)
def test_same_as_torch_in_float64(kind, form):
    theirs, ours = both(kind, torch.float64, num_layers=2, bidirectional=True)
    assert_agree(theirs, ours, example(theirs, form, torch.float64), 1e-12)


@pytest.mark.parametrize("form", ["padded", "unbatched", "sorted", "unsorted"])
@pytest.mark.parametrize("kind", KINDS)
def test_without_an_initial_state(kind, form):
    theirs, ours = both(kind, num_layers=2, bidirectional=True)
    given = example(theirs, form)
    x = given.x
    if form in LENGTHS:
        x = pack_padded_sequence(x, LENGTHS[form], enforce_sorted=form == "sorted")
    for got, expected in zip(tensors(ours(x)), tensors(theirs(x)), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_results(kind):
    theirs, ours = both(kind, num_layers=2)
    for form in ("padded", "unbatched"):
        given = example(theirs, form)
        for got, expected in zip(ours(given.x), theirs(given.x), strict=True):
            assert type(got) is type(expected)
            assert [t.shape for t in tensors(got)] == [t.shape for t in tensors(expected)]


@pytest.mark.parametrize("kind", KINDS)
def test_packed_output_unpacks(kind):
    theirs, ours = both(kind, bidirectional=True)
    packed = pack_padded_sequence(example(theirs).x, LENGTHS["unsorted"], enforce_sorted=False)
    padded, lengths = pad_packed_sequence(ours(packed)[0])
    expected, expected_lengths = pad_packed_sequence(theirs(packed)[0])
    assert torch.equal(lengths, expected_lengths)
    torch.testing.assert_close(padded, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch(kind):
    theirs, ours = both(kind)
    x = torch.zeros(T, 0, I)
    expected = [t.shape for t in tensors(theirs(x))]
    assert [t.shape for t in tensors(ours(x))] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_non_contiguous(kind):
    theirs, ours = both(kind, num_layers=2)
    given = example(theirs)
    x = given.x.transpose(0, 1).contiguous().transpose(0, 1)
    state = tuple(s.transpose(1, 2).contiguous().transpose(1, 2) for s in given.state)
    assert not x.is_contiguous()
    assert_agree(theirs, ours, Example("padded", False, x, state))


def test_nothing_given_is_changed():
    theirs, ours = both("lstm", num_layers=2, bidirectional=True)
    given = example(theirs)
    copies = [t.clone() for t in (given.x, *given.state)]
    ours(given.x, given.state)
    assert all(torch.equal(a, b) for a, b in zip(copies, (given.x, *given.state), strict=True))


SWAPS = [
    (kind, part, a, b)
    for kind, (_, _, gates) in KINDS.items()
    for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for a in range(len(gates))
    for b in range(a)
]


@pytest.mark.parametrize(("kind", "part", "a", "b"), SWAPS)
def test_the_comparison_sees_swapped_gates(kind, part, a, b):
    theirs, ours = both(kind)
    gates = len(KINDS[kind][2])
    with torch.no_grad():
        rows = getattr(ours, f"{part}_l0").unflatten(0, (gates, H))
        rows[[a, b]] = rows[[b, a]].clone()
    with pytest.raises(AssertionError, match="result 0"):
        assert_agree(theirs, ours, example(theirs))


@pytest.mark.parametrize("name", ["weight_ih_l1", "weight_hh_l0_reverse", "bias_hh_l1_reverse"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_comparison_sees_a_changed_column(kind, name):
    theirs, ours = both(kind, num_layers=2, bidirectional=True)
    with torch.no_grad():
        getattr(ours, name).view(len(getattr(ours, name)), -1)[:, 0] += 0.1
    with pytest.raises(AssertionError):
        assert_agree(theirs, ours, example(theirs))


# ---------------------------------------------------------------- weights

LAYOUTS = [
    {"num_layers": n, "bidirectional": d, "bias": b}
    for (n, d), b in itertools.product(STACKS, [True, False])
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda d: "-".join(map(str, d.values())))
@pytest.mark.parametrize("kind", KINDS)
def test_weights_both_ways_and_the_same_seed(kind, layout):
    name, options, _ = KINDS[kind]
    made = []
    for home in (nn, penstock):
        torch.manual_seed(7)
        module = getattr(home, name)(I, H, **options, **layout)
        made.append((module, torch.rand(1)))  # as many numbers drawn
    (theirs, their_next), (ours, our_next) = made
    assert torch.equal(their_next, our_next)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(1)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key


@pytest.mark.parametrize("kind", KINDS)
def test_reset_parameters_draws_as_torch_does(kind):
    theirs, ours = both(kind, num_layers=2, bidirectional=True)
    for module in (theirs, ours):
        torch.manual_seed(11)
        module.reset_parameters()
    for expected, got in zip(theirs.parameters(), ours.parameters(), strict=True):
        assert torch.equal(expected, got)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_dict_that_does_not_fit(kind):
    theirs, ours = both(kind)
    for change in ("missing", "extra", "shape"):
        weights = dict(theirs.state_dict())
        if change == "missing":
            del weights["weight_hh_l0"]
        elif change == "extra":
            weights["weight_ih_l1"] = weights["weight_ih_l0"]
        else:
            weights["weight_ih_l0"] = torch.zeros(1, 1)
        for module in (theirs, ours):
            with pytest.raises(RuntimeError, match="state_dict"):
                module.load_state_dict(weights)


# ---------------------------------------------------------------- the face

OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "dropout": 0.25},
    {"bias": False, "batch_first": True, "bidirectional": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_repr_and_attributes(kind, options):
    theirs, ours = both(kind, **options)
    assert repr(ours) == repr(theirs)
    assert repr(nn.Sequential(ours)) == repr(nn.Sequential(theirs))
    public = [
        "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout",
        "bidirectional", "proj_size", *(["nonlinearity"] if kind.startswith("rnn") else []),
    ]  # fmt: skip
    for attribute in public:
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute
        assert type(getattr(ours, attribute)) is type(getattr(theirs, attribute)), attribute


@pytest.mark.parametrize("kind", KINDS)
def test_all_weights(kind):
    theirs, ours = both(kind, num_layers=2, bidirectional=True)
    assert [len(group) for group in ours.all_weights] == [len(g) for g in theirs.all_weights]
    flat = [w for group in ours.all_weights for w in group]
    expected = [w for group in theirs.all_weights for w in group]
    assert all(torch.equal(a, b) for a, b in zip(flat, expected, strict=True))
    assert [id(w) for w in flat] == [id(p) for p in ours.parameters()]


@pytest.mark.parametrize("kind", KINDS)
def test_flatten_parameters(kind):
    theirs, ours = both(kind)
    assert ours.flatten_parameters() is None
    assert_agree(theirs, ours, example(theirs))


def written_signature(cls):
    """Return names and defaults as torch writes them down, in an overload where it has one.

    Ours has one name more where torch reads **kwargs: it takes what is refused.
    """
    overloads = typing.get_overloads(cls.__init__)
    signature = inspect.signature(overloads[0] if overloads else cls.__init__)
    parameters = [p for p in signature.parameters.values() if p.name != "refused"]
    return [(p.name, p.default) for p in parameters]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_signature(name):
    assert written_signature(getattr(penstock, name)) == written_signature(getattr(nn, name))
    theirs = [*inspect.signature(getattr(nn, name).forward).parameters.values()]
    ours = [*inspect.signature(getattr(penstock, name).forward).parameters.values()]
    assert [(p.name, p.default) for p in ours[:3]] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RNN", (3, 4, 2, "relu", False, True, 0.0, True)),
        ("LSTM", (3, 4, 2, False, True, 0.0, True, 2)),
        ("GRU", (3, 4, 2, False, True, 0.0, True)),
    ],
)
def test_arguments_by_position(name, arguments):
    theirs, ours = getattr(nn, name)(*arguments), getattr(penstock, name)(*arguments)
    assert repr(ours) == repr(theirs)
    ours.load_state_dict(theirs.state_dict())
    assert_agree(theirs, ours, example(theirs))


@pytest.mark.parametrize("kind", KINDS)
def test_keywords_of_the_call(kind):
    _, ours = both(kind)
    given = example(ours)
    state = given.state if len(given.state) > 1 else given.state[0]
    expected = ours(given.x, state)
    got = ours(input=given.x, hx=state)
    assert all(torch.equal(a, b) for a, b in zip(tensors(got), tensors(expected), strict=True))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_device_and_dtype(name):
    module = getattr(penstock, name)(3, 4, device="meta", dtype=torch.float16)
    assert {(p.device.type, p.dtype) for p in module.parameters()} == {("meta", torch.float16)}


# ---------------------------------------------------------------- complaints


@dataclass(frozen=True)
class Bad:
    """A call that torch refuses, and the part of its message that does not change."""

    names: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)
    message: str = ""


CONSTRUCTIONS = [
    Bad("RNN LSTM GRU", (3, 0), message="hidden_size must be greater than zero"),
    Bad("RNN LSTM GRU", (3, -2), message="hidden_size must be greater than zero"),
    Bad("RNN LSTM GRU", (0, 4), message="input_size must be greater than zero"),
    Bad("RNN LSTM GRU", (-1, 4), message="input_size must be greater than zero"),
    Bad("RNN LSTM GRU", (3, 4, 0), message="num_layers must be greater than zero"),
    Bad("RNN LSTM GRU", (3, 4, -1), message="num_layers must be greater than zero"),
    Bad("RNN LSTM GRU", (3.0, 4), message="input_size should be of type int, got: float"),
    Bad("RNN LSTM GRU", ("3", 4), message="input_size should be of type int, got: str"),
    Bad("RNN LSTM GRU", (3, 4.0), message="hidden_size should be of type int, got: float"),
    Bad("RNN LSTM GRU", (3, None), message="hidden_size should be of type int, got: NoneType"),
    Bad("RNN LSTM GRU", (3, 4), {"bias": 1}, "bias should be of type bool, got: int"),
    Bad("RNN LSTM GRU", (3, 4), {"bias": 0}, "bias should be of type bool, got: int"),
    Bad("RNN LSTM GRU", (3, 4), {"bias": "yes"}, "bias should be of type bool, got: str"),
    Bad("RNN LSTM GRU", (3, 4), {"bias": None}, "bias should be of type bool, got: NoneType"),
    Bad("RNN LSTM GRU", (3, 4), {"batch_first": 1}, "batch_first should be of type bool, got: int"),
    Bad("RNN LSTM GRU", (3, 4), {"batch_first": "no"}, "batch_first should be of type bool"),
    Bad("RNN LSTM GRU", (3, 4, 2), {"dropout": 1.5}, "dropout should be a number in range [0, 1]"),
    Bad("RNN LSTM GRU", (3, 4, 2), {"dropout": -0.1}, "dropout should be a number in range"),
    Bad("RNN LSTM GRU", (3, 4, 2), {"dropout": True}, "dropout should be a number in range"),
    Bad("RNN LSTM GRU", (3, 4, 2), {"dropout": float("nan")}, "dropout should be a number"),
    Bad("RNN LSTM GRU", (3, 4, 2), {"dropout": "much"}),
    Bad("RNN LSTM GRU", (3, 4), {"unheard_of": 1}, "unexpected keyword argument 'unheard_of'"),
    Bad("RNN LSTM GRU", (3,), message="missing 1 required positional argument: 'hidden_size'"),
    Bad("RNN", (3, 4), {"nonlinearity": "gelu"}, "Unknown nonlinearity 'gelu'."),
    Bad("RNN", (3, 4, 1, "gelu"), message="Select from 'tanh' or 'relu'."),
    Bad("LSTM", (3, 4), {"proj_size": 4}, "proj_size has to be smaller than hidden_size"),
    Bad("LSTM", (3, 4), {"proj_size": 9}, "proj_size has to be smaller than hidden_size"),
    Bad("LSTM", (3, 4), {"proj_size": -1}, "proj_size should be a positive integer or zero"),
]


def error_of(call):
    """Return the exception that a call raises, or None."""
    try:
        call()
    except Exception as error:
        return error
    return None


def assert_same_complaint(theirs, ours, message):
    """Fail unless ours is of torch's type and both hold the message."""
    if theirs is None:
        pytest.skip("this version of torch accepts it")
    assert ours is not None, f"torch says {theirs!r}"
    assert isinstance(ours, type(theirs)), f"torch says {theirs!r}, we say {ours!r}"
    assert message in str(theirs)
    assert message in str(ours)


def each(cases):
    """Return (name, case) for every module that a case names."""
    return [
        pytest.param(name, case, id=f"{name}-{i}")
        for i, case in enumerate(cases)
        for name in case.names.split()
    ]


@pytest.mark.parametrize(("name", "bad"), each(CONSTRUCTIONS))
def test_bad_construction(name, bad):
    theirs, ours = (
        error_of(lambda home=home: getattr(home, name)(*bad.arguments, **bad.keywords))
        for home in (nn, penstock)
    )
    assert_same_complaint(theirs, ours, bad.message)


@pytest.mark.parametrize("name", ["RNN", "GRU"])
@pytest.mark.parametrize("keyword", ["proj_size", "projection"])
def test_only_the_lstm_projects(name, keyword):
    """It is no part of their signature, and torch's own error says so."""
    theirs, ours = (
        error_of(lambda home=home: getattr(home, name)(3, 4, **{keyword: 2}))
        for home in (nn, penstock)
    )
    assert type(ours) is type(theirs)
    assert str(ours) == str(theirs)


def zeros(*shape, dtype=torch.float32):
    return torch.zeros(shape, dtype=dtype)


def packed(width):
    return pack_padded_sequence(zeros(T, 2, width), [4, 2])


X = zeros(T, B, I)
INPUTS = [
    Bad("RNN LSTM GRU", (zeros(I),), message="Expected input to be 2D or 3D, got 1D"),
    Bad("RNN LSTM GRU", (zeros(),), message="Expected input to be 2D or 3D, got 0D"),
    Bad("RNN LSTM GRU", (zeros(1, T, B, I),), message="Expected input to be 2D or 3D, got 4D"),
    Bad("RNN LSTM GRU", (zeros(T, B, 5),), message="Expected 3, got 5"),
    Bad("RNN LSTM GRU", (zeros(T, 5),), message="Expected 3, got 5"),
    Bad("RNN GRU", (packed(5),), message="Expected 3, got 5"),
    Bad("LSTM", (packed(5),)),
    Bad("RNN LSTM GRU", (zeros(0, B, I),), message="Expected sequence length to be larger than 0"),
    Bad("RNN LSTM GRU", (zeros(T, B, I, dtype=torch.float64),), message="does not match"),
    Bad("RNN LSTM GRU", (zeros(T, B, I, dtype=torch.int64),), message="does not match"),
    Bad("RNN GRU", (X, zeros(1, H)), message="also be 3-D but got 2-D tensor"),
    Bad("RNN GRU", (zeros(T, I), zeros(1, 1, H)), message="also be 2-D but got 3-D tensor"),
    Bad("RNN GRU", (X, zeros(1, B, 5)), message="Expected hidden size (1, 3, 4), got [1, 3, 5]"),
    Bad("RNN GRU", (X, zeros(2, B, H)), message="Expected hidden size (1, 3, 4), got [2, 3, 4]"),
    Bad("RNN GRU", (X, zeros(1, 2, H)), message="Expected hidden size (1, 3, 4), got [1, 2, 4]"),
    Bad("RNN GRU", (packed(I), zeros(1, 3, H)), message="Expected hidden size (1, 2, 4)"),
    Bad("RNN GRU", (zeros(T, I), zeros(2, H)), message="Expected hidden size (1, 1, 4)"),
    Bad("LSTM", (X, (zeros(1, H), zeros(1, H))), message="also be 3-D but got (2-D, 2-D) tensors"),
    Bad("LSTM", (X, (zeros(1, B, H), zeros(1, H))), message="but got (3-D, 2-D) tensors"),
    Bad("LSTM", (zeros(T, I), (zeros(1, 1, H), zeros(1, 1, H))), message="also be 2-D but got"),
    Bad("LSTM", (X, (zeros(1, B, 5), zeros(1, B, H))), message="Expected hidden[0] size (1, 3, 4)"),
    Bad("LSTM", (X, (zeros(1, B, H), zeros(1, B, 5))), message="Expected hidden[1] size (1, 3, 4)"),
    Bad("LSTM", (X, (zeros(2, B, H), zeros(2, B, H))), message="Expected hidden[0] size (1, 3, 4)"),
    Bad("LSTM", (packed(I), (zeros(1, 3, H), zeros(1, 3, H)))),
]


@pytest.mark.parametrize(("name", "bad"), each(INPUTS))
def test_bad_input(name, bad):
    theirs, ours = (
        error_of(lambda home=home: getattr(home, name)(I, H)(*bad.arguments))
        for home in (nn, penstock)
    )
    assert_same_complaint(theirs, ours, bad.message)


BATCH_FIRST = [
    Bad("RNN LSTM GRU", (zeros(B, 0, I),), message="Expected sequence length to be larger than 0"),
    Bad("RNN LSTM GRU", (zeros(0, I),), message="Expected sequence length to be larger than 0"),
    Bad("RNN LSTM GRU", (zeros(I),), message="Expected input to be 2D or 3D, got 1D"),
    Bad("RNN LSTM GRU", (zeros(B, T, 5),), message="Expected 3, got 5"),
    Bad("RNN GRU", (zeros(B, T, I), zeros(B, 1, H)), message="Expected hidden size (1, 3, 4)"),
]


@pytest.mark.parametrize(("name", "bad"), each(BATCH_FIRST))
def test_bad_input_with_batch_first(name, bad):
    theirs, ours = (
        error_of(lambda home=home: getattr(home, name)(I, H, batch_first=True)(*bad.arguments))
        for home in (nn, penstock)
    )
    assert_same_complaint(theirs, ours, bad.message)


def test_bad_state_of_a_projection():
    arguments = (X, (zeros(1, B, H), zeros(1, B, H)))
    theirs, ours = (
        error_of(lambda home=home: home.LSTM(I, H, proj_size=2)(*arguments))
        for home in (nn, penstock)
    )
    assert_same_complaint(theirs, ours, "Expected hidden[0] size (1, 3, 2), got [1, 3, 4]")


@pytest.mark.parametrize(
    ("name", "state"), [("LSTM", zeros(1, B, H)), ("GRU", (zeros(1, B, H),) * 2), ("RNN", "zero")]
)
def test_a_state_of_the_wrong_kind_is_refused(name, state):
    with pytest.raises((TypeError, ValueError, RuntimeError, IndexError, AttributeError)):
        getattr(penstock, name)(I, H)(X, state)


# ---------------------------------------------------------------- dropout


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_the_warning_of_dropout_without_a_second_layer(name):
    said = []
    for home in (nn, penstock):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            getattr(home, name)(3, 4, dropout=0.5)
        said.append([(w.category, str(w.message)[:30]) for w in caught])  # what filters look at
    assert said[0]
    assert said[0] == said[1]


def set_training(mode, *modules):
    for module in modules:
        module.train(mode)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_dropout_of_everything(kind, bidirectional):
    """At p = 1 there is no chance in it: where the zeros go can be compared exactly."""
    theirs, ours = both(kind, num_layers=3, dropout=1.0, bidirectional=bidirectional)
    for form in ("padded", "unsorted"):
        given = example(theirs, form)
        with_dropout = run(ours, given)[1]["result 0"]
        assert_agree(theirs, ours, given)
        set_training(False, theirs, ours)
        assert_agree(theirs, ours, given)
        assert not torch.equal(run(ours, given)[1]["result 0"], with_dropout)
        set_training(True, theirs, ours)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_only_in_training(kind):
    _, ours = both(kind, num_layers=2, dropout=0.5)
    x = example(ours).x
    torch.manual_seed(0)
    one, two = ours(x)[0], ours(x)[0]
    assert not torch.equal(one, two)
    torch.manual_seed(0)
    assert torch.equal(ours(x)[0], one)
    ours.eval()
    assert torch.equal(ours(x)[0], ours(x)[0])


# ---------------------------------------------------------------- the life of a module


def same_weights_other_object(original, other):
    assert other is not original
    pairs = zip(original.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) and a is not b for a, b in pairs)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_copies(kind, duplicate):
    theirs, ours = both(kind, num_layers=2, bidirectional=True)
    ours(example(ours).x)  # what a first call may remember must not stand in the way
    other = duplicate(ours)
    same_weights_other_object(ours, other)
    assert_agree(theirs, other, example(theirs))
    with torch.no_grad():
        other.weight_ih_l0.zero_()
    assert_agree(theirs, ours, example(theirs))
    with pytest.raises(AssertionError):
        assert_agree(theirs, other, example(theirs))


@pytest.mark.parametrize("kind", KINDS)
def test_saved_weights(kind):
    theirs, ours = both(kind, num_layers=2)
    file = io.BytesIO()
    torch.save(ours.state_dict(), file)
    file.seek(0)
    _, fresh = both(kind, num_layers=2, seed=5)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert_agree(theirs, fresh, example(theirs))


@pytest.mark.parametrize("convert", [nn.Module.double, lambda m: m.to(torch.float64)])
@pytest.mark.parametrize("kind", KINDS)
def test_to_float64(kind, convert):
    theirs, ours = both(kind, num_layers=2)
    ours(example(ours).x)
    theirs, ours = convert(theirs), convert(ours)
    assert_agree(theirs, ours, example(theirs, dtype=torch.float64), 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_to_bfloat16(kind):
    theirs, ours = both(kind)
    given = example(theirs)
    expected = theirs(given.x)[0]
    got = ours.to(torch.bfloat16)(given.x.bfloat16())[0]
    assert got.dtype is torch.bfloat16
    torch.testing.assert_close(got.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("form", ["padded", "unsorted"])
@pytest.mark.parametrize("kind", KINDS)
def test_autocast(kind, form):
    theirs, ours = both(kind, num_layers=2)
    given = example(theirs, form)
    expected = tensors(given.call(theirs, given.x, *given.state))
    with torch.autocast("cpu", torch.bfloat16):
        got = tensors(given.call(ours, given.x, *given.state))
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a.float(), b, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_functional_call(kind):
    theirs, ours = both(kind, num_layers=2)
    other, _ = both(kind, num_layers=2, seed=9)
    x = example(theirs).x
    weights = {n: p.detach().clone().requires_grad_() for n, p in other.named_parameters()}
    output, _ = torch.func.functional_call(ours, weights, (x,))
    expected = other(x)[0]
    torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5)
    got = torch.autograd.grad(output.square().sum(), list(weights.values()))
    wanted = torch.autograd.grad(expected.square().sum(), list(other.parameters()))
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    assert_agree(theirs, ours, example(theirs))


@pytest.mark.parametrize("kind", KINDS)
def test_a_replaced_parameter_is_used(kind):
    theirs, ours = both(kind)
    ours(example(ours).x)
    for module in (theirs, ours):
        torch.manual_seed(3)
        module.weight_hh_l0 = nn.Parameter(torch.randn_like(module.weight_hh_l0))
    assert_agree(theirs, ours, example(theirs))


@pytest.mark.parametrize("kind", KINDS)
def test_a_subclass_with_a_signature_of_its_own(kind):
    name, options, _ = KINDS[kind]

    class Narrow(getattr(penstock, name)):
        def __init__(self, width):
            super().__init__(I, width, num_layers=2, **options)

    theirs, _ = both(kind, num_layers=2)
    ours = Narrow(H)
    ours.load_state_dict(theirs.state_dict())
    assert_agree(theirs, ours, example(theirs))


class Halved(nn.Module):
    """A parametrisation: half the weight."""

    def forward(self, weight):
        """Return half the weight."""
        return weight / 2


@pytest.mark.parametrize("kind", KINDS)
def test_parametrised_weight(kind):
    theirs, ours = both(kind)
    given = example(theirs)
    with torch.no_grad():
        theirs.weight_hh_l0 /= 2
    parametrize.register_parametrization(ours, "weight_hh_l0", Halved())
    torch.testing.assert_close(ours(given.x)[0], theirs(given.x)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_weights_get_no_gradient(kind):
    _, ours = both(kind)
    ours.weight_ih_l0.requires_grad_(False)
    ours(example(ours).x)[0].sum().backward()
    assert ours.weight_ih_l0.grad is None
    assert ours.weight_hh_l0.grad is not None


@pytest.mark.parametrize("kind", KINDS)
def test_no_grad(kind):
    _, ours = both(kind)
    with torch.no_grad():
        assert not ours(example(ours).x)[0].requires_grad
    with torch.inference_mode():
        assert ours(example(ours).x)[0].is_inference()

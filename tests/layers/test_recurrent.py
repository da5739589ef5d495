"""Recurrent over every cell that a scan finds: what lengths, resets, stacks and states mean."""

import copy
import itertools
import pickle
import warnings

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import penstock
from penstock.cells import cells
from penstock.errors import ArgumentError, PenstockError

T, B, I, H = 6, 4, 3, 5
OPTIONS = {"projected_lstm": {"proj_size": 3}, "scrn": {"context_size": 3}}
CELLS = sorted(n for n, c in cells().items() if c.__module__.startswith("penstock.cells."))
STACKS = [(1, False), (1, True), (2, False), (2, True)]

every_cell = pytest.mark.parametrize("cell", CELLS)
every_stack = pytest.mark.parametrize(("num_layers", "bidirectional"), STACKS)


def make(cell, seed=0, dtype=torch.float64, input_size=I, **keywords):
    """Return a layer with random weights, biases included."""
    layer = penstock.Recurrent(
        cell, input_size, H, dtype=dtype, **OPTIONS.get(cell, {}), **keywords
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(p.shape, dtype=torch.float64, generator=generator) * 0.5)
    return layer


def draw(*shape, seed=1):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def widths(cell):
    return cells()[cell](**OPTIONS.get(cell, {})).state_sizes(H)


def draw_state(layer, cell, batch=(B,), seed=2):
    rows = layer.num_layers * (1 + layer.bidirectional)
    states = [draw(rows, *batch, w, seed=seed + i) for i, w in enumerate(widths(cell))]
    if cell == "slstm":  # its normaliser is a sum of positive numbers
        states[2] = states[2].abs() + 0.5
    return like_torch(states)


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def like_torch(states):
    """Return a tuple of states, or the state itself where there is one only."""
    return tuple(states) if len(states) > 1 else states[0]


def each_state(function, *states):
    """Apply a function to corresponding states."""
    return like_torch([function(*s) for s in zip(*map(as_tuple, states), strict=True)])


def assert_same(got, expected, tolerance=1e-12):
    """Fail unless (output, state) are equal to (output, state)."""
    (output, state), (expected_output, expected_state) = got, expected
    torch.testing.assert_close(output, expected_output, rtol=tolerance, atol=tolerance)
    assert isinstance(state, tuple) == isinstance(expected_state, tuple)
    for a, b in zip(as_tuple(state), as_tuple(expected_state), strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def gradients(result, leaves):
    """Return the gradient of a fixed, uneven sum of all results."""
    results = [result[0], *as_tuple(result[1])]
    total = sum((r * draw(*r.shape, seed=9 + i)).sum() for i, r in enumerate(results))
    return torch.autograd.grad(total, leaves)


# ---------------------------------------------------------------- shapes, states, stacks


@every_cell
@every_stack
def test_shapes(cell, num_layers, bidirectional):
    layer = make(cell, num_layers=num_layers, bidirectional=bidirectional)
    directions = 1 + bidirectional
    output, state = layer(draw(T, B, I))
    assert output.shape == (T, B, directions * widths_of_output(cell))
    assert isinstance(state, torch.Tensor) == (len(widths(cell)) == 1)
    assert [tuple(s.shape) for s in as_tuple(state)] == [
        (num_layers * directions, B, w) for w in widths(cell)
    ]


def widths_of_output(cell):
    return H if cell == "elman" else widths(cell)[0]


@every_cell
@every_stack
def test_no_state_is_the_zero_state(cell, num_layers, bidirectional):
    layer = make(cell, num_layers=num_layers, bidirectional=bidirectional)
    x, state = draw(T, B, I), draw_state(layer, cell)
    zero = each_state(torch.zeros_like, state)
    assert_same(layer(x), layer(x, zero))
    assert not torch.allclose(layer(x)[0], layer(x, state)[0])


NOT_READ = {"qrnn": "h", "sru": "h"}  # the state that is just the output


@every_cell
def test_every_state_is_used(cell):
    layer = make(cell, num_layers=2, bidirectional=True)
    state = each_state(torch.Tensor.requires_grad_, draw_state(layer, cell))
    found = gradients(layer(draw(1, B, I), state), as_tuple(state))
    for name, gradient in zip(layer.cell.states, found, strict=True):
        moved = gradient.abs().sum(dim=(1, 2)) > 0
        assert (moved == (name != NOT_READ.get(cell))).all(), name


@every_cell
def test_a_state_carries_over(cell):
    """A sequence in two parts, with the state handed on, is the sequence in one."""
    layer = make(cell, num_layers=2)
    x, state = draw(T, B, I), draw_state(layer, cell)
    first, middle = layer(x[:2], state)
    second, last = layer(x[2:], middle)
    assert_same((torch.cat([first, second]), last), layer(x, state))


def single(layer, cell, k, direction, input_size):
    """Return a layer of one direction that holds the weights of one part of a stack."""
    part = make(cell, input_size=input_size)
    end = f"_l{k}" + "_reverse" * direction
    weights = layer.state_dict()
    part.load_state_dict(
        {n.removesuffix(end) + "_l0": w for n, w in weights.items() if n.endswith(end)}
    )
    return part


def composed(layer, cell, x, state):
    """Return what a stack should give, from layers of one direction each."""
    directions, finals = 1 + layer.bidirectional, []
    for k in range(layer.num_layers):
        outputs = []
        for d in range(directions):
            row = k * directions + d
            old = each_state(lambda s, row=row: s[row : row + 1], state)
            part = single(layer, cell, k, d, x.shape[2])
            output, new = part(x.flip(0) if d else x, old)
            outputs.append(output.flip(0) if d else output)
            finals.append(new)
        x = torch.cat(outputs, dim=2)
    return x, each_state(lambda *s: torch.cat(s), *finals)


@pytest.mark.parametrize("cell", [c for c in CELLS if not cells()[c].below])
@pytest.mark.parametrize(("num_layers", "bidirectional"), [*STACKS, (3, True)])
def test_a_stack_is_its_parts(cell, num_layers, bidirectional):
    layer = make(cell, num_layers=num_layers, bidirectional=bidirectional)
    x, state = draw(T, B, I), draw_state(layer, cell)
    assert_same(layer(x, state), composed(layer, cell, x, state))


# ---------------------------------------------------------------- forms of the input


@every_cell
@every_stack
def test_batch_first(cell, num_layers, bidirectional):
    plain, turned = (
        make(cell, num_layers=num_layers, bidirectional=bidirectional, batch_first=b)
        for b in (False, True)
    )
    x, state = draw(T, B, I), draw_state(plain, cell)
    lengths, reset = torch.tensor([6, 1, 3, 4]), draw(T, B, seed=3) > 0.8
    output, new = turned(x.transpose(0, 1), state, lengths, reset.T)
    assert_same((output.transpose(0, 1), new), plain(x, state, lengths, reset))


@every_cell
@every_stack
def test_unbatched(cell, num_layers, bidirectional):
    for batch_first in (False, True):
        layer = make(
            cell, num_layers=num_layers, bidirectional=bidirectional, batch_first=batch_first
        )
        x, state = draw(T, I), draw_state(layer, cell, batch=())
        one = x.unsqueeze(0 if batch_first else 1)
        output, new = layer(one, each_state(lambda s: s.unsqueeze(1), state))
        expected = output.squeeze(0 if batch_first else 1), each_state(lambda s: s[:, 0], new)
        assert_same(layer(x, state), expected)
        assert layer(x)[0].shape == expected[0].shape


@every_cell
@every_stack
def test_no_steps_and_no_rows(cell, num_layers, bidirectional):
    layer = make(cell, num_layers=num_layers, bidirectional=bidirectional)
    state = draw_state(layer, cell)
    features = layer(draw(1, 1, I))[0].shape[2]
    output, new = layer(draw(0, B, I), state)
    assert_same((output, new), (draw(0, B, features), state))
    zero = each_state(torch.zeros_like, state)
    assert_same(layer(draw(0, B, I)), (draw(0, B, features), zero))
    output, new = layer(draw(T, 0, I))
    assert_same((output, new), (draw(T, 0, features), each_state(lambda s: s[:, :0], state)))


@every_cell
def test_lengths_and_resets_of_no_steps_and_no_rows(cell):
    layer = make(cell, num_layers=2, bidirectional=True)
    for t, b in ((0, B), (T, 0), (0, 0)):
        x = draw(t, b, I)
        lengths = torch.zeros(b, dtype=torch.int64)
        result = layer(x, lengths=lengths, reset=torch.zeros(t, b, dtype=torch.bool))
        assert result[0].shape[:2] == (t, b)
        assert all((s == 0).all() and s.shape[1] == b for s in as_tuple(result[1]))


@every_cell
def test_non_contiguous(cell):
    layer = make(cell, num_layers=2, bidirectional=True)
    x, state = draw(T, B, I), draw_state(layer, cell)
    lengths, reset = torch.tensor([6, 1, 3, 4]), draw(T, B, seed=3) > 0.8

    def scattered(t):
        return t.repeat_interleave(2, dim=-1)[..., ::2]

    assert not scattered(x).is_contiguous()
    arguments = [scattered(x), each_state(scattered, state), scattered(lengths), scattered(reset)]
    assert_same(layer(*arguments), layer(x, state, lengths, reset))
    wide = x[:, :1].expand(T, B, I)
    assert_same(layer(wide), layer(wide.contiguous()))


@every_cell
def test_float32_and_float64(cell):
    double, single_precision = make(cell, num_layers=2), make(cell, num_layers=2)
    single_precision.float()
    x, state = draw(T, B, I), draw_state(double, cell)
    output, new = single_precision(x.float(), each_state(torch.Tensor.float, state))
    assert {t.dtype for t in (output, *as_tuple(new))} == {torch.float32}
    assert_same((output.double(), each_state(torch.Tensor.double, new)), double(x, state), 2e-5)


@every_cell
def test_nothing_given_is_changed(cell):
    layer = make(cell, num_layers=2, bidirectional=True)
    x, state = draw(T, B, I), draw_state(layer, cell)
    lengths, reset = torch.tensor([6, 1, 3, 4]), draw(T, B, seed=3) > 0.8
    given = (x, *as_tuple(state), lengths, reset)
    copies = [t.clone() for t in given]
    layer(x, state, lengths, reset)
    assert all(torch.equal(a, b) for a, b in zip(given, copies, strict=True))


# ---------------------------------------------------------------- lengths and resets


def pieces(length, cuts):
    """Return the spans between cuts, as (start, stop)."""
    bounds = [0, *(t for t in range(1, length) if cuts[t]), length]
    return list(itertools.pairwise(bounds))


def row_alone(layer, x, state, reset):
    """Return what one row gives, piece by piece, each run by itself.

    A direction keeps its initial state in the piece in which it begins, unless reset there, and
    its final state is that of the piece in which it ends.
    """
    spans, directions = pieces(len(x), reset), 1 + layer.bidirectional
    backward = torch.arange(layer.num_layers * directions) % directions == 1
    runs = []
    for start, stop in spans:
        forward_keeps = start == 0 and not reset[0]
        keeps = torch.where(backward, stop == len(x), forward_keeps).view(-1, 1, 1)
        old = each_state(lambda s, keeps=keeps: s * keeps, state)
        runs.append(layer(x[start:stop], old))
    ends = backward.view(-1, 1, 1)
    final = each_state(lambda last, first: torch.where(ends, first, last), runs[-1][1], runs[0][1])
    return torch.cat([output for output, _ in runs]), final


def rows_alone(layer, x, state, lengths, reset):
    """Return what a batch should give, from its rows alone; lengths and resets are not used."""
    outputs, finals = [], []
    for b, length in enumerate(lengths.tolist()):
        old = each_state(lambda s, b=b: s[:, b : b + 1], state)
        output, final = row_alone(layer, x[:length, b : b + 1], old, reset[:, b].tolist())
        padding = output.new_zeros(len(x) - length, 1, output.shape[2])
        outputs.append(torch.cat([output, padding]))
        finals.append(final)
    return torch.cat(outputs, dim=1), each_state(lambda *s: torch.cat(s, dim=1), *finals)


def check_against_rows_alone(layer, cell, lengths, reset):
    """Compare outputs, states and all gradients."""
    x = draw(T, B, I).requires_grad_()
    state = each_state(torch.Tensor.requires_grad_, draw_state(layer, cell))
    full = torch.full((B,), T) if lengths is None else lengths
    cuts = torch.zeros(T, B, dtype=torch.bool) if reset is None else reset
    expected = rows_alone(layer, x, state, full, cuts)
    got = layer(x, state, lengths=lengths, reset=reset)
    assert_same(got, expected)
    leaves = [x, *as_tuple(state), *layer.parameters()]
    for a, b in zip(gradients(got, leaves), gradients(expected, leaves), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


LENGTHS = torch.tensor([4, 6, 1, 3])
RESET = torch.tensor(
    [  # one column a row of the batch
        [0, 1, 1, 0],
        [0, 0, 0, 1],
        [1, 0, 1, 0],
        [0, 1, 0, 1],  # past the end of the last two
        [1, 1, 0, 0],  # past the end of the first
        [0, 1, 0, 1],
    ]
).bool()


@every_cell
@every_stack
@pytest.mark.parametrize(
    ("lengths", "reset"),
    [(LENGTHS, None), (None, RESET), (LENGTHS, RESET), (torch.full((B,), T), None)],
    ids=["lengths", "reset", "both", "full"],
)
def test_each_row_is_as_if_alone(cell, num_layers, bidirectional, lengths, reset):
    layer = make(cell, num_layers=num_layers, bidirectional=bidirectional)
    check_against_rows_alone(layer, cell, lengths, reset)


@pytest.mark.parametrize("seed", range(12))
def test_random_lengths_and_resets(seed):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, T + 1, (B,), generator=generator)
    reset = torch.rand(T, B, generator=generator) < [0.2, 0.5, 0.9][seed % 3]
    cell = CELLS[seed % len(CELLS)]
    layer = make(cell, num_layers=2, bidirectional=True)
    check_against_rows_alone(layer, cell, lengths, reset)


@every_cell
def test_reset_at_every_step_forgets_all(cell):
    layer = make(cell, bidirectional=True)
    x = draw(T, B, I)
    output, _ = layer(x, draw_state(layer, cell), reset=torch.ones(T, B, dtype=torch.bool))
    steps, _ = layer(x.reshape(1, T * B, I))
    state = draw_state(layer, cell)
    last, _ = layer(x[-1:], each_state(lambda s: s * torch.tensor([0, 1]).view(2, 1, 1), state))
    expected = steps.reshape(T, B, -1)
    torch.testing.assert_close(output[:-1], expected[:-1], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(output[-1:], last, rtol=1e-12, atol=1e-12)


@every_cell
def test_no_reset_and_full_lengths_change_nothing(cell):
    layer = make(cell, num_layers=2, bidirectional=True)
    x, state = draw(T, B, I), draw_state(layer, cell)
    never = torch.zeros(T, B, dtype=torch.bool)
    assert_same(layer(x, state, torch.full((B,), T), never), layer(x, state))


@every_cell
def test_a_row_of_no_steps_keeps_its_state(cell):
    layer = make(cell, num_layers=2, bidirectional=True)
    x, state = draw(T, B, I), draw_state(layer, cell)
    output, new = layer(x, state, lengths=torch.tensor([0, 6, 2, 0]))
    for row in (0, 3):
        assert (output[:, row] == 0).all()
        for a, b in zip(as_tuple(new), as_tuple(state), strict=True):
            torch.testing.assert_close(a[:, row], b[:, row], rtol=0, atol=0)
    assert_same(
        (output[:, 1:2], each_state(lambda s: s[:, 1:2], new)),
        layer(x[:, 1:2], each_state(lambda s: s[:, 1:2], state)),
    )


@every_cell
@pytest.mark.parametrize("filler", [1e30, float("inf"), float("nan")])
def test_padding_is_never_looked_at(cell, filler):
    layer = make(cell, num_layers=2, bidirectional=True)
    clean = draw(T, B, I)
    past = torch.arange(T).view(T, 1, 1) >= LENGTHS.view(1, B, 1)
    dirty = torch.where(past, filler, clean)
    assert_same(layer(dirty, lengths=LENGTHS), layer(clean, lengths=LENGTHS))


@every_cell
@pytest.mark.parametrize("filler", [1e30, float("inf"), float("nan")])
def test_padding_spoils_no_gradient(cell, filler):
    layer = make(cell, num_layers=2, bidirectional=True)
    clean = draw(T, B, I)
    past = torch.arange(T).view(T, 1, 1) >= LENGTHS.view(1, B, 1)
    parameters = list(layer.parameters())
    expected = gradients(layer(clean, lengths=LENGTHS), parameters)
    dirty = torch.where(past, filler, clean)
    for a, b in zip(gradients(layer(dirty, lengths=LENGTHS), parameters), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@every_cell
def test_padding_gets_no_gradient(cell):
    layer = make(cell, num_layers=2, bidirectional=True)
    x = draw(T, B, I).requires_grad_()
    (gradient,) = gradients(layer(x, lengths=LENGTHS), [x])
    past = torch.arange(T).view(T, 1) >= LENGTHS
    assert (gradient[past] == 0).all()
    assert (gradient[~past].abs().sum(-1) > 0).all()


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_lengths_of_any_integer_kind(dtype):
    layer, x = make("gru", bidirectional=True), draw(T, B, I)
    assert_same(layer(x, lengths=LENGTHS.to(dtype)), layer(x, lengths=LENGTHS))
    assert_same(layer(x, lengths=LENGTHS.tolist()), layer(x, lengths=LENGTHS))


def test_a_packed_sequence_is_its_rows():
    layer, x = make("peephole_lstm", num_layers=2, bidirectional=True), draw(T, B, I)
    packed = pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    state = draw_state(layer, "peephole_lstm")
    output, new = layer(packed, state)
    padded, _ = pad_packed_sequence(output)
    assert_same((padded, new), layer(x, state, LENGTHS))


# ---------------------------------------------------------------- dropout, backends, transforms


@pytest.mark.parametrize("cell", [c for c in CELLS if not cells()[c].below])
def test_dropout_lies_between_the_layers(cell):
    """At p = 1 the second layer sees zeros; what leaves the last layer is whole."""
    layer = make(cell, num_layers=2, dropout=1.0)
    x, state = draw(T, B, I), draw_state(layer, cell)
    zeros = torch.zeros(T, B, layer.weight_ih_l1.shape[1], dtype=x.dtype)
    top = single(layer, cell, 1, 0, zeros.shape[2])
    expected, _ = top(zeros, each_state(lambda s: s[1:], state))
    torch.testing.assert_close(layer(x, state)[0], expected, rtol=1e-12, atol=1e-12)


@every_cell
def test_dropout_only_in_training(cell):
    layer, without = make(cell, num_layers=2, dropout=0.5), make(cell, num_layers=2)
    x = draw(T, B, I)
    torch.manual_seed(0)
    one = layer(x)
    assert not torch.equal(one[0], layer(x)[0])
    torch.manual_seed(0)
    assert_same(layer(x), one, 0)
    layer.eval()
    assert_same(layer(x), without(x), 0)


@every_cell
def test_a_single_layer_drops_nothing(cell):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may say that dropout has no place here
        layer = make(cell, dropout=0.5)
    x = draw(T, B, I)
    assert_same(layer(x), layer.eval()(x), 0)


@every_cell
def test_backends_agree(cell):
    layer = make(cell, num_layers=2, bidirectional=True)
    x, state = draw(T, B, I), draw_state(layer, cell)
    usual = layer(x, state, LENGTHS, RESET)
    for name in ("eager", "auto"):
        with penstock.backend(name):
            assert_same(layer(x, state, LENGTHS, RESET), usual)
    with penstock.backend("eager"), penstock.backend("auto"):
        pass
    assert_same(layer(x, state, LENGTHS, RESET), usual)


@every_cell
def test_a_stream_is_the_sequence_step_by_step(cell):
    layer = make(cell, num_layers=2)
    x = draw(T, B, I)
    stream = layer.stream(B)
    outputs = [stream.step(step).clone() for step in x]
    got = torch.stack(outputs), stream.state
    assert_same(got, layer(x), 1e-11)


def test_an_unknown_backend():
    with pytest.raises(PenstockError, match=r"'eagre'.*eager"), penstock.backend("eagre"):
        pass


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own jvp calls it
@every_cell
def test_forward_derivative(cell):
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩, with J v by torch.func.jvp."""
    layer = make(cell, num_layers=2, bidirectional=True)
    x, v = draw(T, B, I), draw(T, B, I, seed=5)
    output, along = torch.func.jvp(lambda a: layer(a)[0], (x,), (v,))
    u = draw(*output.shape, seed=6)
    _, back = torch.func.vjp(lambda a: layer(a)[0], x)
    torch.testing.assert_close((u * along).sum(), (back(u)[0] * v).sum())


@every_cell
def test_an_ensemble_by_vmap(cell):
    layers = [make(cell, num_layers=2, seed=s) for s in range(3)]
    weights, _ = torch.func.stack_module_state(layers)
    x = draw(T, B, I)
    outputs = torch.func.vmap(lambda w: torch.func.functional_call(layers[0], w, (x,))[0])(weights)
    for layer, output in zip(layers, outputs, strict=True):
        torch.testing.assert_close(output, layer(x)[0], rtol=1e-12, atol=1e-12)


# ---------------------------------------------------------------- weights


@every_cell
def test_weights_start_as_those_of_torch(cell):
    """Uniform in ±1/√H, the same for the same seed."""
    drawn = []
    for _ in range(2):
        torch.manual_seed(4)
        drawn.append(penstock.Recurrent(cell, 40, 36, num_layers=2, **OPTIONS.get(cell, {})))
    for (name, a), b in zip(drawn[0].named_parameters(), drawn[1].parameters(), strict=True):
        assert torch.equal(a, b), name
        assert a.dtype is torch.float32
        if getattr(cells()[cell].declared.get(name[7:-3]), "initial", None) is not None:
            continue  # a vector that starts as it says
        values = a[a != -2] if cell == "rhn" else a  # its transform gates start at -2
        assert values.abs().max() <= 1 / 6
        assert values.abs().max() > 0.12 or a.numel() < 30, name
        assert abs(values.mean()) < 0.06, name


@every_cell
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"]
)
def test_copies(cell, duplicate):
    layer, x = make(cell, num_layers=2, bidirectional=True), draw(T, B, I)
    expected = layer(x)
    other = duplicate(layer)
    assert_same(other(x), expected, 0)
    with torch.no_grad():
        other.weight_ih_l0.zero_()
    assert_same(layer(x), expected, 0)


@every_cell
def test_state_dict(cell):
    one, other = make(cell, num_layers=2, bidirectional=True), make(cell, 3, num_layers=2)
    with pytest.raises(RuntimeError, match="_reverse"):
        other.load_state_dict(one.state_dict())
    other = make(cell, 3, num_layers=2, bidirectional=True)
    other.load_state_dict(one.state_dict())
    x = draw(T, B, I)
    assert_same(other(x), one(x), 0)


def test_repr_names_cell_and_sizes():
    text = repr(penstock.Recurrent("projected_lstm", 7, 11, num_layers=2, proj_size=3))
    assert all(part in text for part in ("projected_lstm", "7", "11", "2", "proj_size=3"))


def test_a_class_or_its_name():
    by_name = penstock.Recurrent("peephole_lstm", I, H)
    by_class = penstock.Recurrent(cells()["peephole_lstm"], I, H)
    by_class.load_state_dict(by_name.state_dict())
    assert repr(by_name) == repr(by_class)


# ---------------------------------------------------------------- complaints


def complaint(call):
    """Return the message of the ArgumentError that a call raises."""
    with pytest.raises(ArgumentError) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    message = str(caught.value)
    assert 0 < len(message.splitlines()) <= 3
    return message


CONSTRUCTIONS = [
    ({"hidden_size": 0}, ("hidden_size", "0")),
    ({"hidden_size": -3}, ("hidden_size", "-3")),
    ({"input_size": 0}, ("input_size", "0")),
    ({"num_layers": 0}, ("num_layers", "0")),
    ({"dropout": 1.5, "num_layers": 2}, ("dropout", "1.5")),
    ({"dropout": -1, "num_layers": 2}, ("dropout", "-1")),
    ({"proj_size": 3}, ("proj_size", "GRU", "no hyperparameter")),
    ({"cell": "gur"}, ("'gur'", "'gru'")),
    ({"cell": "projected_lstm", "proj_size": 0}, ("proj_size", "0")),
    ({"cell": "projected_lstm", "proj_size": -2}, ("proj_size", "-2")),
    ({"cell": "rnn", "nonlinearity": "gelu"}, ("nonlinearity", "'gelu'", "'tanh' or 'relu'")),
]


@pytest.mark.parametrize(("wrong", "parts"), CONSTRUCTIONS, ids=str)
def test_bad_construction(wrong, parts):
    arguments = {"cell": "gru", "input_size": I, "hidden_size": H, **wrong}
    message = complaint(lambda: penstock.Recurrent(**arguments))
    assert [part for part in parts if part not in message] == [], message


@pytest.mark.parametrize("name", ["input_size", "hidden_size", "num_layers"])
@pytest.mark.parametrize("value", [2.0, "2", None])
def test_sizes_are_integers(name, value):
    arguments = {"input_size": I, "hidden_size": H, name: value}
    with pytest.raises((TypeError, ValueError), match=name):
        penstock.Recurrent("gru", **arguments)


X = draw(T, B, I)
TRUE = torch.ones(T, B, dtype=torch.bool)
CALLS = [
    ("gru", {"x": draw(T, B, 7)}, ("3", "7")),
    ("gru", {"x": draw(I)}, ("input", "[3]", "2 or 3 dimensions")),
    ("gru", {"x": draw(1, T, B, I)}, ("input", "[1, 6, 4, 3]", "2 or 3 dimensions")),
    ("gru", {"x": X.float()}, ("float32", "float64")),
    ("gru", {"state": draw(1, B, 7)}, ("[1, 4, 5]", "[1, 4, 7]")),
    ("gru", {"state": draw(2, B, H)}, ("[1, 4, 5]", "[2, 4, 5]")),
    ("gru", {"state": draw(1, 2, H)}, ("[1, 4, 5]", "[1, 2, 5]")),
    ("gru", {"state": draw(B, H)}, ("[1, 4, 5]", "[4, 5]")),
    ("gru", {"state": (draw(1, B, H), draw(1, B, H))}, ("state", "(h)", "[[1, 4, 5]]")),
    ("lstm", {"state": draw(1, B, H)}, ("state", "(h, c)")),
    ("lstm", {"state": (draw(1, B, H),)}, ("state", "(h, c)")),
    ("lstm", {"state": (draw(1, B, H), draw(1, B, 7))}, ("c", "[1, 4, 5]", "[1, 4, 7]")),
    ("projected_lstm", {"state": (draw(1, B, H),) * 2}, ("h", "[1, 4, 3]", "[1, 4, 5]")),
    ("gru", {"state": draw(1, B, H).float()}, ("state", "float32", "float64")),
    ("gru", {"lengths": torch.tensor([7, 1, 1, 1])}, ("lengths", "7", "6")),
    ("gru", {"lengths": torch.tensor([-1, 1, 1, 1])}, ("lengths", "-1")),
    ("gru", {"lengths": torch.tensor([6, 6, 6])}, ("lengths", "[4]", "[3]")),
    ("gru", {"lengths": torch.ones(B, 1, dtype=torch.int64)}, ("lengths", "[4]", "[4, 1]")),
    (
        "gru",
        {"lengths": torch.tensor([1.0, 2.0, 3.0, 4.0])},
        ("lengths", "whole numbers", "float32"),
    ),
    (
        "gru",
        {"lengths": torch.tensor([True, True, True, False])},
        ("lengths", "whole numbers", "bool"),
    ),
    ("gru", {"reset": TRUE.T}, ("reset", "[6, 4]", "[4, 6]")),
    ("gru", {"reset": TRUE[:, :1]}, ("reset", "[6, 4]", "[6, 1]")),
    ("gru", {"reset": TRUE[0]}, ("reset", "[6, 4]", "[4]")),
    ("gru", {"reset": TRUE.float()}, ("reset", "bool", "float32")),
    ("gru", {"reset": TRUE.long()}, ("reset", "bool", "int64")),
]


@pytest.mark.parametrize(("cell", "wrong", "parts"), CALLS)
def test_bad_call(cell, wrong, parts):
    layer = make(cell)
    message = complaint(lambda: layer(**{"x": X, **wrong}))
    assert [part for part in parts if part not in message] == [], message


def test_reset_is_turned_with_the_batch():
    layer = make("gru", batch_first=True)
    message = complaint(lambda: layer(X.transpose(0, 1), reset=TRUE))
    assert "[4, 6]" in message

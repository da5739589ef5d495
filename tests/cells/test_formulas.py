"""Every shipped cell against its formula, written here in numpy from REQUIREMENTS A1–A8."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray as Array
from numpy import tanh

import penstock
from penstock.cells import cells

# ---------------------------------------------------------------- the formulas


class Weights:
    """One layer and direction: the stacked parameters, cut into gates by name."""

    def __init__(self, parameters: dict[str, Array], end: str, x_gates: str, h_gates: str) -> None:
        self.values = {
            name.removesuffix(end): value
            for name, value in parameters.items()
            if name.endswith(end)
        }
        self.x_gates, self.h_gates = x_gates.split(), h_gates.split()

    def _affine(self, kind: str, gates: list[str], gate: str, value: Array) -> Array:
        at, weight = gates.index(gate), self.values[f"weight_{kind}"]
        H = len(weight) // len(gates)
        rows = slice(at * H, at * H + H)
        bias = self.values.get(f"bias_{kind}", np.zeros(0))[rows]  # a last gate may lack one
        return value @ weight[rows].T + (bias if len(bias) else 0)

    def x(self, gate: str, x: Array) -> Array:
        """Return W x + b."""
        return self._affine("ih", self.x_gates, gate, x)

    def h(self, gate: str, h: Array) -> Array:
        """Return U h + b′."""
        return self._affine("hh", self.h_gates, gate, h)

    def __call__(self, gate: str, x: Array, h: Array) -> Array:
        return self.x(gate, x) + self.h(gate, h)

    def __getitem__(self, name: str) -> Array:
        return self.values[f"weight_{name}"]


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def softmax(a: Array) -> Array:
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": tanh,
    "relu": lambda a: np.where(a > 0, a, 0.0),
    "softmax": softmax,
    "sigmoid": sigmoid,
    "identity": lambda a: a,
}

# A formula is called (weights, options, x, old states, below) and returns (output, new states);
# below are the lower layer's new states in the same direction, None in the lowest layer.


def rnn(w, options, x, old, below):
    h = FUNCTIONS[options["nonlinearity"]](w("a", x, old[0]))
    return h, (h,)


def elman(w, options, x, old, below):
    h = FUNCTIONS[options["nonlinearity"]](w("a", x, old[0]))
    return FUNCTIONS[options["readout"]](w.h("v", h)), (h,)


def lstm(w, options, x, old, below):
    h, c = old
    i, f, o = (sigmoid(w(gate, x, h)) for gate in "ifo")
    c = f * c + i * tanh(w("g", x, h))
    h = o * tanh(c)
    return h, (h, c)


def projected_lstm(w, options, x, old, below):
    h, c = old
    i, f, o = (sigmoid(w(gate, x, h)) for gate in "ifo")
    c = f * c + i * tanh(w("g", x, h))
    h = (o * tanh(c)) @ w["hr"].T
    return h, (h, c)


def lstm_gated_candidate(w, options, x, old, below):
    h, c = old
    i, f, o = (sigmoid(w(gate, x, h)) for gate in "ifo")
    c = f * c + i * tanh(w("g", x, i * h))
    h = o * tanh(c)
    return h, (h, c)


def peephole_lstm(w, options, x, old, below):
    h, c_old = old
    i = sigmoid(w("i", x, h) + w["p_i"] * c_old)
    f = sigmoid(w("f", x, h) + w["p_f"] * c_old)
    c = f * c_old + i * tanh(w("g", x, h))
    o = sigmoid(w("o", x, h) + w["p_o"] * c)
    h = o * tanh(c)
    return h, (h, c)


def depth_gated_lstm(w, options, x, old, below):
    h, c_old = old
    i, f, o = (sigmoid(w(gate, x, h)) for gate in "ifo")
    depth = w.x("d", x) + w["w_2"] * c_old
    c_below = w.x("p", x) if below is None else below[1]
    depth = depth if below is None else depth + w["w_1"] * c_below
    c = f * c_old + i * tanh(w("g", x, h)) + sigmoid(depth) * c_below
    h = o * tanh(c)
    return h, (h, c)


def gru(w, options, x, old, below):
    z, r = (sigmoid(w(gate, x, old[0])) for gate in "zr")
    n = tanh(w.x("n", x) + r * w.h("n", old[0]))
    h = (1 - z) * n + z * old[0]
    return h, (h,)


def gru_reset_before(w, options, x, old, below):
    z, r = (sigmoid(w(gate, x, old[0])) for gate in "zr")
    n = tanh(w("n", x, r * old[0]))
    h = (1 - z) * old[0] + z * n
    return h, (h,)


def gru_reset_before_keep(w, options, x, old, below):
    z, r = (sigmoid(w(gate, x, old[0])) for gate in "zr")
    n = tanh(w("n", x, r * old[0]))
    h = (1 - z) * n + z * old[0]
    return h, (h,)


@dataclass(frozen=True)
class Formula:
    """A formula, the gates with a W and with a U as stacked, and the options to try."""

    step: Callable[..., tuple[Array, tuple[Array, ...]]]
    x_gates: str
    h_gates: str
    options: tuple[dict[str, Any], ...] = ({},)
    x_gates_above: str = ""


RNN_OPTIONS = tuple({"nonlinearity": f} for f in ("tanh", "relu"))
ELMAN_OPTIONS = tuple(
    {**f, "readout": g} for f in RNN_OPTIONS for g in ("softmax", "sigmoid", "identity")
)
FORMULAS = {
    "rnn": Formula(rnn, "a", "a", RNN_OPTIONS),
    "elman": Formula(elman, "a", "a v", ELMAN_OPTIONS),
    "lstm": Formula(lstm, "i f g o", "i f g o"),
    "projected_lstm": Formula(
        projected_lstm, "i f g o", "i f g o", ({"proj_size": 2}, {"proj_size": 3})
    ),
    "lstm_gated_candidate": Formula(lstm_gated_candidate, "i f g o", "i f g o"),
    "peephole_lstm": Formula(peephole_lstm, "i f g o", "i f g o"),
    "depth_gated_lstm": Formula(
        depth_gated_lstm, "i f g o d p", "i f g o", x_gates_above="i f g o d"
    ),
    "gru": Formula(gru, "r z n", "r z n"),
    "gru_reset_before": Formula(gru_reset_before, "r z n", "r z n"),
    "gru_reset_before_keep": Formula(gru_reset_before_keep, "r z n", "r z n"),
}


# ---------------------------------------------------------------- running them over time


def scan(step, x, old, below, order):
    """Return outputs [T, B, ·] and the new states of each t, walking t in the given order."""
    outputs, news = {}, {}
    for t in order:
        outputs[t], news[t] = step(x[t], old, None if below is None else below[t])
        old = news[t]
    return np.stack([outputs[t] for t in sorted(outputs)]), news, old


def run_formula(formula, layer, options, x, state):
    """Return the output and the final states of a whole stack, in numpy."""
    parameters = {name: p.detach().numpy() for name, p in layer.named_parameters()}
    directions = 2 if layer.bidirectional else 1
    finals, belows = [], [None] * directions
    for k in range(layer.num_layers):
        gates = formula.x_gates_above if k and formula.x_gates_above else formula.x_gates
        runs = []
        for d in range(directions):
            w = Weights(parameters, f"_l{k}" + "_reverse" * d, gates, formula.h_gates)
            old = tuple(s[k * directions + d] for s in state)
            order = range(len(x))[:: -1 if d else 1]
            runs.append(
                scan(lambda *now, w=w: formula.step(w, options, *now), x, old, belows[d], order)
            )
        x = np.concatenate([outputs for outputs, _, _ in runs], axis=2)
        belows = [news for _, news, _ in runs]
        finals += [final for _, _, final in runs]
    return x, tuple(np.stack(s) for s in zip(*finals, strict=True))


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def random_layer(name, options, I, H, seed=0, **keywords):
    """Return a float64 layer all of whose parameters, biases too, are normally distributed."""
    layer = penstock.Recurrent(name, I, H, dtype=torch.float64, **keywords, **options)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.6, generator=generator)
    return layer


def random_state(name, options, rows, B, H, seed=1):
    generator = torch.Generator().manual_seed(seed)
    sizes = cells()[name](**options).state_sizes(H)
    draw = [torch.randn(rows, B, s, dtype=torch.float64, generator=generator) for s in sizes]
    return tuple(draw) if len(draw) > 1 else draw[0]


def random_input(T, B, I, seed=2):
    return torch.randn(T, B, I, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------- the tests

SHIPPED = sorted(n for n, c in cells().items() if c.__module__.startswith("penstock.cells."))
CASES = [
    pytest.param(name, options, id="-".join([name, *map(str, options.values())]))
    for name in SHIPPED
    for options in (FORMULAS[name].options if name in FORMULAS else ({},))
]
SIZES = [(1, 1, 1, 3), (5, 3, 2, 7), (7, 2, 5, 3)]
STACKS = [(1, False), (1, True), (2, False), (3, True)]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_formula_exists(name):
    assert name in FORMULAS, f"write the formula of {name} here, from its paper"


@pytest.mark.parametrize(("layers", "bidirectional"), STACKS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_output_and_states(name, options, sizes, layers, bidirectional):
    T, B, I, H = sizes
    layer = random_layer(name, options, I, H, num_layers=layers, bidirectional=bidirectional)
    state = random_state(name, options, layers * (1 + bidirectional), B, H)
    x = random_input(T, B, I)
    with torch.no_grad():
        output, new = layer(x, state)
    old = [s.numpy() for s in as_tuple(state)]
    expected, finals = run_formula(FORMULAS[name], layer, options, x.numpy(), old)
    np.testing.assert_allclose(output.numpy(), expected, rtol=0, atol=1e-10)
    for got, final in zip(as_tuple(new), finals, strict=True):
        np.testing.assert_allclose(got.numpy(), final, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_without_bias(name, options):
    layer = random_layer(name, options, 2, 3, num_layers=2, bias=False)
    assert not [n for n, _ in layer.named_parameters() if n.startswith("bias")]
    state = random_state(name, options, 2, 3, 3)
    output, _ = layer(random_input(4, 3, 2), state)
    old = [s.numpy() for s in as_tuple(state)]
    expected, _ = run_formula(FORMULAS[name], layer, options, random_input(4, 3, 2).numpy(), old)
    np.testing.assert_allclose(output.detach().numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_no_parameter_is_idle(name, options):
    """Moving any one number of any parameter moves the output: no weight hangs in the air."""
    layer = random_layer(name, options, 2, 3, num_layers=2, bidirectional=True)
    output, _ = layer(random_input(4, 2, 2))
    weights = torch.arange(1.0, output.numel() + 1, dtype=output.dtype).sin()
    gradients = torch.autograd.grad(output.flatten() @ weights, list(layer.parameters()))
    for (parameter, _), gradient in zip(layer.named_parameters(), gradients, strict=True):
        if options.get("nonlinearity") != "relu":  # a dead relu is no fault
            assert (gradient != 0).all(), parameter


def differentiable(name, options, layers):
    """Return a function of (x, states, parameters), and arguments for it."""
    layer = random_layer(name, options, 2, 3, num_layers=layers)
    names = [n for n, _ in layer.named_parameters()]
    state = as_tuple(random_state(name, options, layers, 2, 3))
    start = [random_input(3, 2, 2), *state, *layer.parameters()]
    arguments = [a.detach().clone().requires_grad_() for a in start]

    def function(x, *rest):
        old, values = rest[: len(state)], rest[len(state) :]
        call = (x, old if len(old) > 1 else old[0])
        parameters = dict(zip(names, values, strict=True))
        output, new = torch.func.functional_call(layer, parameters, call)
        return output, *as_tuple(new)

    return function, arguments


def stack_for(name):
    return 2 if name == "depth_gated_lstm" else 1


@pytest.mark.parametrize(("name", "options"), CASES)
def test_gradient(name, options):
    assert torch.autograd.gradcheck(*differentiable(name, options, stack_for(name)))


@pytest.mark.parametrize(("name", "options"), CASES)
def test_second_gradient(name, options):
    torch.manual_seed(3)  # the fast mode draws directions
    function, arguments = differentiable(name, options, stack_for(name))
    assert torch.autograd.gradgradcheck(function, arguments, fast_mode=True)


SWAPS = [
    (name, part, a, b)
    for name, formula in FORMULAS.items()
    for part, gates in (("ih", formula.x_gates.split()), ("hh", formula.h_gates.split()))
    for a in range(len(gates))
    for b in range(a)
]


@pytest.mark.parametrize(("name", "part", "a", "b"), SWAPS)
def test_the_comparison_sees_swapped_gates(name, part, a, b):
    """The teeth of this file: with any two gates exchanged the formula must disagree."""
    options, H = FORMULAS[name].options[0], 3
    layer = random_layer(name, options, 2, H)
    state, x = random_state(name, options, 1, 2, H), random_input(3, 2, 2)
    old = [s.numpy() for s in as_tuple(state)]
    expected, _ = run_formula(FORMULAS[name], layer, options, x.numpy(), old)
    with torch.no_grad():
        weight = getattr(layer, f"weight_{part}_l0").view(
            -1, H, [2, layer_width(layer)][part == "hh"]
        )
        weight[[a, b]] = weight[[b, a]].clone()
        output, _ = layer(x, state)
    assert np.abs(output.numpy() - expected).max() > 1e-3


def layer_width(layer):
    return layer.weight_hh_l0.shape[1]

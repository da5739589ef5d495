"""Every shipped cell against its formula in numpy, written from its paper; see `formulas`."""

import itertools

import numpy as np
import pytest
import torch
from formulas import FORMULAS, Weights

import penstock
from penstock.cells import cells

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


def numpy_states(state):
    return [s.numpy() for s in as_tuple(state)]


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
    if name == "slstm":  # its normaliser is a sum of positive numbers
        draw[2] = draw[2].abs() + 0.5
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
RUNS = [  # T, B, I, H, layers, both directions
    (1, 1, 1, 3, 1, False), (5, 3, 2, 7, 1, True), (7, 2, 5, 3, 2, False), (4, 2, 3, 4, 3, True),
]  # fmt: skip
RELU = {"indrnn", "ligru", "nas"}  # where a unit may be dead, which is no fault


@pytest.mark.parametrize("name", SHIPPED)
def test_a_formula_exists(name):
    assert name in FORMULAS, f"write the formula of {name} here, from its paper"


@pytest.mark.parametrize("run", RUNS, ids=str)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_output_and_states(name, options, run):
    T, B, I, H, layers, bidirectional = run
    layer = random_layer(name, options, I, H, num_layers=layers, bidirectional=bidirectional)
    state = random_state(name, options, layers * (1 + bidirectional), B, H)
    x = random_input(T, B, I)
    with torch.no_grad():
        output, new = layer(x, state)
    expected, finals = run_formula(FORMULAS[name], layer, options, x.numpy(), numpy_states(state))
    np.testing.assert_allclose(output.numpy(), expected, rtol=0, atol=1e-10)
    for got, final in zip(as_tuple(new), finals, strict=True):
        np.testing.assert_allclose(got.numpy(), final, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_without_bias(name, options):
    layer = random_layer(name, options, 2, 3, num_layers=2, bias=False)
    assert not [n for n, _ in layer.named_parameters() if n.startswith("bias")]
    state = random_state(name, options, 2, 3, 3)
    output, _ = layer(random_input(4, 3, 2), state)
    expected, _ = run_formula(
        FORMULAS[name], layer, options, random_input(4, 3, 2).numpy(), numpy_states(state)
    )
    np.testing.assert_allclose(output.detach().numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_no_parameter_is_idle(name, options):
    """Moving any one number of any parameter moves the output: no weight hangs in the air."""
    layer = random_layer(name, options, 2, 3, num_layers=2, bidirectional=True)
    output, _ = layer(random_input(4, 2, 2), random_state(name, options, 4, 2, 3))
    weights = torch.arange(1.0, output.numel() + 1, dtype=output.dtype).sin()
    gradients = torch.autograd.grad(output.flatten() @ weights, list(layer.parameters()))
    for (parameter, _), gradient in zip(layer.named_parameters(), gradients, strict=True):
        moves = gradient != 0
        if "antisymmetric" in name and parameter.startswith("weight_r"):
            moves.fill_diagonal_(True)  # R − Rᵀ has none
        has_relu = name in RELU or options.get("nonlinearity") == "relu"
        assert moves.any() if has_relu else moves.all(), parameter


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
    (name, part)
    for name, formula in FORMULAS.items()
    for part, gates in (("ih", formula.x_gates), ("hh", formula.h_gates))
    if len(gates.split()) > 1
]


@pytest.mark.parametrize(("name", "part"), SWAPS)
def test_the_comparison_sees_swapped_gates(name, part):
    """The teeth of this file: with any two gates exchanged the formula must disagree."""
    formula, H = FORMULAS[name], 3
    options = formula.options[0]
    layer = random_layer(name, options, 2, H)
    state, x = random_state(name, options, 1, 2, H), random_input(3, 2, 2)
    expected, _ = run_formula(formula, layer, options, x.numpy(), numpy_states(state))
    weight = getattr(layer, f"weight_{part}_l0").detach()
    gates = weight.view(-1, H, weight.shape[1])
    for pair in itertools.combinations(range(len(gates)), 2):
        gates[[*pair]] = gates[[*pair[::-1]]].clone()
        with torch.no_grad():
            output, _ = layer(x, state)
        assert np.abs(output.numpy() - expected).max() > 1e-3, pair
        gates[[*pair]] = gates[[*pair[::-1]]].clone()

"""Gates driven far beyond where a float's exponential ends: nothing overflows, nothing is lost."""

import numpy as np
import pytest
import torch
from formulas import FORMULAS
from test_formulas import CASES, SHIPPED, as_tuple, run_formula

import penstock

SCALES = (1e2, 1e3, 1e4)


def driven(name, options, scale, sign, dtype=torch.float32):
    """Return a layer, and an input that drives its gates to about ± scale; sign 0 for both ways.

    Weights are eighths and inputs whole numbers: products of x are exact in both precisions.
    """
    torch.manual_seed(0)
    layer = penstock.Recurrent(name, 3, 5, **options)
    x = torch.randint(1, 9, (4, 3, 3)).double() * scale / 8
    signs = torch.randint(0, 2, x.shape) * 2 - 1
    x = (x * (signs if sign == 0 else sign)).round()
    with torch.no_grad():
        for weight, parameter in layer.named_parameters():
            if not weight.startswith(("weight_nu", "weight_theta", "weight_p_l", "weight_zeta")):
                parameter.copy_((8 * parameter).round() / 8)
    return layer.to(dtype), x.to(dtype).requires_grad_()


def everything(layer, x, backend):
    """Return outputs, states and gradients, by name."""
    with penstock.backend(backend):
        output, state = layer(x)
    found = {"output": output, **{f"state {k}": s for k, s in enumerate(as_tuple(state))}}
    total = sum((v * torch.linspace(-1, 1, v.numel()).view_as(v)).sum() for v in found.values())
    names = ["x", *(n for n, _ in layer.named_parameters())]
    gradients = torch.autograd.grad(total, [x, *layer.parameters()])
    return {**found, **{f"gradient of {n}": g for n, g in zip(names, gradients, strict=True)}}


ROUNDED = {"nas"}  # relu of a product of two gates: float32 cannot tell on which side of 0 it is


@pytest.mark.parametrize("sign", [-1, 0, 1])
@pytest.mark.parametrize("name", SHIPPED)
def test_float32_agrees_with_float64(name, sign):
    for scale in (SCALES[0], SCALES[-1]):
        exact = everything(*driven(name, {}, scale, sign, torch.float64), "eager")
        for backend in ("c", "eager"):
            ours = everything(*driven(name, {}, scale, sign), backend)
            for what, value in exact.items():
                assert value.isfinite().all(), (scale, what)
                assert ours[what].isfinite().all(), (scale, backend, what)
                error = (ours[what] - value).abs().max() / (1 + value.abs().max())
                rounded = name in ROUNDED and what.startswith("gradient")
                assert rounded or error < 5e-3, (scale, backend, what)


@pytest.mark.parametrize(("name", "options"), [c for c in CASES if c.values[0] != "slstm"])
def test_float64_agrees_with_the_formula(name, options):
    for scale in SCALES:
        for sign in (-1, 1):
            layer, x = driven(name, options, scale, sign, torch.float64)
            with torch.no_grad():
                output, new = layer(x)
            zeros = [np.zeros(s.shape) for s in as_tuple(new)]
            with np.errstate(over="ignore"):
                expected, _ = run_formula(FORMULAS[name], layer, options, x.detach().numpy(), zeros)
            bound = 1e-9 * (1 + np.abs(expected).max())
            np.testing.assert_allclose(output.numpy(), expected, rtol=0, atol=bound)


# ---------------------------------------------------------------- sLSTM


def slstm_as_a_mean(layer, x, reset):
    """sLSTM without states of exponentials: h = o ⊙ Σ_s w_s z_s / Σ_s w_s since the last reset.

    log w_s = ĩ_s + Σ_{s < r ≤ t} l_r; a softmax, taken in float64 with its greatest subtracted.
    """
    w, u, b, b_h = (p.detach().double().numpy() for p in layer.parameters())
    h, since, outputs = np.zeros((x.shape[1], layer.hidden_size)), [], []
    logs = {"sigmoid": lambda f: -np.logaddexp(0, -f), "exp": lambda f: f}[layer.cell.forget]
    for t, x_t in enumerate(x.detach().double().numpy()):
        if reset[t]:
            h, since = np.zeros_like(h), []
        i, f, z, o = np.split(x_t @ w.T + h @ u.T + b + b_h, 4, axis=1)
        since = [(weight + logs(f), value) for weight, value in since] + [(i, np.tanh(z))]
        weights = np.stack([weight for weight, _ in since])
        weights = np.exp(weights - weights.max(axis=0))
        mean = (weights * np.stack([value for _, value in since])).sum(0) / weights.sum(0)
        h = mean / (1 + np.exp(-o))
        outputs.append(h)
    return np.stack(outputs)


@pytest.mark.parametrize("backend", ["c", "eager"])
@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
@pytest.mark.parametrize("scale", [1.0, 30.0, 86.0, *SCALES])
def test_slstm_weighs_its_past_from_the_first_step_on(scale, forget, backend):
    """Whatever the gates are, at the start, after a reset, and in a stream."""
    reset = torch.tensor([False, False, True, True])
    for sign in (-1, 0, 1):
        layer, x = driven("slstm", {"forget": forget}, scale, sign)
        with np.errstate(over="ignore"):
            expected = slstm_as_a_mean(layer, x, reset)
        with torch.no_grad(), penstock.backend(backend):
            output, _ = layer(x, reset=reset[:, None].expand(-1, 3))
            stream = layer.stream(3)
            first = stream.step(x[0].detach()).clone()
        begins = [0, 2, 3]
        np.testing.assert_allclose(output.numpy()[begins], expected[begins], atol=1e-5)
        np.testing.assert_allclose(output.numpy(), expected, atol=5e-3)
        np.testing.assert_allclose(first.numpy(), expected[0], atol=1e-5)


@pytest.mark.parametrize("backend", ["c", "eager"])
@pytest.mark.parametrize("difference", [10.0, 86.0, 100.0, 1e4])
def test_an_open_forget_gate_does_not_hide_the_first_input(difference, backend):
    """ĩ far below l + m₋, of which there is none yet: h = o ⊙ z, as in the authors' code."""
    layer = penstock.Recurrent("slstm", 1, 1, forget="exp")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0.copy_(torch.tensor([-difference / 2, difference / 2, 0.5, 0.0]))
        with penstock.backend(backend):
            output, _ = layer(torch.zeros(1, 1, 1))
    assert output.item() == pytest.approx(0.5 * np.tanh(0.5), abs=1e-6)  # 0.231


class Shut(penstock.Cell):
    """A gate that is shut before what is infinite: 0 · ∞."""

    f, n = penstock.Gate(h=False), penstock.Gate(h=False)

    def step(self, x, h):
        return torch.sigmoid(self.f(x)) * self.n(x) + 0 * h


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_not_a_number_in_torch_is_none_here(dtype):
    layer = penstock.Recurrent(Shut, 1, 1, dtype=dtype)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor([[-1.0], [1.0]]))
        for value in (-np.inf, np.inf, np.nan, 1e4, -1e4):
            found = {}
            for backend in ("c", "eager"):
                with penstock.backend(backend):
                    found[backend] = layer(torch.full((1, 1, 1), value, dtype=dtype))[0]
            torch.testing.assert_close(found["c"], found["eager"], equal_nan=True)

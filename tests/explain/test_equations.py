"""What is printed of a cell is read back and computed, and must be what the cell computes."""

import random
import re
import sys
from pathlib import Path

import pytest
import torch
from evaluate import evaluate
from matplotlib.mathtext import MathTextParser
from shipped import CELLS, PLACED
from torch.nn import functional as F

from penstock.cells import Cell, Gate, Matrix, Place, Vector
from penstock.compiler.pipeline import Sweep
from penstock.errors import TraceError
from penstock.explain.equations import equations
from penstock.layers.running.eager import run

sys.path.append(str(Path(__file__).parents[1] / "compiler"))
import random_cells

B, I, H = 3, 4, 5
GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "lambda": "λ", "mu": "μ", "nu": "ν", "sigma": "σ", "tau": "τ",
}  # fmt: skip


def draw(*shape):
    return torch.randn(shape, dtype=torch.float64)


def names_of(cell, place, weights, x, states, below):
    """Return the value of every name that a cell's equations may have."""
    use, only = cell.usage(place), sum(isinstance(d, Gate) for d in cell.declared.values()) == 1
    values = {"x": x, **{f"{s}₋": v for s, v in zip(cell.states, states, strict=True)}}
    values |= {f"{s}_below": v for s, v in zip(cell.below, below, strict=False)}
    for side, letter, gates in (("ih", "W", use.x_gates), ("hh", "U", use.h_gates)):
        for k, gate in enumerate(gates):
            end = "" if only else f"_{greek(gate)}"
            values[f"{letter}{end}"] = weights[f"weight_{side}"].split(H)[k]
            if gate in cell.biased(gates):
                bias = weights[f"bias_{side}"].split(H)[cell.biased(gates).index(gate)]
                values[f"b{end}"] = values.get(f"b{end}", 0) + bias
    for name in use.others:
        is_matrix = isinstance(cell.declared[name], Matrix)
        own = name[0].upper() + name[1:] if len(name.split("_")[0]) == 1 else f"W_{name}"
        values[own if is_matrix else greek(name)] = weights[f"weight_{name}"]
    return values | {greek(n): v for n, v in cell.hyperparameters.items()}


def greek(name):
    return "_".join(GREEK.get(part, part) for part in name.split("_"))


def check(cell, lowest=True):
    """Compute the printed equations and the cell's own step; they must agree."""
    torch.manual_seed(0)
    place = Place(I, H, lowest)
    weights = {name: draw(*shape) for name, shape in cell.shapes(place).items()}
    x, states = draw(B, I), tuple(draw(B, size) for size in cell.state_sizes(H))
    below = () if lowest else tuple(draw(B, H) for _ in cell.below)
    swept = run(Sweep(cell, place, weights, x[None], states, tuple(b[None] for b in below)))
    values = names_of(cell, place, weights, x, states, below)
    for equation in equations(cell, lowest):
        left, right = equation.text.split(" = ")
        assert left not in values or left.endswith("_below"), f"two meanings of {left}"
        values[left] = evaluate(right, values)
    for state, wanted in zip(cell.states, swept.states, strict=True):
        torch.testing.assert_close(values[state], wanted, rtol=0, atol=1e-12)
    if cell.output is not None:
        torch.testing.assert_close(values[left], swept.output[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "lowest"), PLACED)
def test_the_printed_equations_compute_what_the_cell_computes(name, lowest):
    check(CELLS[name](), lowest)


@pytest.mark.parametrize(("name", "lowest"), PLACED)
def test_the_latex_is_well_formed(name, lowest):
    for equation in equations(CELLS[name](), lowest):
        MathTextParser("path").parse(f"${equation.latex}$")


def test_what_the_lstm_looks_like():
    assert [e.text for e in equations(CELLS["lstm"]())] == [
        "i = σ(W_i x + U_i h₋ + b_i)",
        "f = σ(W_f x + U_f h₋ + b_f)",
        "g = tanh(W_g x + U_g h₋ + b_g)",
        "o = σ(W_o x + U_o h₋ + b_o)",
        "c = f ⊙ c₋ + i ⊙ g",
        "h = o ⊙ tanh(c)",
    ]
    assert equations(CELLS["lstm"]())[4].latex == r"c_t = f_t \odot c_{t-1} + i_t \odot g_t"


class Odd(Cell):
    """Every way of writing that a cell may use."""

    states = ("h", "c")
    a, b = Gate(), Gate()
    q, out_2, narrow, wide = Matrix(), Matrix(), Matrix(rows="few"), Matrix(columns="few")
    p = Vector()
    alpha: float = 0.3
    depth: int = 2
    few: int = 3

    def step(self, x, h, c):
        s = h
        for _ in range(self.depth):
            t = torch.sigmoid(self.b(x, s))
            s = s + t * (torch.tanh(self.a(x, s)) - s) * self.alpha**2
        h = torch.where(s > 0, s + 0.5, torch.sigmoid(s)) - (1 - self.alpha) * self.q(s)
        d = -self.p * c / 2
        d = d - (c - h) / (1.5 + torch.abs(c)) * (h / (2 + t * t))
        d = (
            d
            + self.wide(F.layer_norm(self.narrow(h), (self.few,), eps=0.1))
            - F.softplus(-d) ** 2
            + torch.clamp(d, -0.5, 0.7)
        )
        mixed = torch.lerp(d, h, torch.rsqrt(1 + d.square())) * h.mean(-1, keepdim=True)
        mixed = torch.maximum(mixed, -h) + torch.softmax(mixed, dim=-1) * F.logsigmoid(h)
        new_h = torch.exp(-mixed.abs()) - self.out_2(torch.addcmul(h, mixed, d, value=0.5))
        return new_h, (d.amax(-1, keepdim=True) - d) * -0.1 + F.leaky_relu(d, 0.2)


def test_every_way_of_writing():
    check(Odd(alpha=0.7, depth=3))
    assert any("α²" in e.text for e in equations(Odd()))
    for equation in equations(Odd()):
        MathTextParser("path").parse(f"${equation.latex}$")


@pytest.mark.parametrize("seed", range(25))
def test_random_cells(seed):
    cell = random_cells.define(random_cells.write(random.Random(seed)))()
    check(cell)
    for equation in equations(cell):
        MathTextParser("path").parse(f"${equation.latex}$")


def test_a_wrong_sign_is_seen(monkeypatch):
    """The check itself can fail."""
    printed = equations(CELLS["gru"]())
    wrong = [type(e)(e.text.replace("1 − z", "1 + z"), e.latex) for e in printed]
    monkeypatch.setitem(globals(), "equations", lambda *_: wrong)
    with pytest.raises(AssertionError, match="not close"):
        check(CELLS["gru"]())


def test_names_of_weights_are_not_given_to_values():
    class Same(Cell):
        """A local variable called as the only gate's bias is, and a matrix as its W."""

        a, w = Gate(), Matrix()

        def step(self, x, h):
            b = torch.tanh(self.a(x, h))
            return b * self.w(b)

    texts = [e.text for e in equations(Same())]
    assert texts == ["b⁽¹⁾ = tanh(W x + U h₋ + b)", "h = b⁽¹⁾ ⊙ W_w b⁽¹⁾"]


def test_what_is_made_of_weights_has_no_time():
    class Bounded(Cell):
        """A leak between 0 and 1."""

        n, p_1 = Gate(), Vector()

        def step(self, x, h):
            leak = torch.sigmoid(self.p_1)
            return leak * h + torch.tanh(self.n(x, h))

    latex = [e.latex for e in equations(Bounded())]
    assert latex[0] == r"\mathrm{leak} = \sigma\left(p_1\right)"
    assert latex[1].startswith(r"h_t = \mathrm{leak} \odot h_{t-1} + \tanh")


def test_names_that_mean_several_things_are_numbered():
    texts = [e.text for e in equations(Odd(depth=2))]
    assert [t.split(" = ")[0] for t in texts][:4] == ["t⁽¹⁾", "s⁽¹⁾", "t", "s"]


def test_what_cannot_be_written_down_is_an_error():
    class Sorted(Cell):
        """A sort has several results."""

        a = Gate()

        def step(self, x, h):
            return torch.sort(self.a(x, h), dim=-1)[0]

    with pytest.raises(TraceError, match=re.escape("Sorted: step cannot be written down")):
        equations(Sorted())


def test_a_comparison_is_written_as_one():
    class Compared(Cell):
        """A state that is exactly 0 is told apart."""

        a = Gate()

        def step(self, x, h):
            return torch.where(h == 0, self.a(x, h), (h != 0) * h)

    (equation,) = equations(Compared())
    assert equation.text == "h = W x + U h₋ + b if eq(h₋, 0) else (1 − eq(h₋, 0)) ⊙ h₋"


@pytest.mark.parametrize("sum_of", ["h.sum(0, keepdim=True)", "h.mean()", "F.softmax(h, 0)"])
def test_what_mixes_the_rows_of_a_batch_is_not_written_as_if_it_did_not(sum_of):
    text = (
        "class Mixed(Cell):\n    a = Gate()\n    def step(self, x, h):\n"
        f"        return self.a(x, h) * {sum_of}\n"
    )
    scope = {"Cell": Cell, "Gate": Gate, "F": F, "__name__": "mixed"}
    exec(text, scope, found := {})
    with pytest.raises(TraceError, match="over dim=-1"):
        equations(found["Mixed"]())

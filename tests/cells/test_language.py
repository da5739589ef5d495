"""The language of cells: what a class may say, and what it is told when it says it wrong."""

import re
import subprocess
import sys
from typing import ClassVar, Literal

import pytest
import torch

import penstock
from penstock import Cell, Gate, Matrix, Vector
from penstock.cells import Place, cells
from penstock.errors import ArgumentError, CellError, PenstockError, UnknownCellError

SHIPPED = sorted(n for n, c in cells().items() if c.__module__.startswith("penstock.cells."))


def run(cell, T=3, B=2, I=2, H=4, **keywords):
    """Return (layer, x, output, state) of one run through Recurrent, in float64."""
    layer = penstock.Recurrent(cell, I, H, dtype=torch.float64, **keywords)
    x = torch.randn(T, B, I, dtype=torch.float64)
    return layer, x, *layer(x)


def names(layer):
    return [name for name, _ in layer.named_parameters()]


# ---------------------------------------------------------------- what works


def test_public_names_in_the_order_of_the_design():
    """`penstock.cells` is the function, also after other names were used."""
    code = "import penstock; penstock.Cell; assert 'gru' in penstock.cells()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_public_names():
    public = ("RNN", "LSTM", "GRU", "Recurrent", "Cell", "Gate", "Vector", "Matrix", "cells")
    assert all(callable(getattr(penstock, name)) for name in public)
    assert {*public, "backend"} <= {*penstock.__all__} & {*dir(penstock)}
    with pytest.raises(AttributeError, match="nonsense"):
        _ = penstock.nonsense


def minimal():
    class MinimalGate(Cell):
        """Minimal gated unit (Zhou et al. 2016, arXiv:1603.09420)."""

        f, n = Gate(), Gate()

        def step(self, x, h):
            f = torch.sigmoid(self.f(x, h))
            n = torch.tanh(self.n(x, f * h))
            return (1 - f) * h + f * n

    return MinimalGate


def test_the_cell_of_the_design():
    layer, x, output, state = run(minimal())
    W, U = layer.weight_ih_l0.chunk(2), layer.weight_hh_l0.chunk(2)
    b = (layer.bias_ih_l0 + layer.bias_hh_l0).chunk(2)
    h = torch.zeros(2, 4, dtype=torch.float64)
    for t, x_t in enumerate(x):
        f = torch.sigmoid(x_t @ W[0].T + h @ U[0].T + b[0])
        n = torch.tanh(x_t @ W[1].T + (f * h) @ U[1].T + b[1])
        h = (1 - f) * h + f * n
        torch.testing.assert_close(output[t], h, rtol=0, atol=1e-12)
    torch.testing.assert_close(state[0], h, rtol=0, atol=1e-12)


def test_a_users_cell_is_found_by_name():
    own = minimal()
    assert cells()["minimal_gate"] is own
    assert isinstance(penstock.Recurrent("minimal_gate", 2, 3), torch.nn.Module)


def test_a_users_name_in_snake_case():
    class LeakyLSTMUnit2(Cell):
        a = Gate()

        def step(self, x, h):
            return self.a(x, h)

    assert cells()["leaky_lstm_unit2"] is LeakyLSTMUnit2


def test_the_scan_is_sorted_and_holds_the_asked_cells():
    asked = {
        "rnn", "elman", "lstm", "projected_lstm", "gru", "gru_reset_before",
        "gru_reset_before_keep", "peephole_lstm", "depth_gated_lstm", "lstm_gated_candidate",
        "original_lstm", "cifg", "mgu", "janet", "ligru", "ugrnn", "indrnn", "sru", "qrnn",
        "min_gru", "min_lstm", "slstm", "multiplicative_lstm",
    }  # fmt: skip
    assert asked <= {*cells()}
    assert len([c for c in cells().values() if c.__module__.startswith("penstock.cells.")]) >= 40
    assert list(cells()) == sorted(cells())


def squeezed(text):
    return " ".join(text.split())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_docstring_gives_equations_shapes_and_reference(name):
    cell = cells()[name]
    first, *rest = cell.__doc__.splitlines()
    form = (
        r"[A-Z].+ \(.+ \d{4}, (arXiv:\d{4}\.\d{4,5}(v\d)?|[A-Z].+)\)\."  # Name (Authors year, …).
    )
    assert re.fullmatch(form, first) or name == "lstm_gated_candidate", first
    text = "\n".join(rest)
    equations, shapes = text.index("Equations"), text.index("Shapes: x [B, I]")
    assert equations < shapes
    assert " = " in text[equations:shapes]
    legend = text[shapes:]
    words = ("B batch", "I input", "H hidden")
    assert [word for word in words if word not in squeezed(legend)] == []
    missing = [h for h in cell().hyperparameters if not re.search(rf"\b{h}\b", legend)]
    assert missing == [], "hyperparameters that the docstring does not name"


def test_output_map():
    class Doubled(Cell):
        a, v = Gate(), Gate(x=False)

        def step(self, x, h):
            return torch.tanh(self.a(x, h))

        def output(self, x, h):
            return torch.cat([self.v(h), x], dim=1)

    layer, x, output, state = run(Doubled, num_layers=2, bidirectional=True)
    assert output.shape == (3, 2, 2 * (4 + 12))  # each layer gives H + I; layer 1 has I = 2·(4+2)
    assert state.shape == (4, 2, 4)
    assert layer.weight_ih_l1.shape == (4, 12)
    below = penstock.Recurrent(Doubled, 2, 4, dtype=torch.float64)
    below.load_state_dict({n: p for n, p in layer.state_dict().items() if n.endswith("_l0")})
    torch.testing.assert_close(below(x)[0][..., 4:], x)


def test_several_states_in_order():
    class TwoStates(Cell):
        states = ("h", "c")
        a, b = Gate(), Gate()

        def step(self, x, h, c):
            c = c + 1
            return torch.tanh(self.a(x, h) + self.b(x, h)) + c, c

    _, _, output, (h, c) = run(TwoStates)
    torch.testing.assert_close(output[-1], h[0])
    torch.testing.assert_close(c, torch.full_like(c, 3.0))


def test_widths_from_a_hyperparameter():
    class Narrow(Cell):
        states = ("h", "c")
        widths: ClassVar[dict[str, str]] = {"h": "narrow"}
        narrow: int = 2
        a = Gate()
        q = Matrix("narrow", "hidden_size")

        def step(self, x, h, c):
            c = torch.tanh(self.a(x, h)) + c
            return self.q(c), c

    layer, _, output, (h, c) = run(Narrow, narrow=3)
    assert (output.shape, h.shape, c.shape) == ((3, 2, 3), (1, 2, 3), (1, 2, 4))
    assert layer.weight_hh_l0.shape == (4, 3)
    assert layer.weight_q_l0.shape == (3, 4)


def test_a_mutable_constant_may_be_marked_as_python_marks_it():
    """`ClassVar` alone, and `ClassVar[…]`, both say: no hyperparameter."""

    class Marked(Cell):
        table: ClassVar = {"scale": 2.0}
        names: ClassVar[list[str]] = ["scale"]
        a = Gate()

        def step(self, x, h):
            return self.table[self.names[0]] * self.a(x, h)

    assert Marked().hyperparameters == {}


def one_gate(gate, *arguments):
    class OneGate(Cell):
        g = gate

        def step(self, x, h):
            return torch.tanh(self.g(*[{"x": x, "h": h}[a] for a in arguments])) + 0.5 * h

    return OneGate


@pytest.mark.parametrize(
    ("gate", "arguments", "parameters"),
    [
        ({}, "xh", {"weight_ih": (4, 2), "weight_hh": (4, 4), "bias_ih": (4,), "bias_hh": (4,)}),
        ({"h": False}, "x", {"weight_ih": (4, 2), "bias_ih": (4,)}),
        ({"x": False}, "h", {"weight_hh": (4, 4), "bias_hh": (4,)}),
        ({"bias": False}, "xh", {"weight_ih": (4, 2), "weight_hh": (4, 4)}),
        ({"bias": False, "h": False}, "x", {"weight_ih": (4, 2)}),
    ],
)
def test_parameters_of_a_gate(gate, arguments, parameters):
    layer, *_ = run(one_gate(Gate(**gate), *arguments))
    assert {n: tuple(p.shape) for n, p in layer.named_parameters()} == {
        f"{n}_l0": shape for n, shape in parameters.items()
    }


@pytest.mark.parametrize("arguments", ["xh", "x", "h"])
@pytest.mark.parametrize("start", [1.0, -2.5, 0.0])
def test_a_gates_bias_starts_where_it_says(start, arguments):
    gate = Gate(bias=start, x="x" in arguments, h="h" in arguments)
    layer, *_ = run(one_gate(gate, *arguments))
    biases = [p for n, p in layer.named_parameters() if n.startswith("bias")]
    assert biases
    total = torch.stack([b.detach() for b in biases]).sum(0)
    torch.testing.assert_close(total, torch.full_like(total, start))
    layer.reset_parameters()
    total = torch.stack([b.detach() for b in biases]).sum(0)
    torch.testing.assert_close(total, torch.full_like(total, start))


def test_biases_of_mixed_gates_stack_in_order():
    class Mixed(Cell):
        a, b, c, d = Gate(bias=False), Gate(bias=2.0, h=False), Gate(x=False, bias=3.0), Gate()

        def step(self, x, h):
            return torch.tanh(self.d(x, h) + self.c(h) + self.b(x) + self.a(x, h))

    layer, x, output, _ = run(Mixed, T=1)
    assert layer.weight_ih_l0.shape == (12, 2)  # a, b, d
    assert layer.weight_hh_l0.shape == (12, 4)  # a, c, d
    torch.testing.assert_close(layer.bias_ih_l0[:4].detach(), torch.full((4,), 2.0).double())
    torch.testing.assert_close(layer.bias_hh_l0[:4].detach(), torch.full((4,), 3.0).double())
    W = sum(layer.weight_ih_l0.chunk(3))
    bias = sum(layer.bias_ih_l0.chunk(2)) + sum(layer.bias_hh_l0.chunk(2))
    torch.testing.assert_close(output[0], torch.tanh(x[0] @ W.T + bias))


def test_vector_and_matrix():
    class VectorMatrix(Cell):
        a = Gate()
        p, q = Vector(), Matrix()

        def step(self, x, h):
            return torch.tanh(self.a(x, h) + self.p * self.q(h))

    layer, x, output, _ = run(VectorMatrix, T=2)
    assert names(layer)[-2:] == ["weight_p_l0", "weight_q_l0"]
    assert (layer.weight_p_l0.shape, layer.weight_q_l0.shape) == ((4,), (4, 4))
    h = output[0]
    a = x[1] @ layer.weight_ih_l0.T + h @ layer.weight_hh_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0
    expected = torch.tanh(a + layer.weight_p_l0 * (h @ layer.weight_q_l0.T))
    torch.testing.assert_close(output[1], expected)


def test_a_matrix_transposed_and_one_of_the_input():
    class Transposed(Cell):
        states, widths = ("h", "s"), {"s": "size"}
        a, r = Gate(h=False), Matrix()
        b, p = Matrix(rows="size", columns="input_size"), Matrix(rows="size")
        size: int = 3

        def step(self, x, h, s):
            s = self.b(x) + s
            return torch.tanh(self.a(x) + self.r(h) - self.r.T(h) + self.p.T(s)), s

    layer, x, output, (_, s) = run(Transposed, T=2)
    assert (layer.weight_b_l0.shape, layer.weight_p_l0.shape) == ((3, 2), (3, 4))
    R, W, bias = layer.weight_r_l0, layer.weight_ih_l0, layer.bias_ih_l0
    expected = x.sum(0) @ layer.weight_b_l0.T
    torch.testing.assert_close(s[0], expected)
    turned = output[0] @ (R - R.T).T + expected @ layer.weight_p_l0
    torch.testing.assert_close(output[1], torch.tanh(x[1] @ W.T + bias + turned))


@pytest.mark.parametrize("size", ["1", "hidden_size", "units"])
@pytest.mark.parametrize("initial", [0.25, (2.0, 3.0), lambda u: 10 + u], ids=["n", "range", "f"])
def test_a_vector_starts_where_it_says(initial, size):
    class Started(Cell):
        states, widths = ("h", "s"), {"s": "units"}
        a, p = Gate(), Vector(initial, size=size)
        units: int = 5

        def step(self, x, h, s):
            scaled = self.p * (s if size == "units" else h)
            return torch.tanh(self.a(x, h) + scaled.mean(-1, keepdim=True)), s + scaled.mean(
                -1, keepdim=True
            )

    layer = penstock.Recurrent(Started, 2, 4, num_layers=2)
    low, high = {float: (0.25, 0.25), tuple: (2, 3)}.get(type(initial), (10, 11))
    for _ in range(2):
        for p in (layer.weight_p_l0, layer.weight_p_l1):
            assert p.shape == ({"1": 1, "hidden_size": 4, "units": 5}[size],)
            assert ((p >= low) & (p <= high)).all()
            assert len(p) == 1 or (len({*p.tolist()}) > 1) == (low < high)
        layer.reset_parameters()


def test_the_order_is_that_of_declaration_not_of_use():
    class Ordered(Cell):
        z, a = Gate(), Gate()

        def step(self, x, h):
            return torch.tanh(self.a(x, h)) + 10 * self.z(x, h)

    layer, x, output, _ = run(Ordered, T=1, bias=False)
    z, a = layer.weight_ih_l0.chunk(2)
    torch.testing.assert_close(output[0], torch.tanh(x[0] @ a.T) + 10 * (x[0] @ z.T))


def test_a_hyperparameter_changes_the_equations():
    class Leaky(Cell):
        a = Gate()
        dt: float = 0.1
        act: Literal["tanh", "relu"] = "tanh"

        def step(self, x, h):
            return h + self.dt * getattr(torch, self.act)(self.a(x, h))

    torch.manual_seed(0)
    layer, x, slow, _ = run(Leaky, T=1)
    fast_layer = penstock.Recurrent(Leaky, 2, 4, dt=1, dtype=torch.float64)
    fast_layer.load_state_dict(layer.state_dict())
    torch.testing.assert_close(fast_layer(x)[0], 10 * slow)
    assert Leaky(dt=1).hyperparameters == {"dt": 1.0, "act": "tanh"}
    assert Leaky().hyperparameters == {"dt": 0.1, "act": "tanh"}
    assert "dt" in repr(fast_layer)


def test_a_gate_may_be_used_twice():
    class Twice(Cell):
        a = Gate()

        def step(self, x, h):
            return torch.tanh(self.a(x, torch.tanh(self.a(x, h))))

    layer, x, output, _ = run(Twice, T=1)
    assert layer.weight_ih_l0.shape == (4, 2)

    def a(h):
        bias = layer.bias_ih_l0 + layer.bias_hh_l0
        return torch.tanh(x[0] @ layer.weight_ih_l0.T + h @ layer.weight_hh_l0.T + bias)

    torch.testing.assert_close(output[0], a(a(torch.zeros(2, 4, dtype=torch.float64))))


def test_a_cell_of_its_own_trains():
    torch.manual_seed(0)
    layer, x, *_ = run(minimal(), T=5, B=8)
    target = torch.tanh(x.cumsum(0))[..., :1].expand(-1, -1, 4)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (layer(x)[0] - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_the_lower_layers_state():
    class Below(Cell):
        a = Gate()
        w = Vector()

        def step(self, x, h, h_below=None):
            h = self.a(x, h)
            return torch.tanh(h if h_below is None else h + self.w * h_below)

    layer, *_ = run(Below, num_layers=3)
    assert "weight_w_l0" not in names(layer)
    assert layer.weight_w_l1.shape == layer.weight_w_l2.shape == (4,)
    assert Below.below == ("h",)
    assert Below().shapes(Place(2, 4, lowest=True)) == {
        "weight_ih": (4, 2), "weight_hh": (4, 4), "bias_ih": (4,), "bias_hh": (4,),
    }  # fmt: skip


# ---------------------------------------------------------------- mistakes when a class is defined


def undeclared_gate():
    class Undeclared(Cell):
        forget = Gate()

        def step(self, x, h):
            return self.forget(x, h) * self.forgot(x, h)


def too_few_states():
    class TooFew(Cell):
        states = ("h", "c")
        a = Gate()

        def step(self, x, h, c):
            return self.a(x, h) + c


def too_many_states():
    class TooMany(Cell):
        a = Gate()

        def step(self, x, h):
            return self.a(x, h), h


def wrong_shape():
    class WrongShape(Cell):
        a = Gate()

        def step(self, x, h):
            return torch.cat([self.a(x, h), h], dim=1)


def wrong_shape_of_the_second():
    class SecondWrong(Cell):
        states = ("h", "c")
        a = Gate()

        def step(self, x, h, c):
            return self.a(x, h) + c, x


def no_tensor():
    class NoTensor(Cell):
        a = Gate()

        def step(self, x, h):
            self.a(x, h)


def unused():
    class Unused(Cell):
        a, spare = Gate(), Gate()

        def step(self, x, h):
            return self.a(x, h)


def unused_vector():
    class UnusedVector(Cell):
        a, p = Gate(), Vector()

        def step(self, x, h):
            return self.a(x, h)


def no_step():
    class NoStep(Cell):
        a = Gate()


def too_few_arguments():
    class FewArguments(Cell):
        states = ("h", "c")
        a = Gate()

        def step(self, x, h):
            return self.a(x, h), h


def unknown_below():
    class UnknownBelow(Cell):
        a = Gate()

        def step(self, x, h, m_below=None):  # noqa: ARG002
            return self.a(x, h)


def gate_without_h_given_h():
    class GateGivenTwo(Cell):
        a = Gate(h=False)

        def step(self, x, h):
            return self.a(x, h)


def gate_with_one_argument():
    class GateGivenOne(Cell):
        a = Gate()

        def step(self, x, h):  # noqa: ARG002
            return self.a(h)


def gate_arguments_exchanged():
    class Exchanged(Cell):
        a = Gate()

        def step(self, x, h):
            return self.a(h, x)


def states_as_text():
    class StatesText(Cell):
        states = "h"
        a = Gate()

        def step(self, x, h):
            return self.a(x, h)


def states_repeated():
    class Repeated(Cell):
        states = ("h", "h")
        a = Gate()

        def step(self, x, h, g):  # noqa: ARG002
            return self.a(x, h), h


def states_empty():
    class Stateless(Cell):
        states = ()
        a = Gate(h=False)

        def step(self, x):
            return self.a(x)


def hyperparameter_without_default():
    class NoDefault(Cell):
        a = Gate()
        dt: float

        def step(self, x, h):
            return h + self.dt * self.a(x, h)


def shapes_that_do_not_add():
    class DoNotAdd(Cell):
        a = Gate()

        def step(self, x, h):
            return self.a(x, h) + x


def output_without_features():
    class FlatOutput(Cell):
        a = Gate()

        def step(self, x, h):
            return self.a(x, h)

        def output(self, x, h):  # noqa: ARG002
            return h.sum()


def matrix_of_wrong_width():
    class MatrixWidth(Cell):
        a, q = Gate(), Matrix()

        def step(self, x, h):
            return self.a(x, h) + self.q(x)


def mistyped_torch():
    class Mistyped(Cell):
        a = Gate()

        def step(self, x, h):
            return torch.sigmiod(self.a(x, h))


def hyperparameter_with_a_name_of_cells():
    class NameTaken(Cell):
        a = Gate()
        shape: float = 2.0

        def step(self, x, h):
            return self.shape * self.a(x, h)


def gate_with_a_name_of_cells():
    class OutputGate(Cell):
        output = Gate()

        def step(self, x, h):
            return self.output(x, h)


def matrix_that_is_not_called():
    class NotCalled(Cell):
        a, q = Gate(), Matrix()

        def step(self, x, h):
            return self.a(x, h) if self.q else h


def branch_on_a_value():
    class Branching(Cell):
        a = Gate()

        def step(self, x, h):
            return self.a(x, h) if h.sum() > 0 else h


def number_read_from_a_value():
    class Reading(Cell):
        a = Gate()

        def step(self, x, h):
            return float(h.sum()) * self.a(x, h)


MISTAKES = {
    branch_on_a_value: ("Branching", "branches on a value", "torch.where", "line"),
    number_read_from_a_value: ("Reading", "branches on a value", "torch.where", "line"),
    hyperparameter_with_a_name_of_cells: ("NameTaken", "shape", "choose another"),
    gate_with_a_name_of_cells: ("OutputGate", "output", "choose another"),
    matrix_that_is_not_called: ("NotCalled", "q declared", "use it", "delete"),
    undeclared_gate: ("Undeclared", "forgot", "did you mean 'forget'", "Gate()", "line"),
    too_few_states: ("TooFew", "returns 1", "2 states", "h, c", "return"),
    too_many_states: ("TooMany", "returns 2", "1 states", "return"),
    wrong_shape: ("WrongShape", "'h'", "[B, 10]", "[B, 5]", "check"),
    wrong_shape_of_the_second: ("SecondWrong", "'c'", "[B, 3]", "[B, 5]", "check"),
    no_tensor: ("NoTensor", "'h'", "NoneType", "[B, 5]"),
    unused: ("Unused", "spare", "use it", "delete"),
    unused_vector: ("UnusedVector", "p declared", "use it", "delete"),
    no_step: ("NoStep", "no step", "def step(self, x, h)"),
    too_few_arguments: ("FewArguments", "self, x, h", "('h', 'c')", "def step(self, x, h, c)"),
    unknown_below: ("UnknownBelow", "m_below", "states"),
    gate_without_h_given_h: ("GateGivenTwo", "gate a", "2 arguments", "self.a(x)"),
    gate_with_one_argument: ("GateGivenOne", "gate a", "1 arguments", "self.a(x, h)"),
    gate_arguments_exchanged: ("Exchanged", "self.a(h, x)", "line"),
    states_as_text: ("StatesText", "'h'", "tuple", 'states = ("h", "c")'),
    states_repeated: ("Repeated", "('h', 'h')", "states"),
    states_empty: ("Stateless", "()", "states"),
    hyperparameter_without_default: ("NoDefault", "dt", "no default", "dt ="),
    shapes_that_do_not_add: ("DoNotAdd", "self.a(x, h) + x", "line"),
    output_without_features: ("FlatOutput", "output", "[B, features]"),
    matrix_of_wrong_width: ("MatrixWidth", "self.q(x)", "line"),
}


@pytest.mark.parametrize("define", MISTAKES, ids=lambda define: define.__name__)
def test_a_mistake_names_cell_cause_and_remedy(define):
    with pytest.raises(CellError) as caught:
        define()
    message = str(caught.value)
    assert [part for part in MISTAKES[define] if part not in message] == [], message
    assert len(message.splitlines()) <= 3
    assert isinstance(caught.value, PenstockError)


def test_a_cell_that_failed_is_not_found_later():
    """Not even while its error is alive, as the last one is in a notebook."""
    errors = []
    for define in MISTAKES:
        with pytest.raises(CellError) as caught:
            define()
        errors.append(caught.value)
    assert not {"undeclared", "too_few", "unused", "no_step"} & {*cells()}


def test_a_failed_definition_does_not_hide_the_good_one():
    class Fickle(Cell):
        a = Gate()

        def step(self, x, h):
            return self.a(x, h)

    good = Fickle
    with pytest.raises(CellError, match="spare"):

        class Fickle(Cell):
            a, spare = Gate(), Gate()

            def step(self, x, h):
                return self.a(x, h)

    assert cells()["fickle"] is good


def test_a_mistyped_function_is_told_as_python_tells_it():
    with pytest.raises((AttributeError, CellError), match="sigmiod"):
        mistyped_torch()


def test_a_gate_with_nothing_to_act_on():
    with pytest.raises(CellError, match="Vector"):
        Gate(x=False, h=False)


def test_a_declaration_outside_of_a_cell():
    with pytest.raises((CellError, RuntimeError), match="Plain") as caught:

        class Plain:
            a = Gate()

    cause = caught.value if isinstance(caught.value, CellError) else caught.value.__cause__
    assert "penstock.Cell" in str(cause)


def test_a_declaration_has_no_value_outside_of_the_equations():
    with pytest.raises(CellError, match="inside step"):
        _ = minimal()().f


# ---------------------------------------------------------------- mistakes when a cell is used


def choosy():
    class Choosy(Cell):
        a = Gate()
        act: Literal["tanh", "relu"] = "tanh"
        order: int = 2
        dt: float = 0.1

        def step(self, x, h):
            return getattr(torch, self.act)(self.a(x, h)) * self.dt**self.order

    return Choosy


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ({"act": "gelu"}, ("Choosy", "act", "'gelu'", "'tanh' or 'relu'")),
        ({"act": 3}, ("Choosy", "act", "3", "'tanh' or 'relu'")),
        ({"order": 1.5}, ("Choosy", "order", "1.5", "int")),
        ({"order": True}, ("Choosy", "order", "True", "int")),
        ({"dt": "fast"}, ("Choosy", "dt", "'fast'", "float")),
        ({"td": 0.2}, ("Choosy", "'td'", "did you mean 'dt'")),
        ({"wholly": 0.2}, ("Choosy", "'wholly'", "known: act, dt, order")),
    ],
    ids=str,
)
def test_a_wrong_hyperparameter(wrong, parts):
    Choosy = choosy()
    for make in (lambda: Choosy(**wrong), lambda: penstock.Recurrent(Choosy, 2, 3, **wrong)):
        with pytest.raises(ArgumentError) as caught:
            make()
        message = str(caught.value)
        assert [part for part in parts if part not in message] == [], message
        assert isinstance(caught.value, ValueError)


def test_a_default_of_the_wrong_kind():
    """A default outside of its own Literal is a mistake of the class, found when it is defined."""
    with pytest.raises((CellError, ArgumentError), match=r"act.*'gelu'.*'tanh' or 'relu'"):

        class WrongDefault(Cell):
            a = Gate()
            act: Literal["tanh", "relu"] = "gelu"

            def step(self, x, h):
                return torch.tanh(self.a(x, h))


@pytest.mark.parametrize(
    ("name", "near"), [("gru_reset_befor", "gru_reset_before"), ("LSTM", "lstm"), ("lstn", "lstm")]
)
def test_an_unknown_name_suggests_the_nearest(name, near):
    with pytest.raises(UnknownCellError) as caught:
        penstock.Recurrent(name, 2, 3)
    assert repr(name) in str(caught.value)
    assert repr(near) in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_name_like_none_lists_all():
    with pytest.raises(UnknownCellError, match=r"'xyzxyz'.*gru.*lstm"):
        penstock.Recurrent("xyzxyz", 2, 3)


@pytest.mark.parametrize(
    "what", [None, 7, torch.nn.LSTM, object()], ids=["None", "7", "LSTM", "object"]
)
def test_no_cell_at_all(what):
    with pytest.raises(ArgumentError, match="cell"):
        penstock.Recurrent(what, 2, 3)

"""`clip_gates` of every cell, against its formula in numpy with limits, and against onnxruntime."""

import numpy as np
import onnxruntime
import pytest
import torch
from formulas import FORMULAS, Weights
from formulas.base import Formula, sigmoid
from onnx import TensorProto, helper, numpy_helper
from test_formulas import CASES, as_tuple, random_input, random_layer, random_state, scan

import penstock
from penstock.cells import cells

LIMIT = 0.4
LINEAR = (np.add, np.subtract, np.negative)


def clip(a):
    return np.clip(a, -LIMIT, LIMIT)


class Call(np.lib.mixins.NDArrayOperatorsMixin):
    """What gates give, or a sum of such: `whole`; `plain` has a limit on each gate's call.

    A function of it reads the whole within limits; anything else reads the plain one.
    """

    def __init__(self, whole, plain):
        self.whole, self.plain = whole, plain

    def __array_ufunc__(self, ufunc, method, *inputs):
        calls = [isinstance(value, Call) for value in inputs]
        wholes = [v.whole if isinstance(v, Call) else v for v in inputs]
        plains = [v.plain if isinstance(v, Call) else v for v in inputs]
        scaled = ufunc is np.multiply and sum(calls) == 1
        scaled = scaled or (ufunc is np.true_divide and not calls[1])
        if ufunc in LINEAR or scaled:
            return Call(ufunc(*wholes), ufunc(*plains))
        return ufunc(clip(wholes[0])) if len(inputs) == 1 else ufunc(*plains)

    def __array_function__(self, function, types, args, kwargs):
        assert function is np.where
        condition, yes, no = args
        assert isinstance(yes, Call)
        is_relu = isinstance(no, float)
        return np.maximum(clip(yes.whole), no) if is_relu else np.where(condition, yes.plain, no)

    def max(self, **keywords):
        return self.plain.max(**keywords)

    @property
    def real(self):
        return self.plain.real

    @property
    def imag(self):
        return self.plain.imag


class Limited(Weights):
    def x(self, gate, x):
        return self._limited(super().x(gate, x))

    def h(self, gate, h):
        return self._limited(super().h(gate, h))

    def __call__(self, gate, x, h):
        return self._limited(Weights.x(self, gate, x) + Weights.h(self, gate, h))

    def _limited(self, whole):
        return Call(whole, clip(whole))


def ran(w, options, x, old, below):
    """A new state is not limited by the gates' limit, and n is a gate without a function."""
    h, c = old
    c = sigmoid(w("i", x, h)) * w.x("n", x).plain + sigmoid(w("f", x, h)) * c
    h = np.tanh(c)
    return h, (h, c)


def lem(w, options, x, old, below):
    """With σ in place of tanh, of which the formula makes it."""
    y, z = old
    dt = options.get("dt", 1.0)
    d_1, d_2 = (dt * sigmoid(w(gate, x, y)) for gate in ("d_1", "d_2"))
    z = (1 - d_1) * z + d_1 * np.tanh(w("z", x, y))
    y = (1 - d_2) * y + d_2 * np.tanh(w.x("n", x) + z @ w["q"].T)
    return y, (y, z)


def depth_gated_lstm(w, options, x, old, below):
    """What stands for the memory below is limited, the new c is not."""
    h, c_old = old
    i, f, o = (sigmoid(w(gate, x, h)) for gate in "ifo")
    c_below = w.x("p", x).plain
    d = sigmoid(w.x("d", x) + w["w_2"] * c_old)
    c = f * c_old + i * np.tanh(w("g", x, h)) + d * c_below
    h = o * np.tanh(c)
    return h, (h, c)


SPELT = {f.__name__: f for f in (ran, lem, depth_gated_lstm)}


def in_numpy(name, layer, options, x, state):
    """Return outputs and final states of one layer with limits, in numpy."""
    formula: Formula = FORMULAS[name]
    parameters = {n: p.detach().numpy() for n, p in layer.named_parameters()}
    w = Limited(parameters, "_l0", formula.x_gates, formula.h_gates)

    def step(x, old, below):
        output, new = SPELT.get(name, formula.step)(w, options, x, old, below)
        return getattr(output, "plain", output), tuple(getattr(s, "plain", s) for s in new)

    outputs, _, finals = scan(step, x, state, None, range(len(x)))
    return outputs, finals


COMPILED = ("peephole_lstm", "gru", "atr", "min_gru", "sru", "indrnn")  # a compilation each
RUNS = [pytest.param(*case.values, "eager", id=f"{case.id}-eager") for case in CASES]
RUNS += [pytest.param(name, {}, "c", id=f"{name}-c") for name in COMPILED]


@pytest.mark.parametrize(("name", "options", "backend"), RUNS)
def test_a_limit_holds_all_that_a_gates_function_reads(name, options, backend):
    layer = random_layer(name, options, 3, 4, clip_gates=LIMIT)
    x, state = 2 * random_input(5, 3, 3), random_state(name, options, 1, 3, 4)
    with torch.no_grad(), penstock.backend(backend):
        output, new = layer(x, state)
        free = random_layer(name, options, 3, 4)(x, state)[0]
    given = tuple(s[0].numpy() for s in as_tuple(state))
    expected, finals = in_numpy(name, layer, options, x.numpy(), given)
    for got, final in zip(as_tuple(new), finals, strict=True):
        np.testing.assert_allclose(got[0].numpy(), final, rtol=0, atol=1e-10)
    if cells()[name].output is None:  # an output's own gates are not the step's
        np.testing.assert_allclose(output.numpy(), expected, rtol=0, atol=1e-10)
        assert np.abs(output.numpy() - free.numpy()).max() > 1e-3


# ---------------------------------------------------------------- onnxruntime

H, I, B, T = 5, 3, 2, 6


def drawn(rng, *shape):
    return (2 * rng.standard_normal(shape)).astype(np.float32)


def in_onnxruntime(op, x, tensors, outputs, **attributes):
    """Return what onnxruntime makes of one recurrent node: the output [T, B, H]."""
    names = ["X", *(name if value is not None else "" for name, value in tensors.items())]
    node = helper.make_node(op, names, outputs, hidden_size=H, **attributes)
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info("X", floats, [T, B, I])],
        [helper.make_tensor_value_info(outputs[0], floats, None)],
        [numpy_helper.from_array(v, n) for n, v in tensors.items() if v is not None],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"X": x})[0][:, 0]


def reordered(weight, gates, wanted):
    parts = dict(zip(gates, np.split(weight, len(gates)), strict=True))
    return np.concatenate([parts[g] for g in wanted])


ONNX = [
    ("RNN", "rnn", "a", "a", {"activations": ["Tanh"]}, {}),
    ("RNN", "rnn", "a", "a", {"activations": ["Relu"]}, {"nonlinearity": "relu"}),
    ("GRU", "gru_reset_before_keep", "rzn", "zrn", {"linear_before_reset": 0}, {}),
    ("GRU", "gru", "rzn", "zrn", {"linear_before_reset": 1}, {}),
    ("LSTM", "lstm", "ifgo", "iofg", {}, {}),
    ("LSTM", "peephole_lstm", "ifgo", "iofg", {}, {}),
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limit", [0.05, 0.5, 1.5, 4.0])
@pytest.mark.parametrize("case", ONNX, ids=lambda c: f"{c[1]}-{[*c[4].values()]}")
def test_a_limit_is_that_of_onnxruntime(case, limit, seed):
    op, cell, gates, theirs, attributes, options = case
    rng = np.random.default_rng(seed)
    layer = penstock.Recurrent(cell, I, H, clip_gates=limit, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.from_numpy(drawn(rng, *parameter.shape)))
    ours = {n.removesuffix("_l0"): p.detach().numpy() for n, p in layer.named_parameters()}
    w, u, b, b_h = (
        reordered(ours[n], gates, theirs) for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    tensors = {"W": w[None], "R": u[None], "B": np.concatenate([b, b_h])[None]}
    if cell == "peephole_lstm":
        tensors |= {"lengths": None, "h": None, "c": None}
        tensors["P"] = np.concatenate([ours[f"weight_p_{g}"] for g in "iof"])[None]
    x = drawn(rng, T, B, I)
    expected = in_onnxruntime(op, x, tensors, ["Y"], clip=limit, **attributes)
    with torch.no_grad():
        output, _ = layer(torch.from_numpy(x))
    np.testing.assert_allclose(output.numpy(), expected, rtol=1e-4, atol=2e-5)

"""Simple recurrent networks, and those with a structure in place of gates."""

from collections.abc import Callable

import numpy as np
from numpy import ndarray as Array
from numpy import tanh

from formulas.base import formula, relu, sigmoid


def softmax(a: Array) -> Array:
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": tanh,
    "relu": relu,
    "softmax": softmax,
    "sigmoid": sigmoid,
    "identity": lambda a: a,
}

RNN_OPTIONS = tuple({"nonlinearity": f} for f in ("tanh", "relu"))
ELMAN_OPTIONS = tuple(
    {**f, "readout": g} for f in RNN_OPTIONS for g in ("softmax", "sigmoid", "identity")
)


@formula("a", "a", *RNN_OPTIONS)
def rnn(w, options, x, old, below):
    h = FUNCTIONS[options["nonlinearity"]](w("a", x, old[0]))
    return h, (h,)


@formula("a", "a v", *ELMAN_OPTIONS)
def elman(w, options, x, old, below):
    h = FUNCTIONS[options["nonlinearity"]](w("a", x, old[0]))
    return FUNCTIONS[options["readout"]](w.h("v", h)), (h,)


@formula("a")
def indrnn(w, options, x, old, below):
    h = relu(w.x("a", x) + w["u"] * old[0])
    return h, (h,)


@formula("a", "a u", {"context_size": 2, "alpha": 0.9}, {"context_size": 4})
def scrn(w, options, x, old, below):
    h, s = old
    alpha = options.get("alpha", 0.95)
    s = (1 - alpha) * (x @ w["b"].T) + alpha * s
    h = sigmoid(s @ w["p"].T + w("a", x, h))
    return w.h("u", h) + s @ w["v"].T, (h, s)


@formula("a", "", {}, {"epsilon": 0.5, "gamma": 0.3})
def antisymmetric_rnn(w, options, x, old, below):
    (h,), R = old, w["r"]
    M = R - R.T - options.get("gamma", 0.01) * np.eye(len(R))
    h = h + options.get("epsilon", 0.1) * tanh(w.x("a", x) + h @ M.T)
    return h, (h,)


@formula("z n", "", {"epsilon": 0.5, "gamma": 0.3})
def gated_antisymmetric_rnn(w, options, x, old, below):
    (h,), R = old, w["r"]
    a = h @ (R - R.T - options["gamma"] * np.eye(len(R))).T
    h = h + options["epsilon"] * sigmoid(a + w.x("z", x)) * tanh(a + w.x("n", x))
    return h, (h,)


@formula("n_1 t_1", "n_1 n_2 n_3 t_1 t_2 t_3")
def rhn(w, options, x, old, below):
    s = old[0]
    for k in (1, 2, 3):
        n, t = w.h(f"n_{k}", s), w.h(f"t_{k}", s)
        if k == 1:
            n, t = n + w.x("n_1", x), t + w.x("t_1", x)
        s = tanh(n) * sigmoid(t) + s * (1 - sigmoid(t))
    return s, (s,)

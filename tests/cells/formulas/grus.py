"""The GRU and its kin: one state, gated."""

import numpy as np
from numpy import tanh

from formulas.base import formula, relu, sigmoid


@formula("r z n", "r z n")
def gru(w, options, x, old, below):
    z, r = (sigmoid(w(gate, x, old[0])) for gate in "zr")
    n = tanh(w.x("n", x) + r * w.h("n", old[0]))
    h = (1 - z) * n + z * old[0]
    return h, (h,)


@formula("r z n", "r z n")
def gru_reset_before(w, options, x, old, below):
    z, r = (sigmoid(w(gate, x, old[0])) for gate in "zr")
    n = tanh(w("n", x, r * old[0]))
    h = (1 - z) * old[0] + z * n
    return h, (h,)


@formula("r z n", "r z n")
def gru_reset_before_keep(w, options, x, old, below):
    z, r = (sigmoid(w(gate, x, old[0])) for gate in "zr")
    n = tanh(w("n", x, r * old[0]))
    h = (1 - z) * n + z * old[0]
    return h, (h,)


@formula("f n", "f n")
def mgu(w, options, x, old, below):
    (h,) = old
    f = sigmoid(w("f", x, h))
    h = (1 - f) * h + f * tanh(w.x("n", x) + w.h("n", f * h))
    return h, (h,)


@formula("s n", "s n", {}, {"beta": 0.0}, {"beta": 2.5})
def janet(w, options, x, old, below):
    (h,) = old
    s = w("s", x, h)
    opened = 1 - sigmoid(s - options.get("beta", 1.0))
    h = sigmoid(s) * h + opened * tanh(w("n", x, h))
    return h, (h,)


@formula("z n", "z n")
def ligru(w, options, x, old, below):
    z = sigmoid(w("z", x, old[0]))
    h = z * old[0] + (1 - z) * relu(w("n", x, old[0]))
    return h, (h,)


@formula("g n", "g n")
def ugrnn(w, options, x, old, below):
    g = sigmoid(w("g", x, old[0]))
    h = g * old[0] + (1 - g) * tanh(w("n", x, old[0]))
    return h, (h,)


@formula("a", "a")
def fast_grnn(w, options, x, old, below):
    (h,) = old
    shared = w("a", x, h)
    z = sigmoid(shared + w["b_z"])
    zeta, nu = sigmoid(w["zeta"][0]), sigmoid(w["nu"][0])
    h = (zeta * (1 - z) + nu) * tanh(shared + w["b_n"]) + z * h
    return h, (h,)


@formula("p", "q")
def atr(w, options, x, old, below):
    (h,) = old
    p, q = w.x("p", x), w.h("q", h)
    h = p * sigmoid(p + q) + h * sigmoid(p - q)
    return h, (h,)


@formula("theta eta n", "theta eta")
def cfn(w, options, x, old, below):
    (h,) = old
    kept = sigmoid(w("theta", x, h)) * tanh(h)
    h = kept + sigmoid(w("eta", x, h)) * tanh(w.x("n", x))
    return h, (h,)


@formula("z k", "k")
def star(w, options, x, old, below):
    k = sigmoid(w("k", x, old[0]))
    h = tanh((1 - k) * old[0] + k * tanh(w.x("z", x)))
    return h, (h,)


@formula("z", "u")
def minimal_rnn(w, options, x, old, below):
    z = tanh(w.x("z", x))
    u = sigmoid(w.h("u", old[0]) + z @ w["v"].T)
    h = u * old[0] + (1 - u) * z
    return h, (h,)


@formula("z r n_x", "r n_h")
def mut1(w, options, x, old, below):
    (h,) = old
    z, r = sigmoid(w.x("z", x)), sigmoid(w("r", x, h))
    h = tanh(w.h("n_h", r * h) + tanh(w.x("n_x", x))) * z + h * (1 - z)
    return h, (h,)


@formula("z n_x", "z r n_h")
def mut2(w, options, x, old, below):
    (h,) = old
    projected = w.x("n_x", x)
    z, r = sigmoid(w("z", x, h)), sigmoid(projected + w.h("r", h))
    h = tanh(w.h("n_h", r * h) + projected) * z + h * (1 - z)
    return h, (h,)


@formula("z r n", "z r n")
def mut3(w, options, x, old, below):
    (h,) = old
    z, r = sigmoid(w.x("z", x) + w.h("z", tanh(h))), sigmoid(w("r", x, h))
    h = tanh(w.h("n", r * h) + w.x("n", x)) * z + h * (1 - z)
    return h, (h,)


@formula("a", "a f p q", {}, {"dt": 0.3})
def cfc(w, options, x, old, below):
    z = 1.7159 * tanh(0.666 * w("a", x, old[0]))
    decay = 1 / (1 + np.exp(w.h("f", z) * options.get("dt", 1.0)))
    h = decay * tanh(w.h("p", z)) + (1 - decay) * tanh(w.h("q", z))
    return h, (h,)

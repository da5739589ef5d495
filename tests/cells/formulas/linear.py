"""Networks whose recurrence is elementwise, most of them linear in the state."""

import numpy as np
from numpy import tanh

from formulas.base import formula, sigmoid


@formula("f r n p")
def sru(w, options, x, old, below):
    _, c_old = old
    f = sigmoid(w.x("f", x) + w["v_f"] * c_old)
    r = sigmoid(w.x("r", x) + w["v_r"] * c_old)
    c = f * c_old + (1 - f) * w.x("n", x)
    h = r * c + (1 - r) * w.x("p", x)
    return h, (h, c)


@formula("z f o next_z next_f next_o")
def qrnn(w, options, x, old, below):
    _, c, *before = old
    z, f, o = (w.x(gate, x) + v for gate, v in zip("zfo", before, strict=True))
    c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(z)
    h = sigmoid(o) * c
    return h, (h, c, *(w.x(f"next_{gate}", x) for gate in "zfo"))


def positive(a):
    return np.where(a >= 0, a + 0.5, sigmoid(a))


@formula("z n")
def min_gru(w, options, x, old, below):
    z = sigmoid(w.x("z", x))
    h = (1 - z) * old[0] + z * positive(w.x("n", x))
    return h, (h,)


@formula("f i n")
def min_lstm(w, options, x, old, below):
    """With f/(f + i) as exp(log f − log(f + i)): shut gates have logarithms."""
    f, i = (-np.logaddexp(0, -w.x(gate, x)) for gate in "fi")
    both = np.logaddexp(f, i)
    h = np.exp(f - both) * old[0] + np.exp(i - both) * positive(w.x("n", x))
    return h, (h,)


@formula("b_re b_im d")
def lru(w, options, x, old, below):
    """In complex numbers, as the paper has it."""
    eigenvalue = np.exp(-np.exp(w["nu"]) + 1j * np.exp(w["theta"]))
    gamma = np.exp(w["g"]) * np.sqrt(1 - np.abs(eigenvalue) ** 2)
    driven = w.x("b_re", x) + 1j * w.x("b_im", x)
    s = eigenvalue * (old[0] + 1j * old[1]) + gamma * driven
    y = (s @ (w["c_re"] + 1j * w["c_im"]).T).real + w.x("d", x)
    return y, (s.real, s.imag)


@formula("f n_re n_im g")
def hgrn(w, options, x, old, below):
    """In complex numbers, as the paper has it."""
    bound = sigmoid(w["p"])
    forget = bound + (1 - bound) * sigmoid(w.x("f", x))
    re, im = w.x("n_re", x), w.x("n_im", x)
    candidate = re * sigmoid(re) + 1j * im * sigmoid(im)
    s = forget * np.exp(1j * w["theta"]) * (old[0] + 1j * old[1]) + (1 - forget) * candidate
    y = ((sigmoid(w.x("g", x)) * s) @ (w["c_re"] + 1j * w["c_im"]).T).real
    return y, (s.real, s.imag)

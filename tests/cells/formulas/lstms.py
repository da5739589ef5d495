"""The LSTM and its kin."""

import numpy as np
from numpy import tanh

from formulas.base import formula, relu, sigmoid


@formula("i f g o", "i f g o")
def lstm(w, options, x, old, below):
    h, c = old
    i, f, o = (sigmoid(w(gate, x, h)) for gate in "ifo")
    c = f * c + i * tanh(w("g", x, h))
    h = o * tanh(c)
    return h, (h, c)


@formula("i f g o", "i f g o", {"proj_size": 2}, {"proj_size": 3})
def projected_lstm(w, options, x, old, below):
    h, c = old
    i, f, o = (sigmoid(w(gate, x, h)) for gate in "ifo")
    c = f * c + i * tanh(w("g", x, h))
    h = (o * tanh(c)) @ w["hr"].T
    return h, (h, c)


@formula("i f g o", "i f g o")
def lstm_gated_candidate(w, options, x, old, below):
    h, c = old
    i, f, o = (sigmoid(w(gate, x, h)) for gate in "ifo")
    c = f * c + i * tanh(w("g", x, i * h))
    h = o * tanh(c)
    return h, (h, c)


@formula("i f g o", "i f g o")
def peephole_lstm(w, options, x, old, below):
    h, c_old = old
    i = sigmoid(w("i", x, h) + w["p_i"] * c_old)
    f = sigmoid(w("f", x, h) + w["p_f"] * c_old)
    c = f * c_old + i * tanh(w("g", x, h))
    o = sigmoid(w("o", x, h) + w["p_o"] * c)
    h = o * tanh(c)
    return h, (h, c)


@formula("i f g o d p", "i f g o", above="i f g o d")
def depth_gated_lstm(w, options, x, old, below):
    h, c_old = old
    i, f, o = (sigmoid(w(gate, x, h)) for gate in "ifo")
    depth = w.x("d", x) + w["w_2"] * c_old
    c_below = w.x("p", x) if below is None else below[1]
    depth = depth if below is None else depth + w["w_1"] * c_below
    c = f * c_old + i * tanh(w("g", x, h)) + sigmoid(depth) * c_below
    h = o * tanh(c)
    return h, (h, c)


@formula("i g o", "i g o")
def original_lstm(w, options, x, old, below):
    h, c = old
    i, o = sigmoid(w("i", x, h)), sigmoid(w("o", x, h))
    c = c + i * (4 / (1 + np.exp(-w("g", x, h))) - 2)
    h = o * (2 / (1 + np.exp(-c)) - 1)
    return h, (h, c)


@formula("i g o", "i g o")
def cifg(w, options, x, old, below):
    h, c = old
    i, o = sigmoid(w("i", x, h)), sigmoid(w("o", x, h))
    f = 1 - i
    c = f * c + i * tanh(w("g", x, h))
    h = o * tanh(c)
    return h, (h, c)


@formula("i f z o", "i f z o", {"forget": "sigmoid"}, {"forget": "exp"})
def slstm(w, options, x, old, below):
    """As the paper has it before it adds the stabiliser m, which only scales c and n by exp(-m)."""
    h, c, n, m = old
    forget = sigmoid if options["forget"] == "sigmoid" else np.exp
    i, f = np.exp(w("i", x, h)), forget(w("f", x, h))
    c = f * (c * np.exp(m)) + i * tanh(w("z", x, h))
    n = f * (n * np.exp(m)) + i
    m = np.maximum(np.log(f) + m, np.log(i))
    h = sigmoid(w("o", x, h)) * c / n
    return h, (h, c * np.exp(-m), n * np.exp(-m), m)


@formula("i f g o m_x", "i f g o m_h")
def multiplicative_lstm(w, options, x, old, below):
    h, c = old
    m = w.x("m_x", x) * w.h("m_h", h)
    i, f, o = (sigmoid(w(gate, x, m)) for gate in "ifo")
    c = f * c + i * tanh(w("g", x, m))
    h = tanh(c) * o
    return h, (h, c)


@formula("i f g o q p", "i f g o q")
def augmented_lstm(w, options, x, old, below):
    h, c = old
    i, f, o, q = (sigmoid(w(gate, x, h)) for gate in "ifoq")
    c = f * c + i * tanh(w("g", x, h))
    h = q * (o * tanh(c)) + (1 - q) * w.x("p", x)
    return h, (h, c)


@formula("a_0 a_1 a_2 a_4 a_5 a_6 a_7 x_3", "a_0 a_1 a_2 a_4 a_5 a_6 a_7 h_3")
def nas(w, options, x, old, below):
    """The tree from its leaves: eight, then four, then two with the memory, then one."""
    h, c = old
    functions = dict(zip((0, 1, 2, 4, 5, 6, 7), "srststs", strict=True))
    by_letter = {"s": sigmoid, "r": relu, "t": tanh}
    leaf = {k: by_letter[letter](w(f"a_{k}", x, h)) for k, letter in functions.items()}
    leaf[3] = relu(w.x("x_3", x) * w.h("h_3", h))
    four = (
        tanh(leaf[0] * leaf[1]), tanh(leaf[2] + leaf[3]), tanh(leaf[4] * leaf[5]),
        sigmoid(leaf[6] + leaf[7]),
    )  # fmt: skip
    c = tanh(four[0] + c) * four[1]
    h = tanh(c * tanh(four[2] + four[3]))
    return h, (h, c)


@formula("i f n", "i f")
def ran(w, options, x, old, below):
    h, c = old
    c = sigmoid(w("i", x, h)) * w.x("n", x) + sigmoid(w("f", x, h)) * c
    h = tanh(c)
    return h, (h, c)

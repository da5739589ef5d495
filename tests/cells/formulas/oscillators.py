"""Networks that are differential equations in small steps."""

from numpy import tanh

from formulas.base import formula


@formula("a", "a", {}, {"dt": 0.5, "gamma": 1.5, "epsilon": 0.7})
def cornn(w, options, x, old, below):
    y, z = old
    dt, gamma, epsilon = ({"dt": 0.042, "gamma": 2.7, "epsilon": 4.7} | options).values()
    z = z + dt * tanh(w("a", x, y) + z @ w["q"].T) - dt * gamma * y - dt * epsilon * z
    y = y + dt * z
    return y, (y, z)


@formula("a", "", {}, {"dt": 0.5, "alpha": 0.3})
def unicornn(w, options, x, old, below):
    y, z = old
    dt, alpha = ({"dt": 0.1, "alpha": 1.0} | options).values()
    step = dt * (0.5 + 0.5 * tanh(w["c"] / 2))
    z = z - step * (tanh(w["w"] * y + w.x("a", x)) + alpha * y)
    y = y + step * z
    return y, (y, z)


@formula("d_1 d_2 z n", "d_1 d_2 z", {}, {"dt": 0.4})
def lem(w, options, x, old, below):
    y, z = old
    dt = options.get("dt", 1.0)
    steps = [dt * (0.5 + 0.5 * tanh(w(gate, x, y) / 2)) for gate in ("d_1", "d_2")]
    z = (1 - steps[0]) * z + steps[0] * tanh(w("z", x, y))
    y = (1 - steps[1]) * y + steps[1] * tanh(w.x("n", x) + z @ w["q"].T)
    return y, (y, z)

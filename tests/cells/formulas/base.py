"""What the formulas are written in: one layer's weights by the names of its gates, in numpy.

A formula is called (weights, options, x, old states, below) and returns (output, new states);
below are the lower layer's new states in the same direction, None in the lowest layer. It has the
name of its cell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray as Array

Step = Callable[..., tuple[Array, tuple[Array, ...]]]


@dataclass(frozen=True)
class Formula:
    """A formula, the gates with a W and with a U as stacked, and the options to try."""

    step: Step
    x_gates: str
    h_gates: str
    options: tuple[dict[str, Any], ...]
    x_gates_above: str


FORMULAS: dict[str, Formula] = {}


def formula(
    x_gates: str, h_gates: str = "", *options: dict[str, Any], above: str = ""
) -> Callable[[Step], Step]:
    """Say that a function is the formula of the cell of its name."""

    def register(step: Step) -> Step:
        FORMULAS[step.__name__] = Formula(step, x_gates, h_gates, options or ({},), above)
        return step

    return register


class Weights:
    """One layer and direction: the stacked parameters, cut into gates by name.

    Gates are listed as the cell declares them; those without a bias must be its last ones.
    """

    def __init__(self, parameters: dict[str, Array], end: str, x_gates: str, h_gates: str) -> None:
        self.values = {
            name.removesuffix(end): value
            for name, value in parameters.items()
            if name.endswith(end)
        }
        self.x_gates, self.h_gates = x_gates.split(), h_gates.split()

    def _affine(self, kind: str, gates: list[str], gate: str, value: Array) -> Array:
        at, weight = gates.index(gate), self.values[f"weight_{kind}"]
        H = len(weight) // len(gates)
        rows = slice(at * H, at * H + H)
        bias = self.values.get(f"bias_{kind}", np.zeros(0))[rows]  # a last gate may lack one
        return value @ weight[rows].T + (bias if len(bias) else 0)

    def x(self, gate: str, x: Array) -> Array:
        """Return W x + b."""
        return self._affine("ih", self.x_gates, gate, x)

    def h(self, gate: str, h: Array) -> Array:
        """Return U h + b′."""
        return self._affine("hh", self.h_gates, gate, h)

    def __call__(self, gate: str, x: Array, h: Array) -> Array:
        return self.x(gate, x) + self.h(gate, h)

    def __getitem__(self, name: str) -> Array:
        return self.values[f"weight_{name}"]


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def relu(a: Array) -> Array:
    return np.where(a > 0, a, 0.0)

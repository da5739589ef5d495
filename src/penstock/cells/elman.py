"""The simple recurrent network with its read-out."""

from typing import Literal

import torch

from penstock.cells import Cell, Gate


class Elman(Cell):
    """Simple recurrent network with its read-out (Elman 1990, Cognitive Science 14(2)).

    The output is y, the state is h.

    Equations:
        h = f(W x + U h₋ + b),  f = tanh or relu
        y = g(V h + b_y),       g = softmax, sigmoid or identity

    Shapes: x [B, I], h and y [B, H], W [H, I], U and V [H, H], b and b_y [H] (B batch, I input,
    H hidden). For a read-out of another width put a torch.nn.Linear over the cell ``"rnn"``.

    Hyperparameters: nonlinearity (f), ``"tanh"`` or ``"relu"``; readout (g), ``"identity"``,
    ``"softmax"`` or ``"sigmoid"``.
    """

    a, v = Gate(), Gate(x=False)
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    readout: Literal["identity", "softmax", "sigmoid"] = "identity"

    def step(self, x, h):
        f = torch.tanh if self.nonlinearity == "tanh" else torch.relu
        return f(self.a(x, h))

    def output(self, x, h):
        y = self.v(h)
        if self.readout == "softmax":
            return torch.softmax(y, dim=-1)
        return torch.sigmoid(y) if self.readout == "sigmoid" else y

"""The simple recurrent network."""

from typing import Literal

import torch

from penstock.cells import Cell, Gate


class RNN(Cell):
    """Simple recurrent network (Elman 1990, Cognitive Science 14(2)).

    As in torch.nn.RNN.

    Equations:
        h = f(W x + U h₋ + b),  f = tanh or relu

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).

    Hyperparameters: nonlinearity, ``"tanh"`` or ``"relu"``.
    """

    a = Gate()
    nonlinearity: Literal["tanh", "relu"] = "tanh"

    def step(self, x, h):
        f = torch.tanh if self.nonlinearity == "tanh" else torch.relu
        return f(self.a(x, h))

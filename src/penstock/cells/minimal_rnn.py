"""The minimal recurrent network."""

import torch

from penstock.cells import Cell, Gate, Matrix


class MinimalRNN(Cell):
    """Minimal recurrent network (Chen 2017, arXiv:1711.06788).

    Equations:
        z = tanh(W x + b)
        u = σ(U h₋ + V z + b_u)            update gate: how much of h₋ is kept
        h = u ⊙ h₋ + (1 − u) ⊙ z

    Shapes: x [B, I], h and z [B, H], W [H, I], U and V [H, H], b [H] (B batch, I input, H hidden).
    """

    z, u, v = Gate(h=False), Gate(x=False), Matrix()

    def step(self, x, h):
        z = torch.tanh(self.z(x))
        u = torch.sigmoid(self.u(h) + self.v(z))
        return u * h + (1 - u) * z

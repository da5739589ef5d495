"""The update gate recurrent network."""

import torch

from penstock.cells import Cell, Gate


class UGRNN(Cell):
    """Update gate recurrent network (Collins et al. 2016, arXiv:1611.09913).

    Equations:
        g = σ(W_g x + U_g h₋ + b_g)       update gate: how much of h₋ is kept
        n = tanh(W_n x + U_n h₋ + b_n)    candidate
        h = g ⊙ h₋ + (1 − g) ⊙ n

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    g, n = Gate(), Gate()

    def step(self, x, h):
        g, n = torch.sigmoid(self.g(x, h)), torch.tanh(self.n(x, h))
        return g * h + (1 - g) * n

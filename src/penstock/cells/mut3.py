"""The third mutation of the GRU."""

import torch

from penstock.cells import Cell, Gate


class MUT3(Cell):
    """Third mutation of the GRU (Jozefowicz et al. 2015, ICML).

    Equations:
        z = σ(W_z x + U_z tanh(h₋) + b_z)       update gate: how much of n is taken
        r = σ(W_r x + U_r h₋ + b_r)             reset gate
        n = tanh(W_n x + U_n (r ⊙ h₋) + b_n)    candidate
        h = z ⊙ n + (1 − z) ⊙ h₋

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    z, r, n = Gate(), Gate(), Gate()

    def step(self, x, h):
        z, r = torch.sigmoid(self.z(x, torch.tanh(h))), torch.sigmoid(self.r(x, h))
        n = torch.tanh(self.n(x, r * h))
        return z * n + (1 - z) * h

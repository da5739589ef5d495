"""The first mutation of the GRU."""

import torch

from penstock.cells import Cell, Gate


class MUT1(Cell):
    """First mutation of the GRU (Jozefowicz et al. 2015, ICML).

    Equations:
        z = σ(W_z x + b_z)                          update gate: how much of n is taken
        r = σ(W_r x + U_r h₋ + b_r)                 reset gate
        n = tanh(U_n (r ⊙ h₋) + tanh(W_n x) + b_n)  candidate
        h = z ⊙ n + (1 − z) ⊙ h₋

    The paper has tanh(x) in the candidate, which asks for I = H; here x is projected first.

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    z, r = Gate(h=False), Gate()
    n_x, n_h = Gate(h=False, bias=False), Gate(x=False)

    def step(self, x, h):
        z, r = torch.sigmoid(self.z(x)), torch.sigmoid(self.r(x, h))
        n = torch.tanh(self.n_h(r * h) + torch.tanh(self.n_x(x)))
        return z * n + (1 - z) * h

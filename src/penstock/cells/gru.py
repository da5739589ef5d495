"""The gated recurrent unit, reset after the product."""

import torch

from penstock.cells import Cell, Gate


class GRU(Cell):
    """Gated recurrent unit, reset after the product (Cho et al. 2014, arXiv:1406.1078v1).

    As in torch.nn.GRU and cuDNN.

    Equations:
        r = σ(W_r x + U_r h₋ + b_r)                  reset gate
        z = σ(W_z x + U_z h₋ + b_z)                  update gate: how much of h₋ is kept
        n = tanh(W_n x + b_n + r ⊙ (U_n h₋ + b′_n))  candidate
        h = (1 − z) ⊙ n + z ⊙ h₋

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    r, z = Gate(), Gate()
    n, n_h = Gate(h=False), Gate(x=False)

    def step(self, x, h):
        r, z = torch.sigmoid(self.r(x, h)), torch.sigmoid(self.z(x, h))
        n = torch.tanh(self.n(x) + r * self.n_h(h))
        return (1 - z) * n + z * h

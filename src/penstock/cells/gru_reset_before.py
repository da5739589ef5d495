"""The gated recurrent unit, reset before the product."""

import torch

from penstock.cells import Cell, Gate


class GRUResetBefore(Cell):
    """Gated recurrent unit, reset before the product (Chung et al. 2014, arXiv:1412.3555).

    Equations:
        r = σ(W_r x + U_r h₋ + b_r)             reset gate
        z = σ(W_z x + U_z h₋ + b_z)             update gate: how much of n is taken
        n = tanh(W_n x + U_n (r ⊙ h₋) + b_n)    candidate
        h = (1 − z) ⊙ h₋ + z ⊙ n

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    r, z, n = Gate(), Gate(), Gate()

    def step(self, x, h):
        r, z = torch.sigmoid(self.r(x, h)), torch.sigmoid(self.z(x, h))
        n = torch.tanh(self.n(x, r * h))
        return (1 - z) * h + z * n

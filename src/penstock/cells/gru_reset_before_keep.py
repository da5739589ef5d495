"""The gated recurrent unit, reset before the product, with the opposite update sign."""

import torch

from penstock.cells import Cell, Gate


class GRUResetBeforeKeep(Cell):
    """Gated recurrent unit, reset before, z keeping h (Cho et al. 2014, arXiv:1406.1078v3).

    Equations:
        r = σ(W_r x + U_r h₋ + b_r)             reset gate
        z = σ(W_z x + U_z h₋ + b_z)             update gate: how much of h₋ is kept
        n = tanh(W_n x + U_n (r ⊙ h₋) + b_n)    candidate
        h = (1 − z) ⊙ n + z ⊙ h₋

    With z replaced by 1 − z this is ``"gru_reset_before"``; the sign matters for a bias that
    starts away from zero and for who reads the gate.

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    r, z, n = Gate(), Gate(), Gate()

    def step(self, x, h):
        r, z = torch.sigmoid(self.r(x, h)), torch.sigmoid(self.z(x, h))
        n = torch.tanh(self.n(x, r * h))
        return (1 - z) * n + z * h

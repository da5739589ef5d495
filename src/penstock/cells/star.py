"""The stackable recurrent cell."""

import torch

from penstock.cells import Cell, Gate


class STAR(Cell):
    """Stackable recurrent cell (Turkoglu et al. 2019, arXiv:1911.11033).

    Equations:
        z = tanh(W_z x + b_z)
        k = σ(W_k x + U_k h₋ + b_k)        gate
        h = tanh((1 − k) ⊙ h₋ + k ⊙ z)

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    z, k = Gate(h=False), Gate()

    def step(self, x, h):
        z, k = torch.tanh(self.z(x)), torch.sigmoid(self.k(x, h))
        return torch.tanh((1 - k) * h + k * z)

"""The GRU without the state in its gates."""

import torch

from penstock.cells import Cell, Gate


class MinGRU(Cell):
    """Minimal GRU, linear in its state (Feng et al. 2024, arXiv:2410.01201).

    Equations:
        z = σ(W_z x + b_z)             update gate: how much of n is taken
        n = g(W_n x + b_n)             candidate, g(a) = a + ½ where a > 0, else σ(a)
        h = (1 − z) ⊙ h₋ + z ⊙ n

    g keeps the candidate positive, as the paper's scan in logarithms needs; its simplest form,
    given first, has none.

    Shapes: x [B, I], h [B, H], W [H, I], b [H] (B batch, I input, H hidden).
    """

    z, n = Gate(h=False), Gate(h=False)

    def step(self, x, h):
        z, n = torch.sigmoid(self.z(x)), self.n(x)
        n = torch.where(n > 0, n + 0.5, torch.sigmoid(n))
        return (1 - z) * h + z * n

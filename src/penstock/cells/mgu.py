"""The minimal gated unit."""

import torch

from penstock.cells import Cell, Gate


class MGU(Cell):
    """Minimal gated unit (Zhou et al. 2016, arXiv:1603.09420).

    Equations:
        f = σ(W_f x + U_f h₋ + b_f)             forget gate
        n = tanh(W_n x + U_n (f ⊙ h₋) + b_n)    candidate
        h = (1 − f) ⊙ h₋ + f ⊙ n

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    f, n = Gate(), Gate()

    def step(self, x, h):
        f = torch.sigmoid(self.f(x, h))
        n = torch.tanh(self.n(x, f * h))
        return (1 - f) * h + f * n

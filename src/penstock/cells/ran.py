"""The recurrent additive network."""

import torch

from penstock.cells import Cell, Gate


class RAN(Cell):
    """Recurrent additive network (Lee et al. 2017, arXiv:1705.07393).

    Equations:
        i = σ(W_i x + U_i h₋ + b_i)        input gate
        f = σ(W_f x + U_f h₋ + b_f)        forget gate
        c = i ⊙ (W_c x) + f ⊙ c₋
        h = tanh(c)

    Shapes: x [B, I], h and c [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    i, f, n = Gate(), Gate(), Gate(h=False, bias=False)

    def step(self, x, h, c):
        i, f = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.f(x, h))
        c = i * self.n(x) + f * c
        return torch.tanh(c), c

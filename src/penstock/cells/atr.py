"""The network with twin gates."""

import torch

from penstock.cells import Cell, Gate


class ATR(Cell):
    """Addition-subtraction twin-gated network (Zhang et al. 2018, arXiv:1810.12546).

    Equations:
        p = W x + b
        q = U h₋
        i = σ(p + q)            input gate
        f = σ(p − q)            forget gate
        h = i ⊙ p + f ⊙ h₋

    Shapes: x [B, I], h, p and q [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    p, q = Gate(h=False), Gate(x=False, bias=False)

    def step(self, x, h):
        p, q = self.p(x), self.q(h)
        return torch.sigmoid(p + q) * p + torch.sigmoid(p - q) * h

"""Long short-term memory with a highway past it."""

import torch

from penstock.cells import Cell, Gate


class AugmentedLSTM(Cell):
    """Augmented LSTM, with a highway past its memory (He et al. 2017, ACL).

    Equations:
        i, f, o, q = σ(W x + U h₋ + b), each gate with its own W, U and b
        g = tanh(W_g x + U_g h₋ + b_g)
        c = f ⊙ c₋ + i ⊙ g
        h = q ⊙ o ⊙ tanh(c) + (1 − q) ⊙ (W_p x)

    Shapes: x [B, I], h and c [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    i, f, g, o, q = (Gate() for _ in range(5))
    p = Gate(h=False, bias=False)

    def step(self, x, h, c):
        i, f = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.f(x, h))
        o, q = torch.sigmoid(self.o(x, h)), torch.sigmoid(self.q(x, h))
        c = f * c + i * torch.tanh(self.g(x, h))
        return q * o * torch.tanh(c) + (1 - q) * self.p(x), c

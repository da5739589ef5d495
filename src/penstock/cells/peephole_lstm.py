"""Long short-term memory whose gates see the cell state."""

import torch

from penstock.cells import Cell, Gate, Vector


class PeepholeLSTM(Cell):
    """LSTM with peepholes (Gers et al. 2002, JMLR 3).

    The gates see the cell state through elementwise weights.

    Equations:
        i = σ(W_i x + U_i h₋ + p_i ⊙ c₋ + b_i)
        f = σ(W_f x + U_f h₋ + p_f ⊙ c₋ + b_f)
        g = tanh(W_g x + U_g h₋ + b_g)
        c = f ⊙ c₋ + i ⊙ g
        o = σ(W_o x + U_o h₋ + p_o ⊙ c + b_o)     sees the new c
        h = o ⊙ tanh(c)

    Shapes: x [B, I], h and c [B, H], W [H, I], U [H, H], p and b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    i, f, g, o = Gate(), Gate(), Gate(), Gate()
    p_i, p_f, p_o = Vector(), Vector(), Vector()

    def step(self, x, h, c):
        i = torch.sigmoid(self.i(x, h) + self.p_i * c)
        f = torch.sigmoid(self.f(x, h) + self.p_f * c)
        c = f * c + i * torch.tanh(self.g(x, h))
        o = torch.sigmoid(self.o(x, h) + self.p_o * c)
        return o * torch.tanh(c), c

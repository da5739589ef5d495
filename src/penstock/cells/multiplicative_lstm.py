"""The LSTM whose recurrent matrix depends on the input."""

import torch

from penstock.cells import Cell, Gate


class MultiplicativeLSTM(Cell):
    """Multiplicative LSTM (Krause et al. 2016, arXiv:1609.07959).

    Equations:
        m = (W_m x) ⊙ (U_m h₋)                    intermediate state
        i, f, o = σ(W x + U m + b), each gate with its own W, U and b
        g = tanh(W_g x + U_g m + b_g)
        c = f ⊙ c₋ + i ⊙ g
        h = o ⊙ tanh(c)

    Shapes: x [B, I], h, m and c [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    i, f, g, o = Gate(), Gate(), Gate(), Gate()
    m_x, m_h = Gate(h=False, bias=False), Gate(x=False, bias=False)

    def step(self, x, h, c):
        m = self.m_x(x) * self.m_h(h)
        i, f = torch.sigmoid(self.i(x, m)), torch.sigmoid(self.f(x, m))
        c = f * c + i * torch.tanh(self.g(x, m))
        return torch.sigmoid(self.o(x, m)) * torch.tanh(c), c

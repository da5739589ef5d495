"""Long short-term memory."""

import torch

from penstock.cells import Cell, Gate


class LSTM(Cell):
    """Long short-term memory, with forget gates (Gers et al. 2000, Neural Computation 12(10)).

    As in torch.nn.LSTM. Without the forget gate it is ``"original_lstm"``.

    Equations:
        i = σ(W_i x + U_i h₋ + b_i)        input gate
        f = σ(W_f x + U_f h₋ + b_f)        forget gate
        g = tanh(W_g x + U_g h₋ + b_g)     candidate
        o = σ(W_o x + U_o h₋ + b_o)        output gate
        c = f ⊙ c₋ + i ⊙ g
        h = o ⊙ tanh(c)

    Shapes: x [B, I], h and c [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    i, f, g, o = Gate(), Gate(), Gate(), Gate()

    def step(self, x, h, c):
        i, f = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.f(x, h))
        g, o = torch.tanh(self.g(x, h)), torch.sigmoid(self.o(x, h))
        c = f * c + i * g
        return o * torch.tanh(c), c

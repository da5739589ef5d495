"""Long short-term memory as first published."""

import torch

from penstock.cells import Cell, Gate


class OriginalLSTM(Cell):
    """Original LSTM, no forget gate (Hochreiter, Schmidhuber 1997, Neural Computation 9(8)).

    Equations:
        i = σ(W_i x + U_i h₋ + b_i)             input gate
        o = σ(W_o x + U_o h₋ + b_o)             output gate
        g = 4 σ(W_g x + U_g h₋ + b_g) − 2       candidate, from −2 to 2
        c = c₋ + i ⊙ g
        h = o ⊙ (2 σ(c) − 1)

    The squashing functions are the paper's; libraries put tanh in their place. The memory only
    adds up, so the paper starts its output gates with a negative bias to keep it closed at first.

    Shapes: x [B, I], h and c [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    i, g, o = Gate(), Gate(), Gate()

    def step(self, x, h, c):
        i, o = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.o(x, h))
        c = c + i * (4 * torch.sigmoid(self.g(x, h)) - 2)
        return o * (2 * torch.sigmoid(c) - 1), c

"""Long short-term memory with one gate for input and forgetting."""

import torch

from penstock.cells import Cell, Gate


class CIFG(Cell):
    """LSTM with coupled input and forget gate (Greff et al. 2015, arXiv:1503.04069).

    Equations:
        i = σ(W_i x + U_i h₋ + b_i)        input gate
        f = 1 − i                          forget gate
        g = tanh(W_g x + U_g h₋ + b_g)     candidate
        o = σ(W_o x + U_o h₋ + b_o)        output gate
        c = f ⊙ c₋ + i ⊙ g
        h = o ⊙ tanh(c)

    The paper's variant also has peepholes, which are left out here as most libraries do. Some
    libraries learn f and set i = 1 − f, which is the same cell with the sign of one gate turned.

    Shapes: x [B, I], h and c [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    i, g, o = Gate(), Gate(), Gate()

    def step(self, x, h, c):
        i, o = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.o(x, h))
        c = (1 - i) * c + i * torch.tanh(self.g(x, h))
        return o * torch.tanh(c), c

"""Long short-term memory with a projected state."""

import torch

from penstock.cells import Cell, Gate, Matrix


class ProjectedLSTM(Cell):
    """LSTM with a projected state (Sak et al. 2014, arXiv:1402.1128).

    As torch.nn.LSTM with proj_size.

    Equations:
        i, f, o = σ(W x + U h₋ + b), each gate with its own W, U and b
        g = tanh(W_g x + U_g h₋ + b_g)
        c = f ⊙ c₋ + i ⊙ g
        h = R (o ⊙ tanh(c))

    Shapes: x [B, I], h [B, P], c [B, H], W [H, I], U [H, P], b [H], R [P, H] (B batch, I input,
    H hidden, P projection).

    Hyperparameters: proj_size, P.
    """

    states, widths = ("h", "c"), {"h": "proj_size"}
    i, f, g, o = Gate(), Gate(), Gate(), Gate()
    hr = Matrix(rows="proj_size")
    proj_size: int = 16

    def step(self, x, h, c):
        i, f = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.f(x, h))
        g, o = torch.tanh(self.g(x, h)), torch.sigmoid(self.o(x, h))
        c = f * c + i * g
        return self.hr(o * torch.tanh(c)), c

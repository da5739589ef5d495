"""The second mutation of the GRU."""

import torch

from penstock.cells import Cell, Gate


class MUT2(Cell):
    """Second mutation of the GRU (Jozefowicz et al. 2015, ICML).

    Equations:
        z = σ(W_z x + U_z h₋ + b_z)             update gate: how much of n is taken
        r = σ(W_n x + U_r h₋ + b_r)             reset gate
        n = tanh(W_n x + U_n (r ⊙ h₋) + b_n)    candidate
        h = z ⊙ n + (1 − z) ⊙ h₋

    The paper has x itself in the reset gate, which asks for I = H. Here the candidate's W_n x
    stands there; a matrix of its own would make this the GRU.

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    z, r = Gate(), Gate(x=False)
    n_x, n_h = Gate(h=False, bias=False), Gate(x=False)

    def step(self, x, h):
        z, r = torch.sigmoid(self.z(x, h)), torch.sigmoid(self.n_x(x) + self.r(h))
        n = torch.tanh(self.n_x(x) + self.n_h(r * h))
        return z * n + (1 - z) * h

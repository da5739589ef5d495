"""The fast gated recurrent network."""

import torch

from penstock.cells import Cell, Gate, Vector


class FastGRNN(Cell):
    """Fast gated recurrent network (Kusupati et al. 2018, arXiv:1901.02358).

    Equations:
        a = W x + U h₋                    one product for gate and candidate
        z = σ(a + b_z)
        n = tanh(a + b_n)
        h = (σ(ζ) (1 − z) + σ(ν)) ⊙ n + z ⊙ h₋

    ζ and ν are two learned numbers, which start at 1 and −4; b_z and b_n start at 1. The paper's
    low-rank, sparse and quantised W and U are not part of the cell.

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H], ζ and ν [1] (B batch, I input, H hidden).
    """

    a = Gate(bias=False)
    b_z, b_n = Vector(1.0), Vector(1.0)
    zeta, nu = Vector(1.0, size="1"), Vector(-4.0, size="1")

    def step(self, x, h):
        a = self.a(x, h)
        z, n = torch.sigmoid(a + self.b_z), torch.tanh(a + self.b_n)
        return (torch.sigmoid(self.zeta) * (1 - z) + torch.sigmoid(self.nu)) * n + z * h

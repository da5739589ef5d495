"""The cell that a search found."""

import torch

from penstock.cells import Cell, Gate


class NAS(Cell):
    """Cell found by neural architecture search (Zoph and Le 2016, arXiv:1611.01578).

    Equations, with a_k = W_k x + U_k h₋ + b_k:
        l = tanh(σ(a₀) ⊙ relu(a₁))
        p = tanh(σ(a₂) + relu((W₃ x + b₃) ⊙ (U₃ h₋ + b′₃)))
        q = tanh(tanh(a₄) ⊙ σ(a₅))
        r = σ(tanh(a₆) + σ(a₇))
        c = tanh(l + c₋) ⊙ p
        h = tanh(c ⊙ tanh(q + r))

    The paper gives the cell as a drawing; the equations are those of its authors' code.

    Shapes: x [B, I], h and c [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    a_0, a_1, a_2, a_4, a_5, a_6, a_7 = (Gate() for _ in range(7))
    x_3, h_3 = Gate(h=False), Gate(x=False)

    def step(self, x, h, c):
        p = torch.relu(self.x_3(x) * self.h_3(h))
        p = torch.tanh(torch.sigmoid(self.a_2(x, h)) + p)
        q = torch.tanh(torch.tanh(self.a_4(x, h)) * torch.sigmoid(self.a_5(x, h)))
        r = torch.sigmoid(torch.tanh(self.a_6(x, h)) + torch.sigmoid(self.a_7(x, h)))
        l = torch.tanh(torch.sigmoid(self.a_0(x, h)) * torch.relu(self.a_1(x, h)))
        c = torch.tanh(l + c) * p
        return torch.tanh(c * torch.tanh(q + r)), c

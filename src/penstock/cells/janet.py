"""An LSTM of which only the forget gate is left."""

import torch

from penstock.cells import Cell, Gate


class JANET(Cell):
    """LSTM of forget gates alone (van der Westhuizen and Lasenby 2018, arXiv:1804.04849).

    Equations:
        s = W_s x + U_s h₋ + b_s
        n = tanh(W_n x + U_n h₋ + b_n)
        h = σ(s) ⊙ h₋ + (1 − σ(s − β)) ⊙ n

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).

    Hyperparameters: beta, β, by how much the input is gated less than the memory; 1 in the paper.
    """

    s, n = Gate(), Gate()
    beta: float = 1.0

    def step(self, x, h):
        s = self.s(x, h)
        n = torch.tanh(self.n(x, h))
        return torch.sigmoid(s) * h + (1 - torch.sigmoid(s - self.beta)) * n

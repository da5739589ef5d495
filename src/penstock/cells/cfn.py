"""The chaos-free network."""

import torch

from penstock.cells import Cell, Gate


class CFN(Cell):
    """Chaos-free network (Laurent and von Brecht 2016, arXiv:1612.06212).

    Equations:
        θ = σ(W_θ x + U_θ h₋ + b_θ)        forget gate
        η = σ(W_η x + U_η h₋ + b_η)        input gate
        h = θ ⊙ tanh(h₋) + η ⊙ tanh(W x)

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    theta, eta, n = Gate(), Gate(), Gate(h=False, bias=False)

    def step(self, x, h):
        theta, eta = torch.sigmoid(self.theta(x, h)), torch.sigmoid(self.eta(x, h))
        return theta * torch.tanh(h) + eta * torch.tanh(self.n(x))

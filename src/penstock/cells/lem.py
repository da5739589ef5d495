"""Long expressive memory."""

import torch

from penstock.cells import Cell, Gate, Matrix


class LEM(Cell):
    """Long expressive memory (Rusch et al. 2021, arXiv:2110.04744).

    Equations:
        Δ₁ = Δt σ(W₁ x + U₁ h₋ + b₁)
        Δ₂ = Δt σ(W₂ x + U₂ h₋ + b₂)
        z = (1 − Δ₁) ⊙ z₋ + Δ₁ ⊙ tanh(W_z x + U_z h₋ + b_z)
        h = (1 − Δ₂) ⊙ h₋ + Δ₂ ⊙ tanh(W_h x + Q z + b_h)     sees the new z

    h is the paper's y. Some libraries use one time step for both, or the old z.

    Shapes: x [B, I], h and z [B, H], W [H, I], U and Q [H, H], b [H] (B batch, I input, H hidden).

    Hyperparameters: dt, Δt.
    """

    states = ("h", "z")
    d_1, d_2, z, n, q = Gate(), Gate(), Gate(), Gate(h=False), Matrix()
    dt: float = 1.0

    def step(self, x, h, z):
        d_1 = self.dt * torch.sigmoid(self.d_1(x, h))
        d_2 = self.dt * torch.sigmoid(self.d_2(x, h))
        z = (1 - d_1) * z + d_1 * torch.tanh(self.z(x, h))
        return (1 - d_2) * h + d_2 * torch.tanh(self.n(x) + self.q(z)), z

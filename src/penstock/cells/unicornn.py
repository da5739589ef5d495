"""The network of independent oscillators."""

import torch

from penstock.cells import Cell, Gate, Vector


class UnICORNN(Cell):
    """Undamped independent controlled oscillators (Rusch and Mishra 2021, arXiv:2103.05487).

    Equations:
        z = z₋ − Δt σ(c) ⊙ (tanh(w ⊙ h₋ + W x + b) + α h₋)     velocity
        h = h₋ + Δt σ(c) ⊙ z                                    position

    σ(c) is the paper's ½ + ½ tanh(c/2), each unit's own time step. The step over layers with
    residual connections is not part of the cell.

    Shapes: x [B, I], h and z [B, H], W [H, I], w, c and b [H] (B batch, I input, H hidden).

    Hyperparameters: dt, Δt; alpha, α.
    """

    states = ("h", "z")
    a, w, c = Gate(h=False), Vector((0.0, 1.0)), Vector((-0.1, 0.1))
    dt: float = 0.1
    alpha: float = 1.0

    def step(self, x, h, z):
        dt = self.dt * torch.sigmoid(self.c)
        z = z - dt * (torch.tanh(self.a(x) + self.w * h) + self.alpha * h)
        return h + dt * z, z

"""The network of coupled oscillators."""

import torch

from penstock.cells import Cell, Gate, Matrix


class CoRNN(Cell):
    """Coupled oscillatory network (Rusch and Mishra 2020, arXiv:2010.00951).

    Equations:
        z = z₋ + Δt (tanh(W x + U h₋ + Q z₋ + b) − γ h₋ − ε z₋)     velocity
        h = h₋ + Δt z                                                position

    The damping takes the old z, which is one of the paper's two forms and that of its code.

    Shapes: x [B, I], h and z [B, H], W [H, I], U and Q [H, H], b [H] (B batch, I input, H hidden).

    Hyperparameters: dt, Δt; gamma, γ, frequency; epsilon, ε, damping.
    """

    states = ("h", "z")
    a, q = Gate(), Matrix()
    dt: float = 0.042
    gamma: float = 2.7
    epsilon: float = 4.7

    def step(self, x, h, z):
        force = torch.tanh(self.a(x, h) + self.q(z))
        z = z + self.dt * (force - self.gamma * h - self.epsilon * z)
        return h + self.dt * z, z

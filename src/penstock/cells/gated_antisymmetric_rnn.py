"""The recurrent network with an antisymmetric matrix and a gate."""

import torch

from penstock.cells import Cell, Gate, Matrix


class GatedAntisymmetricRNN(Cell):
    """Antisymmetric recurrent network with gating (Chang et al. 2019, arXiv:1902.09689).

    Equations:
        a = (R − Rᵀ − γ 1) h₋
        z = σ(W_z x + a + b_z)                gate
        h = h₋ + ε z ⊙ tanh(W x + a + b)

    Gate and candidate share R.

    Shapes: x [B, I], h [B, H], W [H, I], R [H, H], b [H] (B batch, I input, H hidden).

    Hyperparameters: epsilon, ε, the step in time; gamma, γ, the diffusion.
    """

    z, n, r = Gate(h=False), Gate(h=False), Matrix()
    epsilon: float = 0.1
    gamma: float = 0.01

    def step(self, x, h):
        a = self.r(h) - self.r.T(h) - self.gamma * h
        z = torch.sigmoid(self.z(x) + a)
        return h + self.epsilon * z * torch.tanh(self.n(x) + a)

"""The recurrent network with an antisymmetric matrix."""

import torch

from penstock.cells import Cell, Gate, Matrix


class AntisymmetricRNN(Cell):
    """Antisymmetric recurrent network (Chang et al. 2019, arXiv:1902.09689).

    Equations:
        h = h₋ + ε tanh(W x + (R − Rᵀ − γ 1) h₋ + b)

    The eigenvalues of R − Rᵀ have no real part: what goes around neither grows nor fades.

    Shapes: x [B, I], h [B, H], W [H, I], R [H, H], b [H] (B batch, I input, H hidden).

    Hyperparameters: epsilon, ε, the step in time; gamma, γ, the diffusion.
    """

    a, r = Gate(h=False), Matrix()
    epsilon: float = 0.1
    gamma: float = 0.01

    def step(self, x, h):
        turned = self.r(h) - self.r.T(h) - self.gamma * h
        return h + self.epsilon * torch.tanh(self.a(x) + turned)

"""The independently recurrent network."""

import torch

from penstock.cells import Cell, Gate, Vector


class IndRNN(Cell):
    """Independently recurrent network (Li et al. 2018, arXiv:1803.04831).

    Equations:
        h = relu(W x + u ⊙ h₋ + b)

    Each unit sees its own past alone. u starts uniformly between 0 and 1, as in the paper.

    Shapes: x [B, I], h [B, H], W [H, I], u and b [H] (B batch, I input, H hidden).
    """

    a = Gate(h=False)
    u = Vector((0.0, 1.0))

    def step(self, x, h):
        return torch.relu(self.a(x) + self.u * h)

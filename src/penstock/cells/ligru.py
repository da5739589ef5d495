"""The light gated recurrent unit."""

import torch

from penstock.cells import Cell, Gate


class LiGRU(Cell):
    """Light gated recurrent unit (Ravanelli et al. 2018, arXiv:1803.10225).

    Equations:
        z = σ(W_z x + U_z h₋ + b_z)       update gate: how much of h₋ is kept
        n = relu(W_n x + U_n h₋ + b_n)    candidate
        h = z ⊙ h₋ + (1 − z) ⊙ n

    The paper normalises W x over the batch and so has no biases; here these stand in its place.

    Shapes: x [B, I], h [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    z, n = Gate(), Gate()

    def step(self, x, h):
        z, n = torch.sigmoid(self.z(x, h)), torch.relu(self.n(x, h))
        return z * h + (1 - z) * n

"""The closed-form continuous-time network."""

import torch

from penstock.cells import Cell, Gate


class CfC(Cell):
    """Closed-form continuous-time network (Hasani et al. 2021, arXiv:2106.13898).

    Equations:
        z = 1.7159 tanh(0.666 (W x + U h₋ + b))     backbone
        f = U_f z + b_f
        p, q = tanh(U_p z + b_p), tanh(U_q z + b_q)
        t = σ(−f Δt)
        h = t ⊙ p + (1 − t) ⊙ q

    The authors' code has t = σ(f₁ Δt + f₂) with two maps of z, and a backbone of several layers.

    Shapes: x [B, I], h and z [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).

    Hyperparameters: dt, Δt, the time that passes between two steps.
    """

    a = Gate()
    f, p, q = (Gate(x=False) for _ in range(3))
    dt: float = 1.0

    def step(self, x, h):
        z = 1.7159 * torch.tanh(0.666 * self.a(x, h))
        t = torch.sigmoid(-self.dt * self.f(z))
        return t * torch.tanh(self.p(z)) + (1 - t) * torch.tanh(self.q(z))

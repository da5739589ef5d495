"""The simple recurrent unit."""

import torch

from penstock.cells import Cell, Gate, Vector


class SRU(Cell):
    """Simple recurrent unit (Lei et al. 2017, arXiv:1709.02755).

    Equations:
        f = σ(W_f x + v_f ⊙ c₋ + b_f)       forget gate
        r = σ(W_r x + v_r ⊙ c₋ + b_r)       reset gate, of the highway
        c = f ⊙ c₋ + (1 − f) ⊙ (W_n x)
        h = r ⊙ c + (1 − r) ⊙ (W_p x)       the output; the next step does not read it

    In the paper x itself goes over the highway, which asks for I = H; its own code takes the
    projection W_p x where the two differ, and so does this cell always.

    Shapes: x [B, I], h and c [B, H], W [H, I], v and b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    f, r = Gate(h=False), Gate(h=False)
    n, p = Gate(h=False, bias=False), Gate(h=False, bias=False)
    v_f, v_r = Vector(), Vector()

    def step(self, x, h, c):
        f = torch.sigmoid(self.f(x) + self.v_f * c)
        r = torch.sigmoid(self.r(x) + self.v_r * c)
        c = f * c + (1 - f) * self.n(x)
        return r * c + (1 - r) * self.p(x), c

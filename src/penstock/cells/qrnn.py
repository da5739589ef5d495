"""The quasi-recurrent network."""

import torch

from penstock.cells import Cell, Gate


class QRNN(Cell):
    """Quasi-recurrent network, window 2, fo-pooling (Bradbury et al. 2016, arXiv:1611.01576).

    Equations:
        z = tanh(W_z x + V_z x₋ + b_z)
        f = σ(W_f x + V_f x₋ + b_f)        forget gate
        o = σ(W_o x + V_o x₋ + b_o)        output gate
        c = f ⊙ c₋ + (1 − f) ⊙ z
        h = o ⊙ c                          the output; the next step does not read it

    Some libraries exchange f and 1 − f. The products V x of a step are held for the next one, as
    the states v_z, v_f and v_o: so no product stays in the loop over time, and a stream goes on
    where it was. Zero in the beginning, they are the paper's padding.

    Shapes: x [B, I], h, c, v_z, v_f, v_o [B, H], W and V [H, I], b [H] (B batch, I input,
    H hidden).
    """

    states = ("h", "c", "v_z", "v_f", "v_o")
    z, f, o = Gate(h=False), Gate(h=False), Gate(h=False)
    next_z, next_f, next_o = (Gate(h=False, bias=False) for _ in range(3))

    def step(self, x, h, c, v_z, v_f, v_o):
        z = torch.tanh(self.z(x) + v_z)
        f, o = torch.sigmoid(self.f(x) + v_f), torch.sigmoid(self.o(x) + v_o)
        c = f * c + (1 - f) * z
        return o * c, c, self.next_z(x), self.next_f(x), self.next_o(x)

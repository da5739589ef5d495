"""The structurally constrained recurrent network."""

import torch

from penstock.cells import Cell, Gate, Matrix


class SCRN(Cell):
    """Structurally constrained recurrent network (Mikolov et al. 2014, arXiv:1412.7753).

    Equations:
        s = (1 − α) B x + α s₋              context, which changes slowly
        h = σ(P s + A x + R h₋)
        y = U h + V s                       the output

    The paper's y is a softmax of this, which belongs to the loss here. Some libraries leave out
    terms of h or the context of y. As in the paper, there are no biases.

    Shapes: x [B, I], h and y [B, H], s [B, C], A [H, I], R and U [H, H], B [C, I], P and V [H, C]
    (B batch, I input, H hidden, C context).

    Hyperparameters: alpha, α; context_size, C.
    """

    states, widths = ("h", "s"), {"s": "context_size"}
    a, u = Gate(bias=False), Gate(x=False, bias=False)
    b = Matrix(rows="context_size", columns="input_size")
    p, v = Matrix(columns="context_size"), Matrix(columns="context_size")
    alpha: float = 0.95
    context_size: int = 16

    def step(self, x, h, s):
        s = (1 - self.alpha) * self.b(x) + self.alpha * s
        return torch.sigmoid(self.p(s) + self.a(x, h)), s

    def output(self, x, h, s):
        return self.u(h) + self.v(s)

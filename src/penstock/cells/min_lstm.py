"""The LSTM without the state in its gates."""

import torch
from torch.nn.functional import logsigmoid

from penstock.cells import Cell, Gate


class MinLSTM(Cell):
    """Minimal LSTM, linear in its state (Feng et al. 2024, arXiv:2410.01201).

    Equations:
        f = σ(W_f x + b_f)             forget gate
        i = σ(W_i x + b_i)             input gate
        n = g(W_n x + b_n)             candidate, g(a) = a + ½ where a > 0, else σ(a)
        h = (f ⊙ h₋ + i ⊙ n) / (f + i)

    f/(f + i) is computed as σ(log f − log i), as in the authors' scan: f + i is 0 to all digits
    where both gates are shut.

    Shapes: x [B, I], h [B, H], W [H, I], b [H] (B batch, I input, H hidden).
    """

    f, i, n = Gate(h=False), Gate(h=False), Gate(h=False)

    def step(self, x, h):
        d = logsigmoid(self.f(x)) - logsigmoid(self.i(x))
        f, i, n = torch.sigmoid(d), torch.sigmoid(-d), self.n(x)
        n = torch.where(n > 0, n + 0.5, torch.sigmoid(n))
        return f * h + i * n

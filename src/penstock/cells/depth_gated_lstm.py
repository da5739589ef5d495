"""Long short-term memory whose memory also flows upwards through the layers."""

import torch

from penstock.cells import Cell, Gate, Vector


class DepthGatedLSTM(Cell):
    """Depth-gated LSTM (Yao et al. 2015, arXiv:1508.03790).

    A gate lets the lower layer's memory into this layer's.

    Equations:
        i, f, o = σ(W x + U h₋ + b), each gate with its own W, U and b
        g = tanh(W_g x + U_g h₋ + b_g)
        d = σ(W_d x + w_1 ⊙ c_below + w_2 ⊙ c₋ + b_d)
        c = f ⊙ c₋ + i ⊙ g + d ⊙ c_below
        h = o ⊙ tanh(c)

    c_below is the lower layer's new cell state. The lowest layer has none: there a projection
    W_p x stands in its place, and d has no w_1 term.

    Shapes: x [B, I], h, c and c_below [B, H], W [H, I], U [H, H], w and b [H] (B batch, I input,
    H hidden).
    """

    states = ("h", "c")
    i, f, g, o = Gate(), Gate(), Gate(), Gate()
    d, p = Gate(h=False), Gate(h=False, bias=False)
    w_1, w_2 = Vector(), Vector()

    def step(self, x, h, c, c_below=None):
        d = self.d(x) + self.w_2 * c
        if c_below is None:
            c_below = self.p(x)
        else:
            d = d + self.w_1 * c_below
        i, f = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.f(x, h))
        c = f * c + i * torch.tanh(self.g(x, h)) + torch.sigmoid(d) * c_below
        return torch.sigmoid(self.o(x, h)) * torch.tanh(c), c

"""Long short-term memory with the input gate inside the candidate."""

import torch

from penstock.cells import Cell, Gate


class LSTMGatedCandidate(Cell):
    """LSTM with the input gate inside the candidate (unpublished).

    This is not the standard LSTM; the formula circulates in study notes in its place.

    Equations:
        i, f, o = σ(W x + U h₋ + b), each gate with its own W, U and b
        g = tanh(W_g x + U_g (i ⊙ h₋) + b_g)
        c = f ⊙ c₋ + i ⊙ g
        h = o ⊙ tanh(c)

    It differs from the LSTM in one place: the candidate g sees i ⊙ h₋ where the LSTM's sees h₋,
    so that the input gate acts twice, as the reset gate of a GRU does and again on g. The product
    with U_g has to wait for i, which makes a step two dependent matrix products deep.

    Shapes: x [B, I], h and c [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    states = ("h", "c")
    i, f, g, o = Gate(), Gate(), Gate(), Gate()

    def step(self, x, h, c):
        i, f = torch.sigmoid(self.i(x, h)), torch.sigmoid(self.f(x, h))
        g, o = torch.tanh(self.g(x, i * h)), torch.sigmoid(self.o(x, h))
        c = f * c + i * g
        return o * torch.tanh(c), c

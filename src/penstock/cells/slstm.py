"""Long short-term memory with exponential gates."""

from typing import Literal

import torch

from penstock.cells import Cell, Gate


class SLSTM(Cell):
    """Scalar LSTM with exponential gates, of the xLSTM (Beck et al. 2024, arXiv:2405.04517).

    Equations:
        ĩ, f̃ = W x + U h₋ + b                each gate with its own W, U and b
        z = tanh(W_z x + U_z h₋ + b_z)
        o = σ(W_o x + U_o h₋ + b_o)
        l = log σ(f̃), or f̃ itself            the logarithm of the forget gate
        m = max(l + m₋, ĩ), or ĩ while n₋ is 0    stabiliser
        i = exp(ĩ − m),  f = exp(l + m₋ − m)      at most 1
        c = f ⊙ c₋ + i ⊙ z
        n = f ⊙ n₋ + i                       normaliser
        h = o ⊙ c / n

    One head: U is a full matrix. m keeps the exponentials from overflowing and cancels in h. At a
    first step there is no past to weigh against ĩ: there, as in the authors' code, m is ĩ.

    Shapes: x [B, I], h, c, n and m [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).

    Hyperparameters: forget, ``"sigmoid"`` or ``"exp"``; the paper allows both.
    """

    states = ("h", "c", "n", "m")
    i, f, z, o = Gate(), Gate(), Gate(), Gate()
    forget: Literal["sigmoid", "exp"] = "sigmoid"

    def step(self, x, h, c, n, m):
        i, f = self.i(x, h), self.f(x, h)
        kept = m + (torch.nn.functional.logsigmoid(f) if self.forget == "sigmoid" else f)
        m = torch.where(n > 0, torch.maximum(kept, i), i)
        past = torch.where(n > 0, kept - m, torch.clamp(kept - m, max=0.0))
        i, f = torch.exp(i - m), torch.exp(past)
        c = f * c + i * torch.tanh(self.z(x, h))
        n = f * n + i
        return torch.sigmoid(self.o(x, h)) * c / n, c, n, m

"""The recurrent highway network."""

import torch

from penstock.cells import Cell, Gate


class RHN(Cell):
    """Recurrent highway network of depth 3 (Zilly et al. 2016, arXiv:1607.03474).

    Equations, with s₀ = h₋ and k = 1, 2, 3:
        n_k = tanh(W_n x + U_nk s_{k−1} + b_nk)     W x at k = 1 only
        t_k = σ(W_t x + U_tk s_{k−1} + b_tk)        transform gate
        s_k = t_k ⊙ n_k + (1 − t_k) ⊙ s_{k−1}
        h = s₃

    The carry gate is 1 − t, as in the paper's experiments, and the transform gates' biases start
    at −2, within the paper's range.

    Shapes: x [B, I], h and s [B, H], W [H, I], U [H, H], b [H] (B batch, I input, H hidden).
    """

    n_1, n_2, n_3 = Gate(), Gate(x=False), Gate(x=False)
    t_1, t_2, t_3 = Gate(bias=-2.0), Gate(x=False, bias=-2.0), Gate(x=False, bias=-2.0)

    def step(self, x, h):
        t = torch.sigmoid(self.t_1(x, h))
        h = t * torch.tanh(self.n_1(x, h)) + (1 - t) * h
        for n_k, t_k in ((self.n_2, self.t_2), (self.n_3, self.t_3)):
            t = torch.sigmoid(t_k(h))
            h = t * torch.tanh(n_k(h)) + (1 - t) * h
        return h

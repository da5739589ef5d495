"""The hierarchically gated recurrent network."""

import torch

from penstock.cells import Cell, Gate, Matrix, Vector


class HGRN(Cell):
    """Hierarchically gated recurrent network (Qin et al. 2023, arXiv:2311.04823).

    Equations:
        λ = γ + (1 − γ) ⊙ σ(W_f x + b_f)                 forget gate, never below γ
        n = silu(W_re x + b_re) + i silu(W_im x + b_im)     i² = −1
        s = λ ⊙ exp(iθ) ⊙ s₋ + (1 − λ) ⊙ n
        y = Re(C (σ(W_g x + b_g) ⊙ s))                      the output

    The complex s and C are held as real and imaginary parts. In the paper γ is a softmax summed
    up over the layers, so that it grows with them, and s is normalised before C; here each layer
    learns its own γ = σ(p), and nothing is normalised. θ starts log-uniform, from 10⁻⁴ to 1.

    Shapes: x [B, I], y and the parts of s [B, H], W [H, I], parts of C [H, H], b, p and θ [H]
    (B batch, I input, H hidden).
    """

    states = ("re", "im")
    f, n_re, n_im, g = (Gate(h=False) for _ in range(4))
    c_re, c_im = Matrix(), Matrix()
    p, theta = Vector(), Vector(lambda u: 10 ** (-4 * u))

    def step(self, x, re, im):
        bound = torch.sigmoid(self.p)
        f = bound + (1 - bound) * torch.sigmoid(self.f(x))
        cos, sin = torch.cos(self.theta), torch.sin(self.theta)
        n_re, n_im = (torch.nn.functional.silu(n) for n in (self.n_re(x), self.n_im(x)))
        new = f * (cos * re - sin * im) + (1 - f) * n_re
        return new, f * (sin * re + cos * im) + (1 - f) * n_im

    def output(self, x, re, im):
        g = torch.sigmoid(self.g(x))
        return self.c_re(g * re) - self.c_im(g * im)

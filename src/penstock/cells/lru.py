"""The linear recurrent unit."""

import math

import torch

from penstock.cells import Cell, Gate, Matrix, Vector


def _ring(u):
    """Return ν of eigenvalues spread evenly over the disc: |λ|² = u."""
    return torch.log(-0.5 * torch.log(u.clamp(1e-6, 1 - 1e-6)))


def _phase(u):
    """Return log θ of phases spread evenly over the circle."""
    return torch.log(2 * math.pi * u.clamp_min(1e-6))


class LRU(Cell):
    """Linear recurrent unit, complex and diagonal (Orvieto et al. 2023, arXiv:2303.06349).

    Equations:
        λ = exp(−e^ν + i e^θ)                  i² = −1
        s = λ ⊙ s₋ + γ ⊙ (B x),  γ = e^g √(1 − |λ|²)
        y = Re(C s) + D x                      the output

    The complex s, B and C are held as real and imaginary parts. In the paper γ is learned and
    starts at √(1 − |λ|²): so it does here, with g starting at 0. The paper's D is diagonal, which
    asks for I = H; here it is a full matrix. |λ|² starts uniform on (0, 1), the phase on (0, 2π).

    Shapes: x [B, I], y and the parts of s [B, H], parts of B and D [H, I], parts of C [H, H],
    ν, θ and g [H] (B batch, I input, H hidden).
    """

    states = ("re", "im")
    b_re, b_im, d = (Gate(h=False, bias=False) for _ in range(3))
    c_re, c_im = Matrix(), Matrix()
    nu, theta, g = Vector(_ring), Vector(_phase), Vector(0.0)

    def step(self, x, re, im):
        size, phase = torch.exp(-torch.exp(self.nu)), torch.exp(self.theta)
        cos, sin = size * torch.cos(phase), size * torch.sin(phase)
        gamma = torch.exp(self.g) * torch.sqrt(1 - size * size)
        new = cos * re - sin * im + gamma * self.b_re(x)
        return new, sin * re + cos * im + gamma * self.b_im(x)

    def output(self, x, re, im):
        return self.c_re(re) - self.c_im(im) + self.d(x)

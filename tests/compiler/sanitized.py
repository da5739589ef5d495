"""Runs kernels over odd shapes; `test_sanitizers.py` starts it under the sanitizers.

    python sanitized.py DTYPE CELL [CELL ...]      or      python sanitized.py overrun

Every way of sharing the work is forced, for these shapes are too small to be shared.
"""

import ctypes
import itertools
import sys

import torch

import penstock
from penstock.cells import cells
from penstock.compiler.backends import c
from penstock.compiler.runtime import build

# T, B, I, H: 1; fewer rows than a tile, one more than two; a column less and more than vectors
SHAPES = [(1, 1, 1, 1), (2, 13, 3, 5), (3, 4, 2, 17), (2, 7, 5, 33), (2, 0, 2, 3)]
SHARES = [(1, False), (2, False), (2, True)]
OVERRUN = "void overrun(double *p, long n) { for (long k = 0; k <= n; ++k) p[k] = k; }"


def run(cell: str, dtype: torch.dtype, shape: tuple[int, ...], masked: bool) -> None:
    """Run a stack of two layers, forward and backward, trained and not, in both directions."""
    T, B, I, H = shape
    options = {"proj_size": 3} if cell == "projected_lstm" else {}
    layer = penstock.Recurrent(cell, I, H, 2, bidirectional=True, dtype=dtype, **options)
    x = torch.randn(T, B, I, dtype=dtype, requires_grad=True)
    lengths = torch.tensor([(k * 7) % (T + 1) for k in range(B)], dtype=torch.int64)
    masks = {"lengths": lengths, "reset": torch.rand(T, B) < 0.4} if masked else {}
    output, state = layer(x, **masks)
    states = state if isinstance(state, tuple) else (state,)
    sum(t.sum() for t in (output, *states)).backward()
    with torch.no_grad():
        layer(x, **masks)


def main(dtype: str, *names: str) -> None:
    """Run cells over all shapes, masks and ways of sharing."""
    torch.set_num_threads(2)
    assert set(names) <= set(cells())
    with penstock.backend("c"):
        for name, shape, share in itertools.product(names, SHAPES, SHARES):
            c.CLoop._share = lambda *_, to=share: to  # type: ignore[method-assign]
            for masked in (False, True):
                run(name, getattr(torch, dtype), shape, masked)
    print("clean")


def overrun() -> None:
    """Write one number past the end of a tensor: the sanitizers have to see it."""
    kernel, memory = build.library(OVERRUN), torch.zeros(16, dtype=torch.float64)
    kernel.overrun(ctypes.c_void_p(memory.data_ptr()), ctypes.c_long(16))
    print("clean")


if __name__ == "__main__":
    overrun() if sys.argv[1] == "overrun" else main(*sys.argv[1:])

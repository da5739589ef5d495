"""Products of matrices with the same bits for any number of threads up to 32.

MKL shares a product among threads, and adds up in another order where one gets part of a tile, or
where there are few rows. So, where there would be such parts, many rows are cut into pieces, each
one thread's, and few are multiplied with rows and columns filled up by 0.

Legend: M rows, K numbers that are summed over, N columns.
"""

import torch
from torch import Tensor
from torch.nn.functional import linear, pad

_TILE = 16  # columns of MKL's tiles, and rows enough to be shared as whole tiles
_FEW = range(5, _TILE)  # rows; 5, 6, 7, 9, 10 and 11 have been seen to differ, 1 to 4 have not
_PIECES = 32  # with more threads than pieces, several would share one
_LONG = 1024  # rows


def in_tiles(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b, which torch differentiates, and its gradients with the same bits too.

    W is the right factor, and in the gradient of x; x is in that of W: so both sides of W are
    filled up to whole tiles, and few rows of x. Shapes: x [M, K], W [N, K], b [N].
    """
    M, (N, K) = x.shape[0], weight.shape
    n, k = -N % _TILE, -K % _TILE
    # A graph for any number of rows must not ask how many there are.
    m = 0 if torch.compiler.is_compiling() or M not in _FEW else _TILE - M
    if not (n or k or m):
        return linear(x, weight, bias)
    wide = None if bias is None else pad(bias, (0, n))
    return linear(pad(x, (0, k, 0, m)), pad(weight, (0, k, 0, n)), wide)[:M, :N]


def multiply(a: Tensor, b: Tensor, out: Tensor, bias: Tensor | None = None) -> None:
    """Put a b + bias into `out`. Shapes: a [M, K], b [K, N], out [M, N], bias [N]."""
    (M, K), N = a.shape, b.shape[1]
    if _has_whole_tiles(M, N):
        torch.mm(a, b, out=out) if bias is None else torch.addmm(bias, a, b, out=out)
        return
    cut = _cut(M)
    if cut:
        pieces, into = a[:cut].view(_PIECES, -1, K), out[:cut].view(_PIECES, -1, N)
        each = b.expand(_PIECES, K, N)
        if bias is None:
            torch.bmm(pieces, each, out=into)
        else:
            torch.baddbmm(bias, pieces, each, out=into)
    if cut < M:
        rest = _multiply_filled(a[cut:], b)
        out[cut:] = rest if bias is None else rest + bias


def sum_products(a: Tensor, b: Tensor) -> Tensor:
    """Return aᵀ b, a sum over rows. Shapes: a [R, M], b [R, N]."""
    (R, M), N = a.shape, b.shape[1]
    if _has_whole_tiles(M, N):
        return torch.mm(a.t(), b)
    if N < M:  # MKL takes three to thirteen times as long where the right has a few columns
        return sum_products(b, a).t().contiguous()
    cut = _cut(R)
    total = _multiply_filled(a[cut:].t(), b[cut:])
    if cut:
        pieces, other = a[:cut].view(_PIECES, -1, M), b[:cut].view(_PIECES, -1, N)
        total += torch.bmm(pieces.transpose(1, 2), other).sum(0)
    return total


def _multiply_filled(a: Tensor, b: Tensor) -> Tensor:
    """Return a b, made of whole tiles. Shapes: a [M, K], b [K, N]."""
    M, N = len(a), b.shape[1]
    tall = pad(a, (0, 0, 0, _TILE - M)) if M < _TILE else a
    return torch.mm(tall, pad(b, (0, -N % _TILE)))[:M, :N].contiguous()


def _has_whole_tiles(rows: int, columns: int) -> bool:
    return not columns or (columns % _TILE == 0 and rows not in _FEW)


def _cut(rows: int) -> int:
    """Return how many rows make pieces of the same length: all but a few, or none."""
    return rows - rows % _PIECES if rows >= _LONG else 0

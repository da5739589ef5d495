"""Memory span: how far back an input still changes the output.

Legend: T time, B batch, I input, O features of the output.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.errors import ArgumentError
from penstock.inspect.probing import by_lag, probe
from penstock.layers.recurrent import Recurrent, State


@dataclass(frozen=True)
class Effects:
    """The effect of each input on the last output, ‖∂o_T/∂x_t‖_F.

    effects: [T] by steps back from the last, each a mean over the batch.
    """

    effects: tuple[float, ...]

    def span(self, share: float = 1 / math.e) -> float:
        """Return after how many steps the effect has fallen, for good, under a share of the last.

        Between steps ln effect is taken as a straight line, so that an effect of aᵏ after k steps
        gives ln(share) / ln(a). Infinite where the effect at the first input is not under it.
        Where the last input has no effect yet, the last that has one is compared with.

        Raises:
            ArgumentError: share is not between 0 and 1.
        """
        if not 0 < share < 1:
            raise ArgumentError(f"share is {share}; it must lie between 0 and 1")
        limit = share * next((e for e in self.effects if e > 0), 0.0)
        if not limit:
            return 0.0
        last = max(k for k, effect in enumerate(self.effects) if effect >= limit)
        if last + 1 == len(self.effects):
            return math.inf
        above, below = self.effects[last], self.effects[last + 1]
        part = math.log(above / limit) / math.log(above / below) if below > 0 else 0.0
        return last + part


def input_effects(
    layer: Recurrent,
    x: Tensor,
    state: State | None = None,
    lengths: Tensor | None = None,
    probes: int = 16,
) -> Effects:
    """Return the effect of each input on the last output of its row.

    It is that of small changes: a gradient, at the inputs given.

    Args:
        layer: over any cell.
        x: [T, B, I], or [B, T, I] with batch_first.
        state, lengths: as the layer takes them.
        probes: products with random vectors that estimate a norm; it is exact where O is not
            greater. See `penstock.inspect.probing`.

    Raises:
        ArgumentError: an argument does not fit.
    """
    x = x.detach().clone().requires_grad_()
    output, _ = layer(x, state, lengths)
    steps = output.transpose(0, 1) if layer.batch_first else output
    T, B = steps.shape[:2]
    ends = torch.full((B,), T) if lengths is None else torch.as_tensor(lengths)
    last = steps[ends.to(steps.device) - 1, torch.arange(B, device=steps.device)]
    (gradient,) = probe(last, [x], probes)
    norms = gradient.pow(2).sum(dim=(0, 3)).sqrt()
    return Effects(by_lag(norms.T if layer.batch_first else norms, ends))

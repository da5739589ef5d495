"""Gradient clipping: how long gradients are, and how many of them a threshold would cut."""

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from penstock.errors import ArgumentError


@dataclass(frozen=True)
class Descent:
    """A short training: the loss before each step, and the norm of its gradient, not yet clipped.

    The norm is that of all parameters' gradients together, as clipping by norm takes it.
    """

    losses: tuple[float, ...]
    norms: tuple[float, ...]

    def clipped(self, threshold: float) -> float:
        """Return the share of steps whose gradient is longer than a threshold (or not finite)."""
        return sum(not norm <= threshold for norm in self.norms) / len(self.norms)


def descend(
    network: nn.Module,
    loss: Callable[[nn.Module, Any], Tensor],
    batches: Iterable[Any],
    rate: float = 0.0,
    clip: float = math.inf,
) -> Descent:
    """Follow the gradient w ← w − rate · g on a copy of a network, a step a batch.

    Args:
        network: stays as it is.
        loss: from a network and a batch to a scalar.
        batches: one for each step.
        rate: 0 takes no step: the norms are those at the network's own weights.
        clip: g is scaled down to this norm where it is longer (Pascanu et al. 2013,
            arXiv:1211.5063).

    Raises:
        ArgumentError: there is no batch, or clip is not above 0.
    """
    if not clip > 0:
        raise ArgumentError(f"clip is {clip}; it must be above 0")
    network = copy.deepcopy(network)
    optimiser = torch.optim.SGD(network.parameters(), rate)
    losses, norms = list[float](), list[float]()
    for batch in batches:
        optimiser.zero_grad()
        value = loss(network, batch)
        value.backward()  # type: ignore[no-untyped-call]
        losses.append(float(value.detach()))
        norms.append(float(nn.utils.clip_grad_norm_(network.parameters(), clip)))
        optimiser.step()
    if not norms:
        raise ArgumentError("there is no batch to take a gradient of")
    return Descent(tuple(losses), tuple(norms))

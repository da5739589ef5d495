"""A sweep in chunks of time that are computed again for the gradient: O(√T) memory."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from penstock.layers.equations import Sweep, Swept

Run = Callable[[Sweep], Swept]


def run_in_chunks(sweep: Sweep, run: Run, length: int) -> Swept:
    """Run a sweep chunk by chunk, keeping for the gradient but the states between them.

    length: steps of a chunk; 0 takes ⌈√T⌉. What a chunk saves is freed at its end, and made again
    when its gradient is asked for: one more forward pass, for √T instead of T steps in memory
    (Chen et al. 2016, arXiv:1604.06174).
    """
    T = sweep.x.shape[0]
    length = length or math.isqrt(max(T - 1, 0)) + 1
    starts = range(0, T, length)[:: -1 if sweep.reverse else 1]
    states, found = sweep.states, list[Swept]()
    for start in starts:
        chunk = _cut(replace(sweep, states=states), slice(start, start + length))
        found.append(_remade(chunk, run) if torch.is_grad_enabled() else run(chunk))
        states = found[-1].states
    found = found[:: -1 if sweep.reverse else 1]
    if not found:
        return run(sweep)
    sequences = zip(*(s.sequences for s in found), strict=True)
    return Swept(
        torch.cat([s.output for s in found]), states, tuple(torch.cat(s) for s in sequences)
    )


def _cut(sweep: Sweep, steps: slice) -> Sweep:
    """Return some steps of a sweep."""

    def cut(values: Tensor | None) -> Tensor | None:
        return None if values is None else values[steps]

    return replace(
        sweep,
        x=sweep.x[steps],
        below=tuple(b[steps] for b in sweep.below),
        valid=cut(sweep.valid),
        reset=cut(sweep.reset),
        masks={name: m if m.ndim == 2 else m[steps] for name, m in sweep.masks.items()},
    )


def _remade(sweep: Sweep, run: Run) -> Swept:
    """Run a sweep whose saved values are made again in the backward pass."""
    names, n, m = tuple(sweep.weights), len(sweep.states), len(sweep.below)

    def again(x: Tensor, *rest: Tensor) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        states, below, weights = rest[:n], rest[n : n + m], rest[n + m :]
        named = dict(zip(names, weights, strict=True))
        swept = run(replace(sweep, x=x, states=states, below=below, weights=named))
        return swept.output, swept.states, swept.sequences

    tensors = (sweep.x, *sweep.states, *sweep.below, *sweep.weights.values())
    made = checkpoint(again, *tensors, use_reentrant=False, preserve_rng_state=False)
    return Swept(*made)

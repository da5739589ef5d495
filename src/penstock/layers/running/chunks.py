"""A sweep in chunks of time that are computed again for the gradient: O(√T) memory."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextvars import copy_context
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from penstock.compiler.pipeline import Sweep
from penstock.layers.running.eager import Swept

Run = Callable[[Sweep], Swept]


def run_in_chunks(sweep: Sweep, run: Run, length: int, every_state: bool) -> Swept:
    """Run a sweep chunk by chunk, keeping for the gradient but the states between them.

    length: steps of a chunk; 0 takes ⌈√T⌉. every_state: False leaves out the sequences.
    What a chunk saves is freed at its end, and made again when its gradient is asked for: one more
    forward pass, for √T instead of T steps in memory (Chen et al. 2016, arXiv:1604.06174).
    """
    length = length or math.isqrt(max(sweep.x.shape[0] - 1, 0)) + 1
    states, found = sweep.states, list[Swept]()
    for chunk in list(_cut(sweep, length))[:: -1 if sweep.reverse else 1]:
        found.append(_remade(chunk._replace(states=states), run, every_state))
        states = found[-1].states
    found = found[:: -1 if sweep.reverse else 1]
    sequences = zip(*(s.sequences for s in found), strict=True)
    return Swept(
        torch.cat([s.output for s in found]), states, tuple(torch.cat(s) for s in sequences)
    )


def _cut(sweep: Sweep, length: int) -> Iterator[Sweep]:
    """Yield a sweep's chunks. Tensors are split, not sliced: that has one gradient for all."""
    xs = torch.split(sweep.x, length)

    def cut(values: Tensor | None) -> Sequence[Tensor | None]:
        return [None] * len(xs) if values is None else torch.split(values, length)

    below = [torch.split(b, length) for b in sweep.below]
    masks = {
        n: [m] * len(xs) if m.ndim == 2 else torch.split(m, length) for n, m in sweep.masks.items()
    }
    for k, (x, valid, reset) in enumerate(zip(xs, cut(sweep.valid), cut(sweep.reset), strict=True)):
        yield sweep._replace(
            x=x,
            below=tuple(b[k] for b in below),
            valid=valid,
            reset=reset,
            masks={name: m[k] for name, m in masks.items()},
        )


def _remade(sweep: Sweep, run: Run, every_state: bool) -> Swept:
    """Run a sweep whose saved values are made again in the backward pass."""
    names, n, m = tuple(sweep.weights), len(sweep.states), len(sweep.below)

    def again(x: Tensor, *rest: Tensor) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        states, below, weights = rest[:n], rest[n : n + m], rest[n + m :]
        named = dict(zip(names, weights, strict=True))
        swept = run(sweep._replace(x=x, states=states, below=below, weights=named))
        finals = tuple(s.clone() for s in swept.states)  # views would keep whole sequences
        return swept.output, finals, swept.sequences if every_state else ()

    if not torch.is_grad_enabled():
        return Swept(*again(sweep.x, *sweep.states, *sweep.below, *sweep.weights.values()))
    tensors = (sweep.x, *sweep.states, *sweep.below, *sweep.weights.values())
    made = checkpoint(_as_now(again), *tensors, use_reentrant=False, preserve_rng_state=False)
    return Swept(*made)


def _as_now(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs on today's backend (`penstock.backend`) whenever it is called."""
    if torch.compiler.is_compiling():  # where backends are not asked
        return function
    context = copy_context()
    return lambda *given: context.copy().run(function, *given)

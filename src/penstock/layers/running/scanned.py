"""The equations as torch's own loop over time, for programs that are to hold torch's ops alone.

`eager` takes step after step, so that a program made of it is as long as its sequence. Here one
step is recorded, as the body of torch's higher-order operator `scan`, for any number of steps and
rows. It is called as a compiler of graphs calls it, with all that its body reads as arguments: the
function `scan` around it would first have torch.compile read the cell's own code, which may be any
Python.

Legend: T time, B batch, S width of a state.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.compiler import pipeline
from penstock.compiler.pipeline import Sweep
from penstock.layers.running import eager
from penstock.layers.running.eager import Swept, Tensors

_is_on: ContextVar[bool] = ContextVar("penstock_scanned", default=False)


@contextmanager
def scanned() -> Iterator[None]:
    """Let layers that torch.export reads inside the ``with`` block be loops of torch's own."""
    token = _is_on.set(True)
    try:
        yield
    finally:
        _is_on.reset(token)


def is_on() -> bool:
    """Return whether this stands in such a block; torch.compile cannot ask, and need not."""
    return not torch.compiler.is_dynamo_compiling() and _is_on.get()


def run(sweep: Sweep) -> Swept:
    """Run a sweep without masks, which only training has, as one loop."""
    from torch._higher_order_ops.scan import scan_op  # noqa: PLC0415  (seconds, for exporters alone)

    n, steps = len(sweep.states), _steps(sweep)
    each = tuple(s.flip(0) if sweep.reverse else s for s in steps)
    # B is among the arguments because AOTInductor looks for the sizes of all results there.
    fixed = (sweep.x.shape[1], *sweep.weights.values())

    def body(*values: Tensor) -> list[Tensor]:
        states, rest = values[:n], values[n : n + len(each)]
        new = _step(sweep, states, rest, values[n + len(each) + 1 :])
        return [s.clone() for s in (*new, *new)]  # none may be another, or an argument

    results = scan_op(body, [s.clone() for s in sweep.states], list(each), fixed)
    finals, all_states = tuple(results[:n]), results[n:]
    sequences = tuple(s.flip(0) if sweep.reverse else s for s in all_states)
    return Swept(eager.output(sweep, sequences, linear), finals, sequences)


def _steps(sweep: Sweep) -> tuple[Tensor, ...]:
    """Return what a step reads its own part of: x, W x + b, states below, and what lengths and
    resets say, [T, B, ·] each.
    """
    flags = (s for s in (sweep.valid, sweep.reset) if s is not None)
    return sweep.x, *_products(sweep), *sweep.below, *flags


def _products(sweep: Sweep) -> tuple[Tensor, ...]:
    return () if sweep.place.modifiers.any else (Tensors(sweep).x_products(sweep.x),)


def _step(
    sweep: Sweep, states: tuple[Tensor, ...], given: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Return the new states [B, S], from the old ones and a step's part of `_steps`."""
    x, *rest = given
    reset = rest.pop() if sweep.reset is not None else None
    valid = rest.pop() if sweep.valid is not None else None
    if reset is not None:
        states = tuple(s.masked_fill(reset[:, None], 0) for s in states)
    here = sweep._replace(weights=dict(zip(sweep.weights, weights, strict=True)))
    if sweep.place.modifiers.any:
        step = pipeline.modified_step(sweep.cell, sweep.place, here.weights)
        new = step(x, states, tuple(rest), {})
    else:
        tensors = Tensors(here)
        tensors.now(x, rest[0], states[0])
        new = tensors.step(x, states, rest[1:])
    if valid is None:
        return new
    return tuple(torch.where(valid[:, None], n, s) for n, s in zip(new, states, strict=True))

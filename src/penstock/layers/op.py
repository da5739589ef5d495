"""A sweep as one operator of torch's, so that torch.compile and torch.export see it whole.

An operator's arguments are tensors and plain values: cell and place travel as a key, which says
all that another process needs to compile them again.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from penstock._version import __version__
from penstock.cells import Cell, Place, cell_name, find_cell
from penstock.cells.modifiers import Modifiers
from penstock.compiler import pipeline
from penstock.compiler.pipeline import Kept, Program, Sweep
from penstock.layers import eager
from penstock.layers.eager import Swept

_KNOWN: dict[str, tuple[Cell, Place, tuple[str, ...]]] = {}


def register(cell: Cell, place: Place, names: tuple[str, ...]) -> str:
    """Return the key of a cell at a place with these parameters."""
    words = {
        "penstock": __version__,  # torch keeps compiled graphs by their constants
        "cell": cell_name(type(cell)),
        "hyperparameters": cell.hyperparameters,
        "place": asdict(place),
        "parameters": names,
    }
    key = json.dumps(words)
    while key in _KNOWN and type(_KNOWN[key][0]) is not type(cell):  # another class of that name
        key += "'"
    _KNOWN[key] = cell, place, names
    return key


def _find(key: str) -> tuple[Cell, Place, tuple[str, ...]]:
    if key not in _KNOWN:
        words = json.loads(key)
        cell = find_cell(words["cell"])(**words["hyperparameters"])
        _KNOWN[key] = cell, _place(words["place"]), tuple(words["parameters"])
    return _KNOWN[key]


def _place(words: dict[str, Any]) -> Place:
    changes = words["modifiers"]
    changes["zoneout"] = tuple((state, p) for state, p in changes["zoneout"])
    return Place(**words | {"modifiers": Modifiers(**changes)})


def run(sweep: Sweep) -> Swept:
    """Run a sweep as one operator."""
    n = len(sweep.states)
    results = torch.ops.penstock.sweep(
        sweep.key, sweep.x, list(sweep.states), list(sweep.below), list(sweep.weights.values()),
        sweep.valid, sweep.reset, list(sweep.masks.values()), sweep.reverse,
        torch.is_grad_enabled(),
    )  # fmt: skip
    sequences, states = tuple(results[:n]), tuple(results[n : 2 * n])
    return Swept(eager.output(sweep, sequences), states, sequences)


def _program(key: str, dtype: torch.dtype) -> Program:
    cell, place, names = _find(key)
    name = "interpreter" if pipeline.why_not("c") else "c"
    bias = any(n.startswith("bias_") for n in names)
    return pipeline.program(cell, place, bias, str(dtype).removeprefix("torch."), name)


@torch.library.custom_op("penstock::sweep", mutates_args=())
def _sweep(
    key: str,
    x: Tensor,
    states: Sequence[Tensor],
    below: Sequence[Tensor],
    weights: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    masks: Sequence[Tensor],
    reverse: bool,
    keep: bool,
) -> list[Tensor]:
    """Return the sequences, the final states, and what the gradient needs.

    That is memory which nobody else writes to: a compiler of graphs leaves out a later copy.
    """
    program = _program(key, x.dtype)
    kept = program.forward(
        _sweep_of(key, x, states, below, weights, valid, reset, masks, reverse), keep
    )
    sequences = [s[:-1] if reverse else s[1:] for s in kept.states]
    finals = [s[0 if reverse else -1].clone() for s in kept.states]
    if not keep:
        return [*sequences, *finals]
    return [*(s.clone() for s in sequences), *finals, *kept.states, kept.saved]


@_sweep.register_fake
def _(key: str, x: Tensor, states: Sequence[Tensor], *rest: Any) -> list[Tensor]:
    T, B = x.shape[:2]
    sequences = [x.new_empty(T, B, s.shape[-1]) for s in states]
    finals = [torch.empty_like(s) for s in states]
    if not (keep := rest[-1]):
        return [*sequences, *finals]
    saved = x.new_empty(_program(key, x.dtype).saved_size(T, B, keep))
    return [*sequences, *finals, *(x.new_empty(T + 1, *s.shape) for s in states), saved]


def _sweep_of(
    key: str,
    x: Tensor,
    states: Sequence[Tensor],
    below: Sequence[Tensor],
    weights: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    masks: Sequence[Tensor],
    reverse: bool,
) -> Sweep:
    cell, place, names = _find(key)
    named = dict(zip(names, weights, strict=True))
    drawn = dict(zip((name for name, *_ in place.modifiers.masks()), masks, strict=True))
    return Sweep(
        cell, place, named, x, tuple(states), tuple(below), valid, reset, reverse, key, drawn
    )


@torch.library.custom_op("penstock::sweep_backward", mutates_args=())
def _sweep_backward(
    key: str,
    x: Tensor,
    states: Sequence[Tensor],
    below: Sequence[Tensor],
    weights: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    masks: Sequence[Tensor],
    reverse: bool,
    results: Sequence[Tensor],
    gradients: Sequence[Tensor],
) -> list[Tensor]:
    """Return the gradients of x, states, below and weights."""
    names, n = _find(key)[0].states, len(states)
    sweep = _sweep_of(key, x, states, below, weights, valid, reset, masks, reverse)
    found = _program(key, x.dtype).backward(
        sweep,
        Kept(tuple(results[:-1]), results[-1]),
        dict(zip(names, gradients[:n], strict=True)),
        dict(zip(names, gradients[n:], strict=True)),
        needs_x=True,
    )
    zeros = (n for n in sweep.weights if n not in found.weights)
    by_weight = {**found.weights, **{n: torch.zeros_like(sweep.weights[n]) for n in zeros}}
    ordered = (by_weight[name] for name in sweep.weights)
    assert found.x is not None
    return [found.x, *(t.clone() for t in (*found.states, *found.below, *ordered))]


@_sweep_backward.register_fake
def _(
    key: str,  # noqa: ARG001
    x: Tensor,
    states: Sequence[Tensor],
    below: Sequence[Tensor],
    weights: Sequence[Tensor],
    *_rest: Any,
) -> list[Tensor]:
    return [torch.empty_like(t) for t in (x, *states, *below, *weights)]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    key, x, states, below, weights, valid, reset, masks, reverse, _ = inputs
    ctx.key, ctx.reverse = key, reverse
    ctx.counts = len(states), len(below), len(weights), len(masks)
    ctx.given = [m is not None for m in (valid, reset)]
    given = [m for m in (valid, reset) if m is not None]
    kept = output[2 * len(states) :]
    ctx.save_for_backward(x, *states, *below, *weights, *masks, *given, *kept)


def _backward(ctx: Any, gradients: list[Tensor]) -> tuple[Any, ...]:
    tensors = list(ctx.saved_tensors)

    def take(n: int) -> list[Tensor]:
        return [tensors.pop(0) for _ in range(n)]

    (x,), (states, below, weights, masks) = take(1), (take(n) for n in ctx.counts)
    valid, reset = (take(1)[0] if there else None for there in ctx.given)
    found = torch.ops.penstock.sweep_backward(
        ctx.key, x, states, below, weights, valid, reset, masks, ctx.reverse, tensors,
        list(gradients[: 2 * len(states)]),
    )  # fmt: skip
    parts = iter(found)
    dx = next(parts)
    lists = [[next(parts) for _ in range(n)] for n in ctx.counts[:3]]
    return (None, dx, *lists, None, None, [None] * len(masks), None, None)


torch.library.register_autograd("penstock::sweep", _backward, setup_context=_setup)

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

from penstock.cells import cell_name, find_cell
from penstock.cells.base import Cell, Place
from penstock.compiler import pipeline
from penstock.compiler.pipeline import Inputs, Program
from penstock.layers import equations
from penstock.layers.equations import Sweep, Swept

_KNOWN: dict[str, tuple[Cell, Place, tuple[str, ...]]] = {}


def register(cell: Cell, place: Place, names: tuple[str, ...]) -> str:
    """Return the key of a cell at a place with these parameters."""
    words = {
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
        _KNOWN[key] = cell, Place(**words["place"]), tuple(words["parameters"])
    return _KNOWN[key]


def run(sweep: Sweep) -> Swept:
    """Run a sweep as one operator."""
    n = len(sweep.states)
    results = torch.ops.penstock.sweep(
        sweep.key, sweep.x, list(sweep.states), list(sweep.below), list(sweep.weights.values()),
        sweep.valid, sweep.reset, sweep.reverse, torch.is_grad_enabled(),
    )  # fmt: skip
    sequences, states = tuple(results[:n]), tuple(results[n : 2 * n])
    return Swept(equations.output(sweep, sequences), states, sequences)


def _program(key: str, dtype: torch.dtype) -> Program:
    cell, place, names = _find(key)
    name = "interpreter" if pipeline.why_not("c") else "c"
    bias = any(n.startswith("bias_") for n in names)
    return pipeline.program(cell, place, bias, str(dtype).removeprefix("torch."), name)


def _saved(key: str, x: Tensor, keep: bool) -> list[tuple[str, tuple[int, ...]]]:
    """Return the names and shapes of what is saved for the gradient, beside the states."""
    program = _program(key, x.dtype)
    T, B = x.shape[:2]
    plan = program.plan
    widths = dict(plan.forward.buffers) | {"lifted": ("hidden_size", len(plan.lifted))}
    found: list[tuple[str, tuple[int, ...]]] = []
    for name in sorted(b for b in program.kept if not b.startswith("state.")):
        width, n = widths[name]
        steps = T if keep or name == "lifted" else 1
        found.append((name, (steps, B, n * program.sizes[width])))
    return found


@torch.library.custom_op("penstock::sweep", mutates_args=())
def _sweep(
    key: str,
    x: Tensor,
    states: Sequence[Tensor],
    below: Sequence[Tensor],
    weights: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    reverse: bool,
    keep: bool,
) -> list[Tensor]:
    """Return the sequences, the final states, and what the gradient needs."""
    named = dict(zip(_find(key)[2], weights, strict=True))
    inputs = Inputs(named, x, tuple(states), tuple(below), valid, reset, reverse)
    buffers = _program(key, x.dtype).forward(inputs, keep)
    kept = [buffers[f"state.{s}"] for s in _find(key)[0].states]
    sequences = [s[:-1] if reverse else s[1:] for s in kept]
    finals = [s[0 if reverse else -1].clone() for s in kept]
    return [*sequences, *finals, *(buffers[name] for name, _ in _saved(key, x, keep))]


@_sweep.register_fake
def _(key: str, x: Tensor, states: Sequence[Tensor], *rest: Any) -> list[Tensor]:
    keep = rest[-1]
    T, B = x.shape[:2]
    sequences = [x.new_empty(T, B, s.shape[-1]) for s in states]
    saved = (x.new_empty(shape) for _, shape in _saved(key, x, keep))
    return [*sequences, *(torch.empty_like(s) for s in states), *saved]


@torch.library.custom_op("penstock::sweep_backward", mutates_args=())
def _sweep_backward(
    key: str,
    x: Tensor,
    states: Sequence[Tensor],
    below: Sequence[Tensor],
    weights: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    reverse: bool,
    results: Sequence[Tensor],
    gradients: Sequence[Tensor],
) -> list[Tensor]:
    """Return the gradients of x, states, below and weights."""
    cell, _, names = _find(key)
    inputs = Inputs(
        dict(zip(names, weights, strict=True)),
        x,
        tuple(states),
        tuple(below),
        valid,
        reset,
        reverse,
    )
    program, n = _program(key, x.dtype), len(states)
    sequences = zip(cell.states, results[:n], states, strict=True)
    kept = {
        f"state.{name}": torch.cat([whole, first[None]] if reverse else [first[None], whole])
        for name, whole, first in sequences
    }
    saved = (name for name, _ in _saved(key, x, keep=True))
    kept |= dict(zip(saved, results[2 * n :], strict=True))
    by_name = [dict(zip(cell.states, g, strict=True)) for g in (gradients[:n], gradients[n:])]
    found = program.backward(inputs, kept, by_name[0], by_name[1], needs_x=True)
    zero = {name: w for name, w in inputs.weights.items() if name not in found.weights}
    by_weight = {**found.weights, **{n: torch.zeros_like(w) for n, w in zero.items()}}
    ordered = (by_weight[name].clone() for name in names)
    assert found.x is not None
    return [
        found.x,
        *(s.clone() for s in found.states),
        *(b.clone() for b in found.below),
        *ordered,
    ]


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
    key, x, states, below, weights, valid, reset, reverse, _ = inputs
    ctx.key, ctx.reverse, ctx.counts = key, reverse, (len(states), len(below), len(weights))
    ctx.masks = [m is not None for m in (valid, reset)]
    masks = [m for m in (valid, reset) if m is not None]
    ctx.save_for_backward(x, *states, *below, *weights, *masks, *output)


def _backward(ctx: Any, gradients: list[Tensor]) -> tuple[Any, ...]:
    tensors = list(ctx.saved_tensors)

    def take(n: int) -> list[Tensor]:
        return [tensors.pop(0) for _ in range(n)]

    (x,), (states, below, weights) = take(1), (take(n) for n in ctx.counts)
    valid, reset = (take(1)[0] if there else None for there in ctx.masks)
    found = torch.ops.penstock.sweep_backward(
        ctx.key, x, states, below, weights, valid, reset, ctx.reverse, tensors,
        list(gradients[: 2 * len(states)]),
    )  # fmt: skip
    parts = iter(found)
    dx = next(parts)
    lists = [[next(parts) for _ in range(n)] for n in ctx.counts]
    return (None, dx, *lists, None, None, None, None)


torch.library.register_autograd("penstock::sweep", _backward, setup_context=_setup)

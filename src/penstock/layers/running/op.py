"""What the operator of `penstock.layers.running.operator` does, and how a layer calls it.

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
from penstock.layers.running import eager, operator
from penstock.layers.running.eager import Swept

__all__ = [
    "backward", "differentiable", "fake", "find", "forward", "operator", "register", "run",
    "streams",
]  # fmt: skip

_ROWS = 4  # from which on W x + U h is made as one product a step
_FORM = 2  # of the operator's arguments and results: another number where they change
_KNOWN: dict[str, tuple[Cell, Place, tuple[str, ...]]] = {}


def register(cell: Cell, place: Place, names: tuple[str, ...]) -> str:
    """Return the key of a cell at a place with these parameters."""
    words = {
        "penstock": [__version__, _FORM],  # torch keeps compiled graphs by their constants
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


def find(key: str) -> tuple[Cell, Place, tuple[str, ...]]:
    """Return the cell of a key, its place, and the names of its parameters."""
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
    tensors = [
        sweep.x, *sweep.states, *sweep.below, *sweep.weights.values(), *sweep.masks.values()
    ]  # fmt: skip
    results = torch.ops.penstock.sweep(
        sweep.key, tensors, sweep.valid, sweep.reset, sweep.reverse, torch.is_grad_enabled()
    )
    sequences, states = tuple(results[:n]), tuple(results[n : 2 * n])
    return Swept(eager.output(sweep, sequences), states, sequences)


def forward(
    key: str,
    tensors: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    reverse: bool,
    keep: bool,
) -> list[Tensor]:
    """Return the sequences, the final states, and, to keep, what the gradient needs.

    That is memory which nobody else writes to: a compiler of graphs leaves out a later copy.
    """
    sweep = _sweep_of(key, tensors, valid, reset, reverse)
    sweep = sweep._replace(every_state=True)
    kept = _program(key, sweep.x.dtype, streams(sweep.x, keep)).forward(sweep, keep)
    sequences = [s[:-1] if reverse else s[1:] for s in kept.states]
    finals = [s[0 if reverse else -1].clone() for s in kept.states]
    if not keep:
        return [*sequences, *finals]
    return [*(s.clone() for s in sequences), *finals, *kept.states, kept.saved]


def fake(key: str, tensors: Sequence[Tensor], keep: bool) -> list[Tensor]:
    """Return tensors of the shapes that `forward` returns."""
    sweep = _sweep_of(key, tensors, None, None, False)
    x, (T, B) = sweep.x, sweep.x.shape[:2]
    sequences = [x.new_empty(T, B, s.shape[-1]) for s in sweep.states]
    finals = [torch.empty_like(s) for s in sweep.states]
    if not keep:
        return [*sequences, *finals]
    saved = x.new_empty(_program(key, x.dtype).saved_size(T, B, keep))
    return [*sequences, *finals, *(x.new_empty(T + 1, *s.shape) for s in sweep.states), saved]


def backward(
    key: str,
    tensors: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    reverse: bool,
    results: Sequence[Tensor],
    gradients: Sequence[Tensor],
) -> list[Tensor]:
    """Return the gradients of x, states, below and weights."""
    sweep = _sweep_of(key, tensors, valid, reset, reverse)
    names, n = find(key)[0].states, len(sweep.states)
    found = _program(key, sweep.x.dtype).backward(
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


def differentiable(key: str, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return those of the operator's tensors that have a gradient: all but the masks."""
    sweep = _sweep_of(key, tensors, None, None, False)
    return sweep.x, *sweep.states, *sweep.below, *sweep.weights.values()


def streams(x: Tensor, keep: bool) -> bool:
    """Return whether the products of x [T, B, I] are made in the loop; keep: for a gradient.

    Enough rows fill the tiles of a step's product; with fewer, each step reads all of W for little.
    """
    return not keep and x.shape[1] >= _ROWS


def _program(key: str, dtype: torch.dtype, streaming: bool = False) -> Program:
    cell, place, names = find(key)
    name = "interpreter" if pipeline.why_not("c") else "c"
    bias = any(n.startswith("bias_") for n in names)
    return pipeline.program(cell, place, bias, str(dtype).removeprefix("torch."), name, streaming)


def _sweep_of(
    key: str,
    tensors: Sequence[Tensor],
    valid: Tensor | None,
    reset: Tensor | None,
    reverse: bool,
) -> Sweep:
    """Return the sweep whose tensors these are."""
    cell, place, names = find(key)
    masks = [name for name, *_ in place.modifiers.masks()]
    rest = list(tensors)

    def take(n: int) -> tuple[Tensor, ...]:
        return tuple(rest.pop(0) for _ in range(n))

    (x,), states = take(1), take(len(cell.states))
    below = take(0 if place.lowest else len(cell.below))
    weights = dict(zip(names, take(len(names)), strict=True))
    drawn = dict(zip(masks, rest, strict=True))
    return Sweep(cell, place, weights, x, states, below, valid, reset, reverse, key, drawn)

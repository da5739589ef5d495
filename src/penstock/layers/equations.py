"""The equations themselves, run step by step in torch: what every faster way must agree with.

Legend: T time, B batch, I input, H hidden, S width of a state, O width of the output.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.cells.base import Cell, Gate, Matrix, Place, multiplication
from penstock.compiler import pipeline


@dataclass(frozen=True)
class Sweep:
    """One direction of one layer over time: everything that a backend needs to run it.

    weights: by name, as `Cell.shapes` lists them. x: [T, B, I]. states: the initial ones, [B, S]
    each. below: the lower layer's sequences that the cell asks for, [T, B, S] each.
    valid [T, B] bool: where False, the state stays and the output is 0; None, all is valid.
    reset [T, B] bool: where True, the state is set to zero before that step; None, nowhere.
    reverse: walk from the last step to the first. key: the cell and place as `op` knows them.
    masks: of the modifiers, by name, [T, B, S], or [B, S] where fixed over time.
    """

    cell: Cell
    place: Place
    weights: Mapping[str, Tensor]
    x: Tensor
    states: tuple[Tensor, ...]
    below: tuple[Tensor, ...] = ()
    valid: Tensor | None = None
    reset: Tensor | None = None
    reverse: bool = False
    key: str = ""
    masks: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Swept:
    """What a sweep gives: output [T, B, O], final states [B, S], all new states [T, B, S]."""

    output: Tensor
    states: tuple[Tensor, ...]
    sequences: tuple[Tensor, ...]


def run(sweep: Sweep) -> Swept:
    """Run a sweep as written, step by step."""
    step = _modified(sweep) if sweep.place.modifiers.any else _as_written(sweep)
    states = sweep.states
    history: list[tuple[Tensor, ...]] = []
    for t in range(len(sweep.x))[:: -1 if sweep.reverse else 1]:
        if sweep.reset is not None:
            states = tuple(s.masked_fill(sweep.reset[t, :, None], 0) for s in states)
        new = step(t, states)
        if sweep.valid is not None:
            keep = sweep.valid[t, :, None]
            new = tuple(torch.where(keep, n, s) for n, s in zip(new, states, strict=True))
        states = new
        history.append(new)
    if sweep.reverse:
        history.reverse()
    sequences = tuple(
        torch.stack([new[k] for new in history]) if history else s.new_empty(0, *s.shape)
        for k, s in enumerate(states)
    )
    return Swept(output(sweep, sequences), states, sequences)


Step = Callable[[int, tuple[Tensor, ...]], tuple[Tensor, ...]]


def _as_written(sweep: Sweep) -> Step:
    """Return the cell's own step, with the products W x of all steps made before the loop."""
    values = _Values(sweep)
    bound = sweep.cell.bind(values.callables)
    xs, parts = sweep.x.unbind(0), values.x_products(sweep.x).unbind(0)
    below = [b.unbind(0) for b in sweep.below]

    def step(t: int, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values.now(xs[t], parts[t], states[0])
        new = bound.step(xs[t], *states, *(b[t] for b in below))
        return new if isinstance(new, tuple) else (new,)

    return step


def _modified(sweep: Sweep) -> Step:
    """Return the step that the modifiers make of the cell's."""
    evaluate = pipeline.modified_step(sweep.cell, sweep.place, sweep.weights)
    masks = sweep.masks

    def step(t: int, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        below = tuple(sequence[t] for sequence in sweep.below)
        drawn = {n: m if m.ndim == 2 else m[t] for n, m in masks.items()}
        return evaluate(sweep.x[t], states, below, drawn)

    return step


def output(sweep: Sweep, states: tuple[Tensor, ...]) -> Tensor:
    """Return the outputs of all steps at once, from the states [T, B, S]: no step waits for them.

    Past a row's end they are 0.
    """
    if sweep.cell.output is None:
        result = states[0]
    else:
        x, *flat = (s.flatten(0, 1) for s in (sweep.x, *states))
        bound = sweep.cell.bind(_Values(sweep).callables)
        size = sweep.cell.usage(sweep.place).output_size
        flat_output = bound.output(x, *flat)  # type: ignore[misc]
        result = flat_output.view(*sweep.x.shape[:2], size)
    return result if sweep.valid is None else result.masked_fill(~sweep.valid[..., None], 0)


class _Values:
    """What stands for a cell's declarations in its equations: the weights, lifted where possible.

    A gate called with the step's own x finds W x + b made before the loop; the gates called with
    the old first state share one product.
    """

    def __init__(self, sweep: Sweep) -> None:
        cell, weights, H = sweep.cell, sweep.weights, sweep.place.hidden_size
        use = cell.usage(sweep.place)
        self.w, self.b = weights.get("weight_ih"), _bias(sweep, "bias_ih", use.x_gates)
        self.x_maps = _maps(self.w, self.b, use.x_gates, H)
        u, b = weights.get("weight_hh"), _bias(sweep, "bias_hh", use.h_gates)
        self.h_maps = _maps(u, b, use.h_gates, H)
        self.shared = [g for g in use.h_gates if g in use.state_gates]
        if u is not None and len(self.shared) < len(use.h_gates):
            rows = [
                k * H + j for k, g in enumerate(use.h_gates) if g in self.shared for j in range(H)
            ]
            u, b = u[rows], None if b is None else b[rows]
        self.shared_map = u, b
        self.hidden_size = H
        self.x: Tensor | None = None
        self.h: Tensor | None = None
        self.x_parts: dict[str, Tensor] = {}
        self.h_parts: dict[str, Tensor] = {}
        self.callables: dict[str, Any] = {
            d.name: self._gate(d) for d in cell.declared.values() if isinstance(d, Gate)
        }
        for name in use.others:
            weight = weights[f"weight_{name}"]
            is_matrix = isinstance(cell.declared[name], Matrix)
            self.callables[name] = multiplication(weight) if is_matrix else weight

    def x_products(self, x: Tensor) -> Tensor:
        """Return W x + b of all gates and steps, [T, B, G·H]."""
        return x[..., :0] if self.w is None else linear(x, self.w, self.b)

    def now(self, x: Tensor, products: Tensor, h: Tensor) -> None:
        """Enter a step: its x with the products made of it, and the old first state."""
        self.x, self.x_parts = x, _split(products, self.x_maps, self.hidden_size)
        self.h, self.h_parts = h, {}

    def _gate(self, gate: Gate) -> Callable[..., Tensor]:
        def call(*given: Tensor) -> Tensor:
            x, h = gate.arguments(given)
            if x is None:
                return self._of_h(gate.name, h)
            return (
                self._of_x(gate.name, x)
                if h is None
                else (self._of_x(gate.name, x) + self._of_h(gate.name, h))
            )

        return call

    def _of_x(self, gate: str, x: Tensor) -> Tensor:
        if x is self.x and gate in self.x_parts:
            return self.x_parts[gate]
        return linear(x, *self.x_maps[gate])

    def _of_h(self, gate: str, h: Tensor | None) -> Tensor:
        assert h is not None
        if h is not self.h or gate not in self.shared:
            return linear(h, *self.h_maps[gate])
        if not self.h_parts:
            u, b = self.shared_map
            assert u is not None
            self.h_parts = _split(linear(h, u, b), self.shared, self.hidden_size)
        return self.h_parts[gate]


def _split(products: Tensor, gates: Iterable[str], H: int) -> dict[str, Tensor]:
    """Return each gate's part of a stack of products [..., G·H]."""
    return dict(zip(gates, torch.split(products, H, -1), strict=True)) if gates else {}


def _maps(
    weight: Tensor | None, bias: Tensor | None, gates: Sequence[str], H: int
) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Return each gate's own weight [H, ·] and bias [H] from their stacks."""
    if weight is None:
        return {}
    rows = {gate: slice(k * H, (k + 1) * H) for k, gate in enumerate(gates)}
    return {g: (weight[r], None if bias is None else bias[r]) for g, r in rows.items()}


def _bias(sweep: Sweep, name: str, gates: Sequence[str]) -> Tensor | None:
    """Return the bias of all the gates, 0 for those that have none; None where none has one."""
    bias, biased = sweep.weights.get(name), sweep.cell.biased(gates)
    if bias is None or len(biased) == len(gates):
        return bias
    parts = _split(bias, biased, sweep.place.hidden_size)
    zero = bias.new_zeros(sweep.place.hidden_size)
    return torch.cat([parts.get(gate, zero) for gate in gates])

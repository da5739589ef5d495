"""The equations themselves, run step by step in torch: what every faster way must agree with.

Legend: T time, B batch, I input, H hidden, S width of a state, O width of the output.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, cat
from torch.nn.functional import linear, pad

from penstock.cells import Gate, Matrix, Vector
from penstock.cells.language import Affine, Interpretation
from penstock.compiler import pipeline
from penstock.compiler.pipeline import Sweep
from penstock.layers.running.fitting import check_weights

Key = TypeVar("Key")
Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Swept:
    """What a sweep gives: output [T, B, O], final states [B, S], all new states [T, B, S]."""

    output: Tensor
    states: tuple[Tensor, ...]
    sequences: tuple[Tensor, ...]


def run(sweep: Sweep) -> Swept:
    """Run a sweep as written, step by step."""
    check_weights(sweep)
    if not len(sweep.x):
        return _no_steps(sweep)
    if sweep.place.modifiers.any:
        return _walk(sweep, _modified(sweep))
    tensors = Tensors(sweep)
    swept = _walk(sweep, _as_written(sweep, tensors))
    tensors.forget()
    return swept


def _no_steps(sweep: Sweep) -> Swept:
    """Return what a step gives that is then cut off: so no steps have a gradient, which is 0."""
    x, *below = (pad(steps, (0, 0, 0, 0, 0, 1)) for steps in (sweep.x, *sweep.below))
    masks = {n: m if m.ndim == 2 else pad(m, (0, 0, 0, 0, 0, 1)) for n, m in sweep.masks.items()}
    one = run(sweep._replace(x=x, below=tuple(below), valid=None, reset=None, masks=masks))
    return Swept(one.output[:0], sweep.states, tuple(s[:0] for s in one.sequences))


def _walk(sweep: Sweep, step: "Step") -> Swept:
    """Take all steps, and map the states to outputs."""
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
    sequences = tuple(torch.stack(state) for state in zip(*history, strict=True))
    return Swept(output(sweep, sequences, linear), states, sequences)


Step = Callable[[int, tuple[Tensor, ...]], tuple[Tensor, ...]]


def _as_written(sweep: Sweep, tensors: "Tensors") -> Step:
    """Return the cell's own step, with the products W x of all steps made before the loop.

    The steps are unbound, so that a trace (torch.jit.trace, the legacy export to ONNX) refuses
    another number of them, where indexing would leave some out.
    """
    xs, products = sweep.x.unbind(0), tensors.x_products(sweep.x).unbind(0)
    below = [b.unbind(0) for b in sweep.below]

    def step(t: int, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        tensors.now(xs[t], products[t], states[0])
        return tensors.step(xs[t], states, [b[t] for b in below])

    return step


def _modified(sweep: Sweep) -> Step:
    """Return the step that the modifiers make of the cell's."""
    evaluate = pipeline.modified_step(sweep.cell, sweep.place, sweep.weights)
    xs, below = sweep.x.unbind(0), [b.unbind(0) for b in sweep.below]  # see `_as_written`
    masks = sweep.masks

    def step(t: int, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        drawn = {n: m if m.ndim == 2 else m[t] for n, m in masks.items()}
        return evaluate(xs[t], states, tuple(b[t] for b in below), drawn)

    return step


def output(
    sweep: Sweep, states: tuple[Tensor, ...], product: Product = pipeline.in_tiles
) -> Tensor:
    """Return the outputs of all steps at once, from the states [T, B, S]: no step waits for them.

    Past a row's end they are 0.
    """
    if sweep.cell.output is None:
        result = states[0]
    else:
        x, *flat = (s.flatten(0, 1) for s in (sweep.x, *states))
        size = sweep.cell.usage(sweep.place).output_size
        tensors = Tensors(sweep, product)
        result = tensors.output(x, flat).view(*sweep.x.shape[:2], size)
        tensors.forget()
    return result if sweep.valid is None else result.masked_fill(~sweep.valid[..., None], 0)


class Tensors(Interpretation[Tensor]):
    """The equations on tensors, with products lifted out of them where possible.

    A gate called with the step's own x finds W x + b made before the loop; the gates called with
    the old first state share one product.
    """

    def __init__(self, sweep: Sweep, product: Product = linear) -> None:
        super().__init__(sweep.cell)
        self.product = product
        cell, self.weights = sweep.cell, sweep.weights
        use, self.hidden_size = cell.usage(sweep.place), sweep.place.hidden_size
        gates = {n: d for n, d in cell.declared.items() if isinstance(d, Gate)}
        self.of_x = [gates[name].of_x for name in use.x_gates]
        of_h = [gates[name].of_h for name in use.h_gates]
        self.stack_x = self.weights.get("weight_ih"), _bias(sweep, "bias_ih", use.x_gates)
        stack_h = self.weights.get("weight_hh"), _bias(sweep, "bias_hh", use.h_gates)
        self.maps = self._rows(self.of_x, *self.stack_x) | self._rows(of_h, *stack_h)
        self.shared = [a for a in of_h if a.name in use.state_gates]
        self.stack_shared = self._stack(of_h, *stack_h)
        self.x: Tensor | None = None
        self.h: Tensor | None = None
        self.x_parts: Mapping[Affine, Tensor] = {}
        self.h_parts: Mapping[Affine, Tensor] = {}

    def total(self, terms: Sequence[tuple[Affine, Tensor]]) -> Tensor:
        """Return the sum, of products that are made already where they are."""
        parts = [self._map(affine, value) for affine, value in terms]
        return parts[0] if len(parts) == 1 else functools.reduce(torch.add, parts)

    def vector(self, vector: Vector) -> Tensor:
        """Return the weight."""
        return self.weights[f"weight_{vector.name}"]

    def x_products(self, x: Tensor) -> Tensor:
        """Return W x + b of all gates and steps, [T, B, G·H]."""
        weight, bias = self.stack_x
        return x[..., :0] if weight is None else linear(x, weight, bias)

    def now(self, x: Tensor, products: Tensor, h: Tensor) -> None:
        """Enter a step: its x with the products made of it, and the old first state."""
        self.x, self.x_parts = x, _split(products, self.of_x, self.hidden_size)
        self.h, self.h_parts = h, {}

    def _map(self, affine: Affine, value: Tensor) -> Tensor:
        if isinstance(affine.declared, Matrix):
            weight = self.weights[f"weight_{affine.name}"]
            return self.product(value, weight.T if affine.transposed else weight, None)
        if value is self.x and affine in self.x_parts:
            return self.x_parts[affine]
        if value is not self.h or affine not in self.shared:
            return self.product(value, *self.maps[affine])
        if not self.h_parts:
            stack, bias = self.stack_shared
            assert stack is not None
            self.h_parts = _split(linear(value, stack, bias), self.shared, self.hidden_size)
        return self.h_parts[affine]

    def _rows(
        self, maps: Sequence[Affine], weight: Tensor | None, bias: Tensor | None
    ) -> dict[Affine, tuple[Tensor, Tensor | None]]:
        """Return each map's own weight [H, ·] and bias [H] from their stacks."""
        if weight is None:
            return {}
        H = self.hidden_size
        rows = {affine: slice(k * H, (k + 1) * H) for k, affine in enumerate(maps)}
        return {a: (weight[r], None if bias is None else bias[r]) for a, r in rows.items()}

    def _stack(
        self, of_h: Sequence[Affine], weight: Tensor | None, bias: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return the stacks of weights and biases of the maps that share one product."""
        if weight is None or len(self.shared) == len(of_h):
            return weight, bias
        H = self.hidden_size
        rows = [slice(k * H, (k + 1) * H) for k, a in enumerate(of_h) if a in self.shared]
        rows = rows or [slice(0, 0)]  # none is shared
        shared = cat([weight[r] for r in rows])
        return shared, None if bias is None else cat([bias[r] for r in rows])


def _split(products: Tensor, keys: Sequence[Key], H: int) -> dict[Key, Tensor]:
    """Return each gate's part of a stack of products [..., G·H]."""
    return dict(zip(keys, torch.split(products, H, -1), strict=True)) if keys else {}


def _bias(sweep: Sweep, name: str, gates: Sequence[str]) -> Tensor | None:
    """Return the bias of all the gates, 0 for those that have none; None where none has one."""
    bias, biased = sweep.weights.get(name), sweep.cell.biased(gates)
    if bias is None or len(biased) == len(gates):
        return bias
    parts = _split(bias, biased, sweep.place.hidden_size)
    zero = bias.new_zeros(sweep.place.hidden_size)
    return torch.cat([parts.get(gate, zero) for gate in gates])

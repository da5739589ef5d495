"""A plan and its kernel as one differentiable function of a sweep's tensors.

Here stand the buffers, and the order of the work: products before the loop, the loop, products
after it. Legend: T steps, B rows, I input, H hidden, S width of a state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from penstock.cells import Cell, Matrix, Place, Vector
from penstock.compiler.backends.base import Bound, Call, Kernel
from penstock.compiler.graph import Hoisted, Loop, LoopPlan, Node
from penstock.compiler.memory import (
    Buffers,
    Layout,
    Shape,
    check,
    dense,
    empty,
    lay_out,
    workspace,
)
from penstock.compiler.products import Products, Stacks
from penstock.compiler.sweep import Sweep


@dataclass(frozen=True)
class Kept:
    """What a sweep leaves: the states of all steps, [T+1, B, S] each, and what gradients need."""

    states: tuple[Tensor, ...]
    saved: Tensor


@dataclass(frozen=True)
class Gradients:
    """The gradients of a sweep's inputs."""

    weights: Mapping[str, Tensor]
    x: Tensor | None
    states: tuple[Tensor, ...]
    below: tuple[Tensor, ...]


class Program:
    """A cell at a place, compiled."""

    def __init__(
        self,
        cell: Cell,
        place: Place,
        hoisted: Hoisted,
        plan: LoopPlan,
        kernel: Kernel,
        dtype: torch.dtype,
    ) -> None:
        self.cell, self.place, self.plan, self.kernel = cell, place, plan, kernel
        self.dtype = dtype
        self.sizes = widths(cell, place)
        stacks = Stacks(cell, place)
        self._products = Products(stacks, hoisted, plan, self.sizes)
        nodes = (*plan.forward.graph.nodes, *plan.backward.graph.nodes)
        added = {n.name: (self.sizes[n.width],) for n in nodes if n.op == "vector"}
        self._shapes_of_weights = {**added, **cell.shapes(place)}
        self._weights = _weight_layouts(nodes, stacks, self._shapes_of_weights)
        self._state_sizes = dict(zip(cell.states, cell.state_sizes(place.hidden_size), strict=True))
        read = {slot.buffer for slot in plan.backward.loads.values()}
        self._kept = {b for b in read if b == "lifted" or b.startswith("saved.")}
        self._layouts = lru_cache(64)(self._make_layouts)

    def forward(self, sweep: Sweep, keep: bool) -> Kept:
        """Run the sweep.

        keep: save what `backward` needs.
        """
        x, reverse = sweep.x, sweep.reverse
        T, B = x.shape[:2]
        buffers, states = self._inputs(sweep), []
        for (name, width), initial in zip(self._state_sizes.items(), sweep.states, strict=True):
            check(f"state {name}", initial, self.dtype, (B, width))
            state = empty(x, T + 1, B, width)
            state[T if reverse else 0] = initial
            buffers.put(f"state.{name}", state)
            states.append(state)
        kept, work, _ = self._layouts(T, B, keep)
        saved = empty(x, kept.size)
        buffers.lay(saved, kept)
        buffers.lay(workspace(x, work.size, "work"), work)
        self._products.lift(sweep.weights, buffers, T)
        self.kernel.forward(self._call(sweep, buffers, keep))
        return Kept(tuple(states), saved)

    def saved_size(self, T: int, B: int, keep: bool) -> int:
        """Return how many numbers a sweep saves for its gradient, beside the states."""
        return self._make_layouts(T, B, keep)[0].size  # sizes may be symbols, which have no hash

    def bind(self, sweep: Sweep) -> Bound:
        """Return the loop over these very tensors; states are [T+1, B, S], and written to."""
        buffers = self._inputs(sweep)
        T, B = sweep.x.shape[:2]
        for (name, width), state in zip(self._state_sizes.items(), sweep.states, strict=True):
            check(f"state {name}", state, self.dtype, (T + 1, B, width))
            buffers.put(f"state.{name}", state)
        kept, work, _ = self._layouts(T, B, False)
        for layout in (kept, work):
            buffers.lay(sweep.x.new_empty(layout.size), layout)
        return self.kernel.bind(self._call(sweep, buffers, keep=False))

    def backward(
        self,
        sweep: Sweep,
        kept: Kept,
        sequences: Mapping[str, Tensor | None],
        finals: Mapping[str, Tensor | None],
        needs_x: bool,
    ) -> Gradients:
        """Return the gradients, given those of the states at every step and at the end.

        kept: what `forward` returned. sequences: [T, B, S], finals: [B, S], None for zero.
        """
        x, sizes, dtype = sweep.x, self._state_sizes, self.dtype
        T, B = x.shape[:2]
        buffers = self._inputs(sweep)
        carries = [x.new_zeros(2, B, width) for width in sizes.values()]
        for (name, width), state, carry in zip(sizes.items(), kept.states, carries, strict=True):
            buffers.put(f"state.{name}", dense(f"state {name}", state, dtype, (T + 1, B, width)))
            buffers.put(f"grad.{name}", carry)
            if (final := finals[name]) is not None:
                carry[0] = final
        own, _, work = self._layouts(T, B, True)
        buffers.lay(dense("what was saved", kept.saved, dtype, (own.size,)), own)
        buffers.lay(workspace(x, work.size, "work"), work)
        self._prepare(buffers, sweep)
        given = {
            f"grad.{name}": dense(f"the gradient of {name}", sequence, dtype, (T, B, sizes[name]))
            for name, sequence in sequences.items()
            if sequence is not None
        }
        self.kernel.backward(self._call(sweep, buffers, True, given))
        below = zip(self.cell.below, sweep.below, strict=False)
        return Gradients(
            self._products.weight_gradients(sweep.weights, buffers, T, sweep.reset, sweep.reverse),
            self._products.x_gradient(sweep.weights, buffers, T) if needs_x else None,
            tuple(carry[T % 2] for carry in carries),
            tuple(
                buffers[name] if (name := f"grad_below.{s}") in buffers else torch.zeros_like(b)
                for s, b in below
            ),
        )

    def _prepare(self, buffers: Buffers, sweep: Sweep) -> None:
        """Set totals to zero, and add the gradients of x and of states below, which go out."""
        T, B = sweep.x.shape[:2]
        for name, (width, n) in self.plan.backward.buffers.items():
            if name.startswith("total."):
                buffers[name].zero_()
            elif name.startswith(("grad_x", "grad_below.")):
                buffers.put(name, empty(sweep.x, T, B, n * self.sizes[width]))

    def _call(
        self,
        sweep: Sweep,
        buffers: Buffers,
        keep: bool,
        incoming: Mapping[str, Tensor] | None = None,
    ) -> Call:
        T, B = sweep.x.shape[:2]
        masks = {"valid": sweep.valid, "reset": sweep.reset}
        valid, reset = (
            None if mask is None else dense(name, mask, torch.bool, (T, B))
            for name, mask in masks.items()
        )
        return Call(
            buffers, sweep.x, self.sizes, T, B, incoming or {}, valid, reset, sweep.reverse, keep
        )

    def _inputs(self, sweep: Sweep) -> Buffers:
        """Return the tensors of a sweep under the names that the plan has for them."""
        (T, B), sizes, dtype = sweep.x.shape[:2], self._state_sizes, self.dtype
        buffers = Buffers()
        buffers.put("x", dense("x", sweep.x, dtype, (T, B, self.sizes["input_size"])))
        for name, below in zip(self.cell.below, sweep.below, strict=False):
            what = f"state {name} of the layer below"
            buffers.put(f"below.{name}", dense(what, below, dtype, (T, B, sizes[name])))
        for name, state, _ in self.place.modifiers.masks() if sweep.masks else ():
            shape = (B, sizes[self.cell.states[0]]) if state is None else (T, B, sizes[state])
            what = f"the mask of {name}"
            buffers.put(f"mask.{name}", dense(what, sweep.masks[name], dtype, shape))
        for name, weight in sweep.weights.items():
            whole = dense(name, weight, dtype, self._shapes_of_weights[name])
            if name in self._weights:
                buffers.lay(whole, self._weights[name])
        self._products.derive(sweep.weights, buffers)
        return buffers

    def _make_layouts(self, T: int, B: int, keep: bool) -> tuple[Layout, Layout, Layout]:
        """Return the layouts of what a sweep saves, and of the rest of what each loop writes."""
        lifted = {"lifted": (T, B, len(self.plan.lifted) * self.sizes["hidden_size"])}
        forward = self._shapes(self.plan.forward, T if keep else 1, B)
        forward |= lifted if self.plan.lifted else {}
        own = {n: shape for n, shape in forward.items() if keep and n in self._kept}
        rest = {n: shape for n, shape in forward.items() if n not in own}
        return lay_out(own), lay_out(rest), lay_out(self._shapes(self.plan.backward, T, B))

    def _shapes(self, loop: Loop, T: int, B: int) -> dict[str, Shape]:
        """Return the shapes of what a loop alone writes and reads."""
        shapes: dict[str, Shape] = {}
        for name, (width, n) in loop.buffers.items():
            kind, size = name.partition(".")[0], n * self.sizes[width]
            if kind in ("total", "scratch"):
                shapes[name] = B, size
            elif kind not in ("state", "grad", "grad_x", "grad_below", "lifted"):
                shapes[name] = T, B, size
        return shapes


def widths(cell: Cell, place: Place) -> dict[str, int]:
    """Return the sizes that a graph's widths stand for."""
    sizes = {"hidden_size": place.hidden_size, "input_size": place.input_size, "1": 1}
    declared = cell.declared.values()
    names = {w for d in declared if isinstance(d, Matrix) for w in (d.rows, d.columns)}
    names |= {d.size for d in declared if isinstance(d, Vector)} | {*cell.widths.values()}
    return sizes | {name: int(getattr(cell, name)) for name in names - {*sizes}}


def _weight_layouts(
    nodes: Sequence[Node], stacks: Stacks, shapes: Mapping[str, Shape]
) -> dict[str, Layout]:
    """Return, for each parameter, which weights and vectors of the loops it holds, and where."""
    vectors = {n.name for n in nodes if n.op == "vector" and not n.name.startswith("derived.")}
    names = {f"vector.{name}": name for name in sorted(vectors)}
    names |= {f"matrix.{w.name}": w.name for n in nodes for w in n.weights}
    places: dict[str, dict[str, tuple[int, Shape]]] = {}
    for buffer, name in names.items():
        stack, first, count = stacks.find(name)
        rest = shapes[stack][1:]
        rows = count or shapes[stack][0]
        offset = first * (rest[0] if rest else 1)
        places.setdefault(stack, {})[buffer] = offset, (rows, *rest)
    return {stack: Layout(found, 0) for stack, found in places.items()}

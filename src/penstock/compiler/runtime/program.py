"""A plan and its kernel as one differentiable function of a sweep's tensors.

Here stand the buffers, and the order of the work: products before the loop, the loop, products
after it::

    forward    lift: W x + b of all steps  →  loop: every step            →  states, what is saved
    backward   loop: every step, from the end  →  products: weights, x    →  gradients

Legend: T steps, B rows, I input, H hidden, S width of a state.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from penstock.cells import Cell, Matrix, Place, Vector
from penstock.compiler.backends.base import Bound, Call, Kernel
from penstock.compiler.backends.memory import (
    BlockMap,
    Buffers,
    Shape,
    check,
    dense,
    empty,
    lay_out,
    workspace,
)
from penstock.compiler.ir.graph import Hoisted, Weight
from penstock.compiler.ir.plan import Buffer, BufferKind, Loop, LoopPlan, Owner, X, matrix
from penstock.compiler.runtime.products import Products, Stacks
from penstock.compiler.runtime.sweep import Sweep


@dataclass(frozen=True)
class Kept:
    """What a sweep leaves: the states of all steps, [T+1, B, S] each, and what gradients need."""

    states: tuple[Tensor, ...]
    saved: Tensor


@dataclass(frozen=True)
class Gradients:
    """The gradients of a sweep's sweep."""

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
        back = plan.backward.buffers
        both = {**plan.forward.buffers, **back}
        self._totals = [b for b in back if b.kind is BufferKind.TOTAL]
        self._results = [b for b in back if b.kind.owner is Owner.RESULT]
        self._masks = [b for b in both if b.kind in (BufferKind.MASK, BufferKind.HELD_MASK)]
        self._states = [self._buffer(BufferKind.STATE, name) for name in cell.states]
        self._carries = [self._buffer(BufferKind.CARRY, name) for name in cell.states]
        self._below = [self._buffer(BufferKind.BELOW, name) for name in cell.below]
        self._grads_below = [self._buffer(BufferKind.GRAD_BELOW, name) for name in cell.below]
        shapes = cell.shapes(place)
        self._weights = _weight_maps(plan, stacks, shapes, self.sizes)
        added = {v.parameter: (self.sizes[w],) for v, w in _vectors(plan)}
        self._weight_shapes = added | shapes
        self._maps = lru_cache(64)(self._make_maps)
        self._given = lru_cache(64)(self._make_given)

    def _buffer(self, kind: BufferKind, name: str) -> Buffer:
        """Return the buffer of one of a cell's states."""
        return Buffer(kind, name, self.cell.width_of(name))

    def forward(self, sweep: Sweep, keep: bool) -> Kept:
        """Run the sweep.

        keep: save what `backward` needs. Of the states but for the first two steps are kept, place
        s mod 2 of step s, unless they are wanted.
        """
        x, reverse = sweep.x, sweep.reverse
        T, B = x.shape[:2]
        buffers, states = self._inputs(sweep), []
        shapes = self._given(T, B)
        every = keep or sweep.every_state
        for k, (buffer, given) in enumerate(zip(self._states, sweep.states, strict=True)):
            places = T + 1 if every or not k else 2
            state, name = empty(x, places, *shapes[buffer][1:]), f"state {buffer.name}"
            first = T if reverse else 0
            state[first % places] = dense(name, given, self.dtype, shapes[buffer][1:])
            buffers.put(buffer, state)
            states.append(state)
        kept, work, _ = self._maps(T, B, keep)
        saved = empty(x, kept.size)
        buffers.lay(saved, kept)
        buffers.lay(workspace(x, work.size, "work"), work)
        self._products.lift(sweep.weights, buffers, T)
        self.kernel.forward(self._call(sweep, buffers, keep, every=every))
        return Kept(tuple(states), saved)

    def saved_size(self, T: int, B: int, keep: bool) -> int:
        """Return how many numbers a sweep saves for its gradient, beside the states."""
        return self._make_maps(T, B, keep)[0].size  # sizes may be symbols, which have no hash

    def bind(self, sweep: Sweep) -> Bound:
        """Return the loop over these very tensors; states are [T+1, B, S], and written to."""
        buffers = self._inputs(sweep)
        T, B = sweep.x.shape[:2]
        for buffer, state in zip(self._states, sweep.states, strict=True):
            check(f"state {buffer.name}", state, self.dtype, self._given(T, B)[buffer])
            buffers.put(buffer, state)
        kept, work, _ = self._maps(T, B, False)
        for block in (kept, work):
            buffers.lay(sweep.x.new_empty(block.size), block)
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
        x, names, dtype = sweep.x, self.cell.states, self.dtype
        T, B = x.shape[:2]
        buffers, shapes = self._inputs(sweep), self._given(T, B)
        carries = [x.new_zeros(shapes[carry]) for carry in self._carries]
        for k, (name, carry) in enumerate(zip(names, carries, strict=True)):
            buffer = self._states[k]
            buffers.put(buffer, dense(f"state {name}", kept.states[k], dtype, shapes[buffer]))
            buffers.put(self._carries[k], carry)
            if (final := finals[name]) is not None:
                carry[0] = final
        own, _, work = self._maps(T, B, True)
        buffers.lay(dense("what was saved", kept.saved, dtype, (own.size,)), own)
        buffers.lay(workspace(x, work.size, "work"), work)
        self._prepare(buffers, sweep)
        given = {
            carry: dense(f"the gradient of {name}", sequence, dtype, (T, *shapes[carry][1:]))
            for carry, name in zip(self._carries, names, strict=True)
            if (sequence := sequences[name]) is not None
        }
        self.kernel.backward(self._call(sweep, buffers, True, given))
        return self._gradients(sweep, buffers, carries, needs_x)

    def _prepare(self, buffers: Buffers, sweep: Sweep) -> None:
        """Set totals to zero, and add the gradients of x and of states below, which go out."""
        shapes = self._given(*sweep.x.shape[:2])
        for buffer in self._totals:
            buffers[buffer].zero_()
        for buffer in self._results:
            buffers.put(buffer, empty(sweep.x, *shapes[buffer]))

    def _gradients(
        self, sweep: Sweep, buffers: Buffers, carries: list[Tensor], needs_x: bool
    ) -> Gradients:
        """Make the products after the loop; gather what the loop left."""
        T, weights = sweep.x.shape[0], sweep.weights
        below = zip(self._grads_below, sweep.below, strict=False)
        return Gradients(
            self._products.weight_gradients(weights, buffers, T, sweep.reset, sweep.reverse),
            self._products.x_gradient(weights, buffers, sweep.x) if needs_x else None,
            tuple(carry[T % 2] for carry in carries),
            tuple(buffers[g] if g in buffers else torch.zeros_like(b) for g, b in below),
        )

    def _call(
        self,
        sweep: Sweep,
        buffers: Buffers,
        keep: bool,
        incoming: Mapping[Buffer, Tensor] | None = None,
        every: bool = True,
    ) -> Call:
        (T, B), valid, reset = sweep.x.shape[:2], sweep.valid, sweep.reset
        valid = None if valid is None else dense("valid", valid, torch.bool, (T, B))
        reset = None if reset is None else dense("reset", reset, torch.bool, (T, B))
        return Call(
            buffers,
            sweep.x,
            self.sizes,
            T,
            B,
            incoming or {},
            valid,
            reset,
            sweep.reverse,
            keep,
            every,
        )

    def _inputs(self, sweep: Sweep) -> Buffers:
        """Return the tensors of a sweep in the buffers that the plan has for them."""
        buffers, dtype = Buffers(), self.dtype
        shapes = self._given(*sweep.x.shape[:2])
        buffers.put(X, dense("x", sweep.x, dtype, shapes[X]))
        for buffer, below in zip(self._below, sweep.below, strict=False):
            what = f"state {buffer.name} of the layer below"
            buffers.put(buffer, dense(what, below, dtype, shapes[buffer]))
        for buffer in self._masks:
            name = str(buffer.name)
            mask = dense(f"the mask of {name}", sweep.masks[name], dtype, shapes[buffer])
            buffers.put(buffer, mask)
        for parameter, weight in sweep.weights.items():
            whole = dense(parameter, weight, dtype, self._weight_shapes[parameter])
            if parameter in self._weights:
                buffers.lay(whole, self._weights[parameter])
        self._products.derive(sweep.weights, buffers)
        return buffers

    def _make_given(self, T: int, B: int) -> dict[Buffer, Shape]:
        """Return the shapes of what comes in and goes out, but for the weights, and of carries."""
        given = (
            X, *self._states, *self._carries, *self._below, *self._masks, *self._results
        )  # fmt: skip
        return {b: (*b.kind.leading(T, B), self.sizes[b.width]) for b in given}

    def _make_maps(self, T: int, B: int, keep: bool) -> tuple[BlockMap, BlockMap, BlockMap]:
        """Return where that lies which a sweep saves, and the rest of what each loop writes."""
        forward, backward = self.plan.forward, self.plan.backward
        forward_shapes = self._shapes(forward, T, B, keep)
        ours = (Owner.GRADIENT, Owner.WORKSPACE)
        written = {b: shape for b, shape in forward_shapes.items() if b.kind.owner in ours}
        kept = {b for b in written if keep and b.kind.owner is ours[0] and b in backward.buffers}
        own = {b: shape for b, shape in written.items() if b in kept}
        rest = {b: shape for b, shape in written.items() if b not in kept}
        shapes = self._shapes(backward, T, B, True).items()
        work = {b: shape for b, shape in shapes if b.kind.owner is Owner.WORKSPACE}
        return lay_out(own), lay_out(rest), lay_out(work)

    def _shapes(self, loop: Loop, T: int, B: int, keep: bool) -> dict[Buffer, Shape]:
        """Return the shapes of a loop's buffers."""
        return {
            buffer: (*buffer.kind.leading(T, B, keep), columns * self.sizes[buffer.width])
            for buffer, columns in loop.buffers.items()
        }


def widths(cell: Cell, place: Place) -> dict[str, int]:
    """Return the sizes that a graph's widths stand for."""
    sizes = {"hidden_size": place.hidden_size, "input_size": place.input_size, "1": 1}
    declared = cell.declared.values()
    names = {w for d in declared if isinstance(d, Matrix) for w in (d.rows, d.columns)}
    names |= {d.size for d in declared if isinstance(d, Vector)} | {*cell.widths.values()}
    return sizes | {name: int(getattr(cell, name)) for name in names - {*sizes}}


def _weight_maps(
    plan: LoopPlan, stacks: Stacks, shapes: Mapping[str, Shape], sizes: Mapping[str, int]
) -> dict[str, BlockMap]:
    """Return, for each parameter, which matrices and vectors of the loops it holds, and where."""
    found: dict[str, dict[Buffer, tuple[int, Shape]]] = {}
    for buffer, weight in _weight_buffers(plan):
        whole = shapes.get(weight.parameter) or (sizes[buffer.width],)
        first, count = stacks.find(weight)
        columns = whole[1:]
        offset = first * (columns[0] if columns else 1)
        places = found.setdefault(weight.parameter, {})
        places[buffer] = offset, (count or whole[0], *columns)
    return {parameter: BlockMap(places, 0) for parameter, places in found.items()}


def _weight_buffers(plan: LoopPlan) -> Iterator[tuple[Buffer, Weight]]:
    """Yield the vectors and matrices that the loops read."""
    for vector, width in _vectors(plan):
        yield Buffer(BufferKind.VECTOR, vector, width), vector
    for loop in (plan.forward, plan.backward):
        yield from ((matrix(w), w) for node in loop.graph.nodes for w in node.weights)


def _vectors(plan: LoopPlan) -> Iterator[tuple[Weight, str]]:
    """Yield the vectors that the loops read, each with its width."""
    for loop in (plan.forward, plan.backward):
        yield from ((node.vector, node.width) for node in loop.graph.nodes if node.vector)

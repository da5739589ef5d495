"""What stands before and after the loop: products of x, gradients of weights and of x.

Each is one GEMM over the rows of all steps, torch's own. Legend: T steps, B rows, I input,
H hidden, N columns of a buffer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.cells import Cell, Place
from penstock.compiler.backends.memory import Buffers, empty
from penstock.compiler.ir.evaluate import evaluate
from penstock.compiler.ir.graph import BIASES, Hoisted, Origin, Stacked, StepInput, Weight
from penstock.compiler.ir.plan import (
    ADJOINTS,
    GRAD_X,
    LIFTED,
    Access,
    Buffer,
    BufferKind,
    LoopPlan,
    Operand,
    Slot,
    X,
)
from penstock.compiler.runtime.tiles import multiply, sum_products

Weights = Mapping[str, Tensor]


class Stacks:
    """Where in its parameter each weight of a graph stands."""

    def __init__(self, cell: Cell, place: Place) -> None:
        use = cell.usage(place)
        self.hidden_size = place.hidden_size
        self.gates: dict[str, tuple[str, ...]] = {
            Stacked.W: use.x_gates,
            Stacked.U: use.h_gates,
            Stacked.BIAS_X: cell.biased(use.x_gates),
            Stacked.BIAS_H: cell.biased(use.h_gates),
        }

    def number(self, weight: Weight) -> int:
        """Return how many gates stand before a weight's in its stack."""
        return self.gates[weight.parameter].index(weight.gate)

    def find(self, weight: Weight) -> tuple[int, int]:
        """Return a weight's first row in its parameter, and how many; 0 for all of them."""
        if not weight.gate:
            return 0, 0
        return self.number(weight) * self.hidden_size, self.hidden_size

    def piece(self, weights: Weights, weight: Weight) -> Tensor:
        """Return a weight as it is stored."""
        first, count = self.find(weight)
        whole = weights[weight.parameter]
        return whole[first : first + count] if count else whole


@dataclass(frozen=True)
class Total:
    """A vector's gradient: the rows of one column of a buffer, summed.

    own: whether no vector before it has the same. Two biases of a gate have one gradient, but no
    parameter another's memory.
    """

    name: Weight | int
    buffer: Buffer
    first: int
    last: int
    own: bool


class Products:
    """The products around the loops of a plan."""

    def __init__(
        self, stacks: Stacks, hoisted: Hoisted, plan: LoopPlan, sizes: Mapping[str, int]
    ) -> None:
        self.stacks, self.plan, self.sizes = stacks, plan, sizes
        self.hidden_size = stacks.hidden_size
        self.derived, self.derived_gradient = hoisted.derived, hoisted.derived_gradient
        self.vectors = [node.vector for node in self.derived.nodes if node.vector]
        self.columns = len(plan.lifted) * self.hidden_size
        self.biases = dict(_biases(hoisted, plan))
        self.last = None  # stack of biases, whose gradient may be the sums themselves
        if all(map(self._is_whole, self.biases)):
            self.last = next(reversed(self.biases), None)
        self.runs = tuple(self._runs())
        self.totals = tuple(self._totals())

    def derive(self, weights: Weights, buffers: Buffers) -> None:
        """Put what is made of vectors alone into its buffers."""
        if self.derived.outputs:
            for n, value in evaluate(self.derived, self._vectors(weights), self.sizes).items():
                width = self.derived.nodes[self.derived.outputs[n]].width
                buffers.put(Buffer(BufferKind.DERIVED, n, width), value.contiguous())

    def lift(self, weights: Weights, buffers: Buffers, T: int) -> None:
        """Put W x + b of the lifted gates, [T, B, N·H], into their buffer."""
        if not self.plan.lifted:
            return
        rows = buffers.rows(X, 0, T, 0, self.sizes[X.width])
        out, weight = buffers.rows(LIFTED, 0, T, 0, self.columns), self._lifted_weight(weights)
        parts = [self._bias(weights, stack) for stack in self.biases]
        multiply(rows, weight.t(), out, sum(parts[1:], parts[0]) if parts else None)

    def x_gradient(self, weights: Weights, buffers: Buffers, x: Tensor) -> Tensor:
        """Return the gradient of x, [T, B, I]."""
        gradient = buffers[GRAD_X] if GRAD_X in buffers else None  # noqa: SIM401 (no dict)
        if self.plan.lifted:
            adjoint = buffers.rows(ADJOINTS, 0, x.shape[0], 0, self.columns)
            product = empty(x, *x.shape)
            multiply(adjoint, self._lifted_weight(weights), product.view(-1, x.shape[-1]))
            gradient = product if gradient is None else gradient + product
        return torch.zeros_like(x) if gradient is None else gradient

    def weight_gradients(
        self, weights: Weights, buffers: Buffers, T: int, reset: Tensor | None, reverse: bool
    ) -> dict[str, Tensor]:
        """Return the gradients of all parameters that have one."""
        gradients: dict[str, Tensor] = {}

        def add(weight: Weight, part: Tensor) -> None:
            """Add to the rows of a parameter's gradient where a weight stands."""
            parameter, (first, _) = weight.parameter, self.stacks.find(weight)
            whole = weights[parameter]
            if parameter not in gradients and part.shape == whole.shape:
                gradients[parameter] = part
                return
            if parameter not in gradients:
                gradients[parameter] = torch.zeros_like(whole)
            gradients[parameter][first : first + part.shape[0]] += part

        for run in self.runs:
            add(run[0].weight, self._product(run, buffers, T, reset, reverse))
        given: dict[StepInput, Tensor] = {}
        for name, part in self._vector_gradients(buffers, T):
            if isinstance(name, Weight):
                add(name, part)  # a bias may come twice: of a product before the loop, and within
            else:
                given[StepInput(Origin.GRAD, name)] = part
        for name, part in self._derived_gradients(weights, given):
            add(name, part)
        return gradients

    def _vectors(self, weights: Weights) -> dict[StepInput, Tensor]:
        return {StepInput(Origin.VECTOR, v): self.stacks.piece(weights, v) for v in self.vectors}

    def _derived_gradients(
        self, weights: Weights, given: Mapping[StepInput, Tensor]
    ) -> Iterator[tuple[Weight, Tensor]]:
        """Yield the gradients of the vectors, given those of what is derived from them."""
        if self.vectors:
            inputs = {**self._vectors(weights), **given}
            found = evaluate(self.derived_gradient, inputs, self.sizes)
            for vector in self.vectors:
                leaf = StepInput(Origin.VECTOR, vector)
                yield vector, found[leaf].expand_as(inputs[leaf]).contiguous()

    def _lifted_weight(self, weights: Weights) -> Tensor:
        if len(self.plan.lifted) == len(self.stacks.gates[Stacked.W]):
            return weights[Stacked.W]
        return torch.cat(
            [self.stacks.piece(weights, Weight(Stacked.W, g)) for g in self.plan.lifted]
        )

    def _is_whole(self, stack: Stacked) -> bool:
        """Return whether the lifted products take in a whole stack of biases, row by row."""
        biases = self.biases[stack]
        return all(biases) and len(biases) == len(self.stacks.gates[stack])

    def _bias(self, weights: Weights, stack: Stacked) -> Tensor:
        if self._is_whole(stack):
            return weights[stack]
        zero = weights[stack].new_zeros(self.hidden_size)
        biases = self.biases[stack]
        return torch.cat([self.stacks.piece(weights, b) if b else zero for b in biases])

    def _runs(self) -> Iterator[list[Operand]]:
        """Yield the products after the loop, neighbours in both buffers as one.

        Of the LSTM's eight, W_i … W_o and U_i … U_o, two are left::

            adjoints [T·B, 4·H]ᵀ x [T·B, I] = gradient of weight_ih     and with h, of weight_hh
        """
        run: list[Operand] = []
        for operand in self.plan.operands:
            if run and self._continues(run[-1], operand):
                run.append(operand)
                continue
            if run:
                yield run
            run = [operand]
        if run:
            yield run

    def _continues(self, last: Operand, operand: Operand) -> bool:
        """Return whether a product's rows follow those of another, of its adjoint and weight."""
        before, weight = last.weight, operand.weight
        return (
            bool(before.gate and weight.gate)
            and before.parameter == weight.parameter
            and self.stacks.number(weight) == self.stacks.number(before) + 1
            and operand.value == last.value
            and operand.adjoint.buffer is last.adjoint.buffer
            and operand.adjoint.column == last.adjoint.column + 1
        )

    def _product(
        self, run: list[Operand], buffers: Buffers, T: int, reset: Tensor | None, reverse: bool
    ) -> Tensor:
        """Return Σ over steps and rows of adjointᵀ value, transposed where the weight was."""
        slot = run[0].adjoint
        W = self.sizes[slot.buffer.width]
        adjoint = buffers.rows(slot.buffer, 0, T, slot.column * W, len(run) * W)
        slot = run[0].value
        W = self.sizes[slot.buffer.width]
        later = Access.OLD if reverse else Access.NEW  # of the two, which begins at place 1
        value = buffers.rows(slot.buffer, int(slot.access is later), T, slot.column * W, W)
        if slot.access is Access.OLD and reset is not None:
            value = value.masked_fill(reset.reshape(-1, 1), 0)
        if run[0].weight.transposed:
            return sum_products(value, adjoint)
        return sum_products(adjoint, value)

    def _vector_gradients(self, buffers: Buffers, T: int) -> Iterator[tuple[Weight | int, Tensor]]:
        """Yield the gradients of biases, vectors, and what is derived from them."""
        if self.biases:
            sums = buffers.rows(ADJOINTS, 0, T, 0, self.columns).sum(0)
            for stack, biases in self.biases.items():
                if self._is_whole(stack):
                    assert biases[0]
                    yield biases[0], sums if stack is self.last else sums.clone()
                    continue
                parts = zip(biases, torch.split(sums, self.hidden_size), strict=True)
                yield from ((bias, part) for bias, part in parts if bias)
        summed = {buffer: buffers[buffer].sum(0) for buffer in {t.buffer for t in self.totals}}
        for total in self.totals:
            part = summed[total.buffer][total.first : total.last]
            yield total.name, part if total.own else part.clone()

    def _totals(self) -> Iterator[Total]:
        """Yield where the gradients of vectors are."""
        loop, taken = self.plan.backward, set[Slot]()
        for leaf, k in loop.graph.outputs.items():
            slot = next((s for s in loop.stores[k] if s.access is Access.TOTAL), None)
            if leaf.origin in (Origin.VECTOR, Origin.DERIVED) and slot is not None:
                W = self.sizes[slot.buffer.width]
                first = slot.column * W
                yield Total(leaf.name, slot.buffer, first, first + W, slot not in taken)
                taken.add(slot)


def _biases(
    hoisted: Hoisted, plan: LoopPlan
) -> Iterator[tuple[Stacked, tuple[Weight | None, ...]]]:
    """Yield for each stack of biases those of the lifted gates that are added before the loop."""
    for stack in BIASES:
        wanted = (Weight(stack, gate) for gate in plan.lifted)
        biases = tuple(b if b in hoisted.biases[b.gate] else None for b in wanted)
        if any(biases):
            yield stack, biases

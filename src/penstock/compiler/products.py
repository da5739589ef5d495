"""What stands before and after the loop: products of x, gradients of weights and of x.

Each is one GEMM over the rows of all steps, torch's own. Legend: T steps, B rows, I input,
H hidden, N columns of a buffer.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from penstock.cells import Cell, Place
from penstock.compiler.evaluate import evaluate
from penstock.compiler.graph import Hoisted, LoopPlan, Operand, Slot
from penstock.compiler.memory import Buffers, empty

Weights = Mapping[str, Tensor]


class Stacks:
    """In which parameter each weight and bias of a graph stands, and where."""

    def __init__(self, cell: Cell, place: Place) -> None:
        use = cell.usage(place)
        self.hidden_size = place.hidden_size
        stacks = {
            "W": ("weight_ih", use.x_gates),
            "U": ("weight_hh", use.h_gates),
            "bias_ih": ("bias_ih", cell.biased(use.x_gates)),
            "bias_hh": ("bias_hh", cell.biased(use.h_gates)),
        }
        self.places = {
            f"{k}.{g}": (s, n) for k, (s, gates) in stacks.items() for n, g in enumerate(gates)
        }
        self.counts = {stack: len(gates) for stack, gates in stacks.values()}

    def find(self, name: str) -> tuple[str, int, int]:
        """Return a weight's parameter, its first row there, and how many; 0 for all of them."""
        if name in self.places:
            stack, k = self.places[name]
            return stack, k * self.hidden_size, self.hidden_size
        return name if name.startswith("weight_") else f"weight_{name}", 0, 0

    def piece(self, weights: Weights, name: str) -> Tensor:
        """Return a weight or bias by its name in the graph."""
        stack, first, count = self.find(name)
        return weights[stack][first : first + count] if count else weights[stack]


class Products:
    """The products around the loops of a plan."""

    def __init__(
        self, stacks: Stacks, hoisted: Hoisted, plan: LoopPlan, sizes: Mapping[str, int]
    ) -> None:
        self.stacks, self.plan, self.sizes = stacks, plan, sizes
        self.hidden_size = stacks.hidden_size
        self.derived, self.derived_gradient = hoisted.derived, hoisted.derived_gradient
        self.columns = len(plan.lifted) * self.hidden_size
        self.biases = {
            kind: [n if n in hoisted.biases[g] else None for g, n in _names(kind, plan.lifted)]
            for kind in ("bias_ih", "bias_hh")
            if any(n in hoisted.biases[g] for g, n in _names(kind, plan.lifted))
        }
        widths = {**plan.forward.buffers, **plan.backward.buffers}
        self.widths = {name: sizes[width] for name, (width, _) in widths.items()}
        self.runs = tuple(self._runs())

    def derive(self, weights: Weights, buffers: Buffers) -> None:
        """Put what is made of vectors alone into its buffers."""
        if self.derived.outputs:
            for name, value in evaluate(self.derived, self._vectors(weights), self.sizes).items():
                buffers.put(f"vector.{name}", value.contiguous())

    def lift(self, weights: Weights, buffers: Buffers, T: int) -> None:
        """Put W x + b of the lifted gates, [T, B, N·H], into their buffer."""
        if not self.plan.lifted:
            return
        rows = buffers.rows("x", 0, T, 0, self.sizes["input_size"])
        out, weight = buffers.rows("lifted", 0, T, 0, self.columns), self._lifted_weight(weights)
        parts = [self._bias(weights, kind) for kind in self.biases]
        if parts:
            torch.addmm(sum(parts[1:], parts[0]), rows, weight.t(), out=out)
        else:
            torch.mm(rows, weight.t(), out=out)

    def x_gradient(self, weights: Weights, buffers: Buffers, T: int) -> Tensor:
        """Return the gradient of x, [T, B, I]."""
        x = buffers["x"]
        gradient = buffers["grad_x"] if "grad_x" in buffers else None  # noqa: SIM401 (no dict)
        if self.plan.lifted:
            adjoint = buffers.rows("adjoint.hidden_size", 0, T, 0, self.columns)
            product = empty(x, *x.shape)
            torch.mm(adjoint, self._lifted_weight(weights), out=product.view(-1, x.shape[-1]))
            gradient = product if gradient is None else gradient + product
        return torch.zeros_like(x) if gradient is None else gradient

    def weight_gradients(
        self, weights: Weights, buffers: Buffers, T: int, reset: Tensor | None, reverse: bool
    ) -> dict[str, Tensor]:
        """Return the gradients of all parameters that have one."""
        gradients: dict[str, Tensor] = {}

        def add(name: str, part: Tensor) -> None:
            """Add to the rows of a parameter's gradient where a weight stands."""
            stack, first, _ = self.stacks.find(name)
            whole = weights[stack]
            if stack not in gradients and part.shape == whole.shape:
                gradients[stack] = part
                return
            if stack not in gradients:
                gradients[stack] = torch.zeros_like(whole)
            gradients[stack][first : first + part.shape[0]] += part

        for run in self.runs:
            add(run[0].weight.name, self._product(run, buffers, T, reset, reverse))
        given: dict[str, Tensor] = {}
        for name, part in self._vector_gradients(buffers, T):
            if name in self.derived.outputs:
                given[name] = part
            else:  # a bias may come twice: of a product before the loop, and of one within it
                add(name, part)
        for name, part in self._derived_gradients(weights, given):
            add(name, part)
        return gradients

    def _vectors(self, weights: Weights) -> dict[str, Tensor]:
        names = [node.name for node in self.derived.nodes if node.op == "vector"]
        return {f"vector.{name}": self.stacks.piece(weights, name) for name in names}

    def _derived_gradients(
        self, weights: Weights, given: Mapping[str, Tensor]
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield the gradients of the vectors, given those of what is derived from them."""
        vectors = self._vectors(weights)
        inputs = vectors | {f"grad.{name}": gradient for name, gradient in given.items()}
        found = evaluate(self.derived_gradient, inputs, self.sizes) if vectors else {}
        for name, vector in vectors.items():
            yield name.removeprefix("vector."), found[name].expand_as(vector).contiguous()

    def _lifted_weight(self, weights: Weights) -> Tensor:
        if len(self.plan.lifted) == self.stacks.counts["weight_ih"]:
            return weights["weight_ih"]
        return torch.cat([self.stacks.piece(weights, f"W.{g}") for g in self.plan.lifted])

    def _is_whole(self, kind: str) -> bool:
        """Return whether the lifted products take in a whole stack of biases, row by row."""
        names = self.biases[kind]
        return all(names) and len(names) == self.stacks.counts[kind]

    def _bias(self, weights: Weights, kind: str) -> Tensor:
        if self._is_whole(kind):
            return weights[kind]
        zero = weights[kind].new_zeros(self.hidden_size)
        names = self.biases[kind]
        return torch.cat([self.stacks.piece(weights, n) if n else zero for n in names])

    def _runs(self) -> Iterator[list[Operand]]:
        """Yield the products after the loop, neighbours in both buffers as one."""
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
        stack, k = self.stacks.places.get(last.weight.name, ("", 0))
        return (
            self.stacks.places.get(operand.weight.name) == (stack, k + 1)
            and operand.value == last.value
            and operand.adjoint.buffer == last.adjoint.buffer
            and operand.adjoint.column == last.adjoint.column + 1
        )

    def _product(
        self, run: list[Operand], buffers: Buffers, T: int, reset: Tensor | None, reverse: bool
    ) -> Tensor:
        """Return Σ over steps and rows of adjointᵀ value, transposed where the weight was."""
        slot, W = run[0].adjoint, self.widths[run[0].adjoint.buffer]
        adjoint = buffers.rows(slot.buffer, 0, T, slot.column * W, len(run) * W)
        slot, W = run[0].value, self._width(run[0].value.buffer, buffers)
        later = "old" if reverse else "new"  # of the two, which begins at place 1
        value = buffers.rows(slot.buffer, int(slot.index == later), T, slot.column * W, W)
        if slot.index == "old" and reset is not None:
            value = value.masked_fill(reset.reshape(-1, 1), 0)
        return value.t() @ adjoint if run[0].weight.transposed else adjoint.t() @ value

    def _width(self, buffer: str, buffers: Buffers) -> int:
        return self.widths[buffer] if buffer in self.widths else buffers[buffer].shape[-1]

    def _vector_gradients(self, buffers: Buffers, T: int) -> Iterator[tuple[str, Tensor]]:
        """Yield the gradients of biases and vectors, by name."""
        if self.biases:
            sums = buffers.rows("adjoint.hidden_size", 0, T, 0, self.columns).sum(0)
            for kind, names in self.biases.items():
                if self._is_whole(kind):
                    yield str(names[0]), sums.clone()
                    continue
                parts = zip(names, torch.split(sums, self.hidden_size), strict=True)
                yield from ((name, part) for name, part in parts if name)
        loop = self.plan.backward
        if totals := {k: buffers[k].sum(0) for k in loop.buffers if k.startswith("total.")}:
            taken: set[Slot] = set()
            for name, k in loop.graph.outputs.items():
                if name.startswith("vector."):
                    slot = next(s for s in loop.stores[k] if s.index == "total")
                    W = self.widths[slot.buffer]
                    part = totals[slot.buffer][slot.column * W : (slot.column + 1) * W]
                    # two biases of a gate have one gradient, but no parameter another's memory
                    yield name.removeprefix("vector."), part.clone() if slot in taken else part
                    taken.add(slot)


def _names(kind: str, gates: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return each gate with the name of its bias of a kind."""
    return [(gate, f"{kind}.{gate}") for gate in gates]

"""A plan and its kernel as one differentiable function of a sweep's tensors.

Here stands what is not the loop: the products of x before it, the buffers, the gradients of
weights and inputs after it. Legend: T steps, B rows, I input, H hidden, S width of a state,
N columns of a buffer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from penstock.cells.base import Cell, Matrix, Place
from penstock.compiler.backends.base import Bound, Call, Kernel
from penstock.compiler.graph import Hoisted, Loop, LoopPlan, Operand, Slot
from penstock.compiler.memory import empty

Buffers = dict[str, Tensor]


@dataclass(frozen=True)
class Inputs:
    """What goes into a sweep, as `penstock.layers.equations.Sweep` has it."""

    weights: Mapping[str, Tensor]
    x: Tensor
    states: tuple[Tensor, ...]
    below: tuple[Tensor, ...]
    valid: Tensor | None
    reset: Tensor | None
    reverse: bool


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
        self, cell: Cell, place: Place, hoisted: Hoisted, plan: LoopPlan, kernel: Kernel
    ) -> None:
        self.cell, self.place, self.hoisted, self.plan = cell, place, hoisted, plan
        self.kernel = kernel
        use = cell.usage(place)
        self.sizes = {"hidden_size": place.hidden_size, "input_size": place.input_size, "1": 1}
        matrices = [d for d in cell.declared.values() if isinstance(d, Matrix)]
        widths = {*cell.widths.values(), *(w for m in matrices for w in (m.rows, m.columns))}
        self.sizes |= {width: int(getattr(cell, width)) for width in widths - {*self.sizes}}
        stacks = {
            "W": ("weight_ih", use.x_gates),
            "U": ("weight_hh", use.h_gates),
            "bias_ih": ("bias_ih", cell.biased(use.x_gates)),
            "bias_hh": ("bias_hh", cell.biased(use.h_gates)),
        }
        self.rows = {
            f"{k}.{g}": (s, n) for k, (s, gates) in stacks.items() for n, g in enumerate(gates)
        }
        self.whole = {stack: len(gates) for stack, gates in stacks.values()}
        nodes = (*plan.forward.graph.nodes, *plan.backward.graph.nodes)
        self.vectors = tuple(dict.fromkeys(n.name for n in nodes if n.op == "vector"))
        self.matrices = tuple(dict.fromkeys(w.name for n in nodes for w in n.weights))
        self.memory = {loop: self._memory(loop) for loop in (plan.forward, plan.backward)}
        self.runs = tuple(self._runs())
        read = {slot.buffer for slot in plan.backward.loads.values()}
        states = {f"state.{name}" for name in cell.states}
        self.kept = states | {b for b in read if b == "lifted" or b.startswith("saved.")}

    def forward(self, inputs: Inputs, keep: bool) -> Buffers:
        """Run the sweep; return the buffers, with the states [T+1, B, S] as ``state.<name>``.

        keep: save what `backward` needs.
        """
        T, B = inputs.x.shape[:2]
        buffers = self._inputs(inputs)
        for name, initial in zip(self.cell.states, inputs.states, strict=True):
            state = empty(inputs.x, T + 1, B, initial.shape[-1])
            state[T if inputs.reverse else 0] = initial
            buffers[f"state.{name}"] = state
        if self.plan.lifted:
            buffers["lifted"] = self._lift(inputs)
        buffers |= self._empty(self.plan.forward, inputs.x, T if keep else 1)
        self.kernel.forward(self._call(inputs, buffers, {}, keep))
        return {name: buffer for name, buffer in buffers.items() if name in self.kept}

    def bind(self, inputs: Inputs) -> Bound:
        """Return the loop over these very tensors; states are [T+1, B, S], and written to."""
        buffers = self._inputs(inputs) | self._empty(self.plan.forward, inputs.x, 1)
        for name, state in zip(self.cell.states, inputs.states, strict=True):
            buffers[f"state.{name}"] = state
        return self.kernel.bind(self._call(inputs, buffers, {}, keep=False))

    def backward(
        self,
        inputs: Inputs,
        kept: Buffers,
        sequences: Mapping[str, Tensor | None],
        finals: Mapping[str, Tensor | None],
        needs_x: bool,
    ) -> Gradients:
        """Return the gradients, given those of the states at every step and at the end.

        kept: what `forward` returned. sequences: [T, B, S], finals: [B, S], None for zero.
        """
        T, B = inputs.x.shape[:2]
        buffers = self._inputs(inputs) | kept
        buffers |= self._empty(self.plan.backward, inputs.x, T)
        incoming = {}
        for name in self.cell.states:
            carry = inputs.x.new_empty(2, B, kept[f"state.{name}"].shape[-1])
            final = finals[name]
            carry[0] = 0 if final is None else final
            buffers[f"grad.{name}"] = carry
            if (sequence := sequences[name]) is not None:
                incoming[f"grad.{name}"] = sequence.contiguous()
        self.kernel.backward(self._call(inputs, buffers, incoming, keep=True))
        return Gradients(
            self._weight_gradients(inputs, buffers),
            self._x_gradient(inputs, buffers) if needs_x else None,
            tuple(buffers[f"grad.{name}"][T % 2] for name in self.cell.states),
            tuple(
                buffers.get(f"grad_below.{name}", torch.zeros_like(below))
                for name, below in zip(self.cell.below, inputs.below, strict=False)
            ),
        )

    def _call(self, inputs: Inputs, buffers: Buffers, incoming: Buffers, keep: bool) -> Call:
        T, B = inputs.x.shape[:2]
        weights = {name: self._piece(inputs, name).contiguous() for name in self.matrices}
        masks = (inputs.valid, inputs.reset)
        valid, reset = (None if m is None else m.contiguous() for m in masks)
        return Call(
            buffers, weights, self.sizes, T, B, incoming, valid, reset, inputs.reverse, keep
        )

    def _inputs(self, inputs: Inputs) -> Buffers:
        """Return the tensors of a sweep under the names that the plan has for them."""
        buffers = {"x": inputs.x.contiguous()}
        for name, below in zip(self.cell.below, inputs.below, strict=False):
            buffers[f"below.{name}"] = below.contiguous()
        for name in self.vectors:
            buffers[f"vector.{name}"] = self._piece(inputs, name).contiguous()
        return buffers

    def _memory(self, loop: Loop) -> list[tuple[str, str, int]]:
        """Return the name, kind and width of what a loop writes, but for states and carries."""
        sizes = {name: n * self.sizes[width] for name, (width, n) in loop.buffers.items()}
        kinds = ((name, name.partition(".")[0], size) for name, size in sizes.items())
        return [memory for memory in kinds if memory[1] not in ("state", "grad")]

    def _empty(self, loop: Loop, like: Tensor, T: int) -> Buffers:
        """Return new memory for what a loop writes, but for states and carries."""
        B, buffers = like.shape[1], {}
        for name, kind, size in self.memory[loop]:
            if kind == "lifted":
                continue  # made before the loop
            if kind == "total":
                buffers[name] = like.new_zeros(B, size)
            else:
                shape = (B, size) if kind == "scratch" else (T, B, size)
                buffers[name] = empty(like, *shape)
        return buffers

    def _piece(self, inputs: Inputs, name: str) -> Tensor:
        """Return a weight or bias by its name in the graph."""
        if name not in self.rows:
            return inputs.weights[name if name.startswith("weight_") else f"weight_{name}"]
        stack, k = self.rows[name]
        H = self.place.hidden_size
        return inputs.weights[stack][k * H : (k + 1) * H]

    def _lifted_weight(self, inputs: Inputs) -> Tensor:
        if len(self.plan.lifted) == self.whole["weight_ih"]:
            return inputs.weights["weight_ih"]
        return torch.cat([self._piece(inputs, f"W.{g}") for g in self.plan.lifted])

    def _lifts_all_of(self, kind: str) -> bool:
        """Return whether the lifted products take in a whole stack of biases, row by row."""
        lifted, biases = self.plan.lifted, self.hoisted.biases
        return len(lifted) == self.whole[kind] and all(f"{kind}.{g}" in biases[g] for g in lifted)

    def _lift(self, inputs: Inputs) -> Tensor:
        """Return W x + b of the lifted gates, [T, B, N·H]."""
        H, x = self.place.hidden_size, inputs.x
        weight = self._lifted_weight(inputs)
        bias = None
        for kind in ("bias_ih", "bias_hh"):
            names = [f"{kind}.{g}" for g in self.plan.lifted]
            own = [n if n in self.hoisted.biases[n.split(".", 1)[1]] else None for n in names]
            if not any(own):
                continue
            if self._lifts_all_of(kind):
                part = inputs.weights[kind]
            else:
                zero = x.new_zeros(H)
                part = torch.cat([self._piece(inputs, n) if n else zero for n in own])
            bias = part if bias is None else bias + part
        lifted = empty(x, *x.shape[:2], len(weight))
        flat, rows = lifted.flatten(0, 1), x.flatten(0, 1)
        if bias is None:
            torch.mm(rows, weight.T, out=flat)
        else:
            torch.addmm(bias, rows, weight.T, out=flat)
        return lifted

    def _x_gradient(self, inputs: Inputs, buffers: Buffers) -> Tensor:
        gradient = buffers.get("grad_x")
        if self.plan.lifted:
            adjoint = buffers["adjoint.hidden_size"].flatten(0, 1)
            columns = len(self.plan.lifted) * self.place.hidden_size
            product = empty(inputs.x, *inputs.x.shape)
            weight = self._lifted_weight(inputs)
            torch.mm(adjoint[:, :columns], weight, out=product.flatten(0, 1))
            gradient = product if gradient is None else gradient + product
        return torch.zeros_like(inputs.x) if gradient is None else gradient

    def _weight_gradients(self, inputs: Inputs, buffers: Buffers) -> dict[str, Tensor]:
        gradients: dict[str, Tensor] = {}

        def add(stack: str, first: int, part: Tensor) -> None:
            """Add to the rows of a parameter's gradient, from row `first` on."""
            whole = inputs.weights[stack]
            if stack not in gradients and len(part) == len(whole):
                gradients[stack] = part
                return
            if stack not in gradients:
                gradients[stack] = torch.zeros_like(whole)
            gradients[stack][first : first + len(part)] += part

        for run in self.runs:
            stack, first = self._place(run[0].weight)
            add(stack, first, self._product(run, inputs, buffers))
        for name, first, part in self._vector_gradients(buffers):
            add(name, first, part)
        return gradients

    def _place(self, name: str) -> tuple[str, int]:
        """Return the parameter in which a weight or bias stands, and its first row there."""
        if name in self.rows:
            stack, k = self.rows[name]
            return stack, k * self.place.hidden_size
        return name if name.startswith("weight_") else f"weight_{name}", 0

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
        (stack, k), (next_stack, n) = (
            self.rows.get(last.weight, ("", 0)),
            self.rows.get(operand.weight, ("", -1)),
        )
        return (
            (next_stack, n) == (stack, k + 1)
            and operand.value == last.value
            and operand.adjoint.buffer == last.adjoint.buffer
            and operand.adjoint.column == last.adjoint.column + 1
        )

    def _product(self, run: list[Operand], inputs: Inputs, buffers: Buffers) -> Tensor:
        """Return Σ over steps and rows of adjointᵀ value."""
        adjoint = self._columns(buffers, run[0].adjoint, len(run))
        slot = run[0].value
        value = self._columns(buffers, slot, 1)
        if slot.index in ("old", "new"):
            before = (slot.index == "old") != inputs.reverse
            value = value[:-1] if before else value[1:]
        if slot.index == "old" and inputs.reset is not None:
            value = value.masked_fill(inputs.reset[..., None], 0)
        return adjoint.flatten(0, 1).T @ value.flatten(0, 1)

    def _columns(self, buffers: Buffers, slot: Slot, n: int) -> Tensor:
        buffer = buffers[slot.buffer]
        known = {**self.plan.forward.buffers, **self.plan.backward.buffers}
        width, _ = known.get(slot.buffer, ("", 1))
        W = self.sizes[width] if width else buffer.shape[-1]
        return buffer[..., slot.column * W : (slot.column + n) * W]

    def _vector_gradients(self, buffers: Buffers) -> Iterator[tuple[str, int, Tensor]]:
        """Yield the gradients of biases and vectors: parameter, first row, part."""
        H, lifted = self.place.hidden_size, self.plan.lifted
        if any(self.hoisted.biases.values()):
            sums = buffers["adjoint.hidden_size"].flatten(0, 1)[:, : len(lifted) * H].sum(0)
            for kind in ("bias_ih", "bias_hh"):
                if self._lifts_all_of(kind):
                    yield kind, 0, sums.clone()
                    continue
                for g, part in zip(lifted, torch.split(sums, H), strict=True):
                    if f"{kind}.{g}" in self.hoisted.biases[g]:
                        yield *self._place(f"{kind}.{g}"), part
        loop = self.plan.backward
        if totals := {k: t.sum(0) for k, t in buffers.items() if k.startswith("total.")}:
            for name, k in loop.graph.outputs.items():
                if name.startswith("vector."):
                    slot = next(s for s in loop.stores[k] if s.index == "total")
                    part = totals[slot.buffer][slot.column * H : (slot.column + 1) * H]
                    yield *self._place(name.removeprefix("vector.")), part

"""The plan interpreted in torch: slow, and the definition of what every backend computes."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.compiler.backends.base import Build, Call, Step, steps
from penstock.compiler.graph import Loop, LoopPlan, Slot, Weight
from penstock.compiler.ops import OPS

name = "interpreter"
needs_compiler = False


def prepare(plan: LoopPlan, dtype: str, build: Build) -> "Interpreter":  # noqa: ARG001
    """Return the plan's interpreter; torch knows the type, and there is nothing to build."""
    return Interpreter(plan)


class Interpreter:
    """Walks a plan's loops, stage by stage."""

    def __init__(self, plan: LoopPlan) -> None:
        self.plan = plan

    def forward(self, call: Call) -> None:
        """Walk the forward loop."""
        for step in steps(call.T, call.reverse, backward=False):
            _walk(self.plan.forward, call, step)

    def bind(self, call: Call) -> "BoundCall":
        """Return the forward loop with its arguments in place."""
        return BoundCall(self, call)

    def backward(self, call: Call) -> None:
        """Walk the backward loop."""
        for step in steps(call.T, call.reverse, backward=True):
            for carry, incoming in call.incoming.items():
                call.buffers[carry][step.source] += incoming[step.t]
            _walk(self.plan.backward, call, step)


class BoundCall:
    """A forward loop with its arguments in place."""

    def __init__(self, interpreter: Interpreter, call: Call) -> None:
        self.interpreter, self.call = interpreter, call

    def walk(self) -> None:
        """Walk the steps."""
        self.interpreter.forward(self.call)

    def read(self, x: Tensor) -> None:
        """Take another input of the same shape."""
        self.call.buffers.put("x", x[None])


def _walk(loop: Loop, call: Call, step: Step) -> None:
    memory = _Memory(loop, call, step)
    nodes = loop.graph.nodes
    for stage in loop.stages:
        values: dict[int, Tensor] = {}
        for k in (n for group in stage.groups for n in group.nodes):
            terms = zip(nodes[k].weights, nodes[k].args, strict=True)
            products = [linear(memory.read(a), _matrix(call, w)) for w, a in terms]
            values[k] = sum(products[1:], products[0])
        for k in stage.body:
            args = [values[a] if a in values else memory.read(a) for a in nodes[k].args]
            # An input is copied, for its place may be written before it is put elsewhere.
            new = memory.read(k).clone() if nodes[k].is_input else OPS[nodes[k].op].torch(*args)
            values[k] = new
            if nodes[k].op == "expand":
                values[k] = values[k].expand(call.B, call.sizes[nodes[k].width])
        for k, value in values.items():
            for slot in loop.stores.get(k, ()):
                memory.write(slot, value, nodes[k].width)


class _Memory:
    """A loop's buffers as one step sees them."""

    def __init__(self, loop: Loop, call: Call, step: Step) -> None:
        self.loop, self.call, self.step = loop, call, step
        masks = (call.valid, call.reset)
        self.valid, self.reset = (None if m is None else m[step.t, :, None] for m in masks)

    def read(self, k: int) -> Tensor:
        """Return the value of an input, or of what another stage put in memory, [B, W]."""
        node = self.loop.graph.nodes[k]
        if node.op in ("const", "features"):
            number = node.value if node.op == "const" else self.call.sizes[node.name]
            return self.call.like.new_tensor(number)
        slot = self.loop.loads[k]
        value = self.at(slot, node.width)
        if slot.index == "old" and self.reset is not None:
            return value.masked_fill(self.reset, 0)
        return value

    def write(self, slot: Slot, value: Tensor, width: str) -> None:
        """Put a value in its place, as the slot's index says for rows past their end."""
        place = self.at(slot, width)
        if slot.index == "total":
            place += value if self.valid is None else value * self.valid
            return
        if self.valid is not None and slot.index in ("new", "to", "adjoint"):
            value = torch.where(self.valid, value, self._past_end(slot, width))
        if slot.index == "to" and self.reset is not None:
            value = value.expand_as(place).masked_fill(self.reset, 0)
        place.copy_(value)

    def _past_end(self, slot: Slot, width: str) -> Tensor:
        if slot.index == "adjoint":
            return self.at(slot, width).new_zeros(())
        before = self.at(replace(slot, index={"new": "old", "to": "from"}[slot.index]), width)
        if slot.index == "new" and self.reset is not None:
            return before.masked_fill(self.reset, 0)
        return before

    def at(self, slot: Slot, width: str) -> Tensor:
        """Return the place of a slot at this step, [B, W]."""
        W, buffer, step = self.call.sizes[width], self.call.buffers[slot.buffer], self.step
        columns = slice(slot.column * W, (slot.column + 1) * W)
        if slot.index in ("row", "total", "vector"):
            return buffer[..., columns]
        places = {"old": step.old, "new": step.new, "from": step.source, "to": step.target}
        return buffer[places.get(slot.index, min(step.t, len(buffer) - 1)), :, columns]


def _matrix(call: Call, weight: Weight) -> Tensor:
    matrix = call.buffers[f"matrix.{weight.name}"]
    return matrix.T if weight.transposed else matrix

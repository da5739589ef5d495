"""The plan interpreted in torch: slow, and the definition of what every backend computes."""

import torch
from torch import Tensor
from torch.nn.functional import linear

from penstock.compiler.backends.base import Build, Call, Moment, moments
from penstock.compiler.backends.memory import dense
from penstock.compiler.ir.graph import NUMBERS, Origin, Weight
from penstock.compiler.ir.ops import OPS
from penstock.compiler.ir.plan import (
    Access,
    At,
    BufferKind,
    Loop,
    LoopPlan,
    PastEnd,
    Slot,
    Steps,
    X,
    matrix,
)

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
        for moment in moments(call.T, call.reverse, backward=False):
            _walk(self.plan.forward, call, moment)

    def bind(self, call: Call) -> "BoundCall":
        """Return the forward loop with its arguments in place."""
        return BoundCall(self, call)

    def backward(self, call: Call) -> None:
        """Walk the backward loop."""
        for moment in moments(call.T, call.reverse, backward=True):
            for carry, incoming in call.incoming.items():
                call.buffers[carry][moment.at[At.SOURCE]] += incoming[moment.t]
            _walk(self.plan.backward, call, moment)


class BoundCall:
    """A forward loop with its arguments in place."""

    def __init__(self, interpreter: Interpreter, call: Call) -> None:
        self.interpreter, self.call = interpreter, call

    def walk(self) -> None:
        """Walk the steps."""
        self.interpreter.forward(self.call)

    def feed(self, x: Tensor) -> None:
        """Walk the steps over another input of the same shape."""
        like = self.call.like
        self.call.buffers.put(X, dense("x", x, like.dtype, like.shape[1:])[None])
        self.walk()


def _walk(loop: Loop, call: Call, moment: Moment) -> None:
    memory = _StepView(loop, call, moment)
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


class _StepView:
    """A loop's buffers as one step sees them."""

    def __init__(self, loop: Loop, call: Call, moment: Moment) -> None:
        self.loop, self.call, self.moment = loop, call, moment
        now = (None if s is None else s[moment.t, :, None] for s in (call.valid, call.reset))
        self.valid, self.reset = now

    def read(self, k: int) -> Tensor:
        """Return the value of an input, or of what another stage put in memory, [B, W]."""
        node = self.loop.graph.nodes[k]
        if node.op in NUMBERS:
            is_constant = node.op == Origin.CONST
            number = node.value if is_constant else self.call.sizes[str(node.name)]
            return self.call.like.new_tensor(number)
        return self.read_slot(self.loop.loads[k], node.width)

    def read_slot(self, slot: Slot, width: str) -> Tensor:
        """Return what lies in a slot; the state before a reset is 0."""
        value = self.at(slot, width)
        if slot.access is Access.OLD and self.reset is not None:
            return value.masked_fill(self.reset, 0)
        return value

    def write(self, slot: Slot, value: Tensor, width: str) -> None:
        """Put a value in its place, as the slot's access says for rows past their end."""
        place, past_end = self.at(slot, width), slot.access.past_end
        if past_end is PastEnd.NO_MORE:
            place += value if self.valid is None else value * self.valid
            return
        if self.valid is not None and past_end is PastEnd.ZERO:
            value = torch.where(self.valid, value, value.new_zeros(()))
        elif self.valid is not None and past_end is PastEnd.UNCHANGED:
            before = Slot(slot.buffer, slot.access.before, slot.column)
            value = torch.where(self.valid, value, self.read_slot(before, width))
        if slot.access.is_cut and self.reset is not None:
            value = value.expand_as(place).masked_fill(self.reset, 0)
        place.copy_(value)

    def at(self, slot: Slot, width: str) -> Tensor:
        """Return the place of a slot at this step, [B, W]."""
        W, buffer = self.call.sizes[width], self.call.buffers[slot.buffer]
        columns = slice(slot.column * W, (slot.column + 1) * W)
        if slot.access.at in (At.ROW, At.ALL):
            return buffer[..., columns]
        step = self.moment.at[slot.access.at]
        if slot.buffer.kind.steps is Steps.IF_KEPT:
            step = min(step, len(buffer) - 1)
        if slot.buffer.kind is BufferKind.STATE:
            step %= len(buffer)  # of two places where not every step is kept
        return buffer[step, :, columns]


def _matrix(call: Call, weight: Weight) -> Tensor:
    stored = call.buffers[matrix(weight)]
    return stored.T if weight.transposed else stored

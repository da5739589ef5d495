"""Compiled loops, and what they are called with."""

import ctypes
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from penstock.compiler.backends.base import Build, Call
from penstock.compiler.backends.c import step_input, threads
from penstock.compiler.backends.c.source import LoopSource, source
from penstock.compiler.backends.memory import dense, workspace
from penstock.compiler.ir.flops import flops
from penstock.compiler.ir.plan import LoopPlan
from penstock.errors import BackendError


def prepare(plan: LoopPlan, dtype: str, build: Build) -> "CKernel":
    """Return the compiled plan.

    Raises:
        BackendError: the compiler fails, or there is no kernel for the dtype.
    """
    if dtype not in ("float32", "float64"):
        raise BackendError(f"the backend 'c' computes in float32 or float64, not in {dtype}")
    return CKernel(plan, build(source(plan, dtype)))


class CKernel:
    """A compiled plan."""

    def __init__(self, plan: LoopPlan, library: ctypes.CDLL) -> None:
        self._forward = CLoop(LoopSource("forward", plan.forward), library)
        backward = LoopSource("backward", plan.backward)
        self._backward = CLoop(backward, library) if plan.backward.stages else None

    def forward(self, call: Call) -> None:
        """Walk the forward loop."""
        self._forward.run(call)

    def bind(self, call: Call) -> "BoundLoop":
        """Return the forward loop with its arguments in place, and the weights as they are now."""
        arguments, held = self._forward.bind(call)
        arguments[STEPS] = 0
        bound = BoundLoop(self._forward, arguments, call.like[0], (call, held))  # walks no step yet
        bound.walk()  # nor here, but lays the weights out
        arguments[STEPS], arguments[PACK] = call.T, 0
        return bound

    def backward(self, call: Call) -> None:
        """Walk the backward loop."""
        assert self._backward is not None, "a plan without a gradient"
        self._backward.run(call)


STEPS, PACK = 0, 7  # places among the arguments


class BoundLoop:
    """A compiled loop with all its arguments: calling it walks the steps.

    like: what steps are fed, [B, I]. held: what must not go while its address is here.
    """

    def __init__(self, loop: "CLoop", arguments: Any, like: Tensor, held: Any) -> None:
        self._arguments, self._x_at, self._like, self._held = arguments, loop.x_at, like, held
        self.walk: Callable[[], None] = partial(loop.entry, ctypes.byref(arguments))
        self._feed = step_input.feeder(loop.library, loop.entry, arguments, loop.x_at, like)

    def feed(self, x: Tensor) -> None:
        """Walk the steps over another input of the same shape."""
        if self._feed is None or not self._feed(x):
            whole = dense("x", x, self._like.dtype, self._like.shape)
            self._arguments[self._x_at] = whole.data_ptr()
            self.walk()


class CLoop:
    """One compiled loop."""

    def __init__(self, written: LoopSource, library: ctypes.CDLL) -> None:
        self.library = library
        self.entry = _function(library, written.name)
        self.size = _function(library, f"{written.name}_size")
        self.entry.restype, self.size.restype = None, ctypes.c_int64
        self.buffers, self.carries, self.matrices = written.tensors()
        self.widths = written.widths()
        self.loop, self.stages = written.loop, len(written.runs)
        self.arguments = ctypes.c_int64 * len(list(written.fields()))
        self.packed_at = len(self.arguments()) - 1 - written.count_terms()
        names = [name for _, name, _ in written.fields()]
        self.x_at = names.index("x") if "x" in names else PACK
        self.packed_size, self.flops, self.widest = 0, 0, 0

    def run(self, call: Call) -> None:
        """Walk all steps."""
        if call.T * call.B:
            arguments = self.fill(call)
            packed = workspace(call.like, self.packed_size, "packed")
            arguments[self.packed_at] = packed.data_ptr()
            self.entry(arguments)

    def bind(self, call: Call) -> tuple[Any, Tensor]:
        """Return the loop's arguments, and memory of its own, to be held as long as they."""
        arguments = self.fill(call)
        packed = call.like.new_empty(self.packed_size)
        arguments[self.packed_at] = packed.data_ptr()
        return arguments, packed

    def fill(self, call: Call) -> "ctypes.Array[ctypes.c_int64]":
        """Return the arguments, but for the place of the packed weights."""
        if not self.widest:  # sizes do not change in a kernel's life
            self._measure(call.sizes)
        pool = threads.pool()
        team, by_columns = self._share(call, torch.get_num_threads() if pool else 1)
        address = call.buffers.address
        incoming = (call.incoming.get(carry) for carry in self.carries)
        # In the order of LoopSource.fields.
        arguments = self.arguments(
            call.T, call.B, call.reverse, call.keep, -1 if call.every else 1,
            by_columns, team, 1, 0,
            *(call.sizes[width] for width in self.widths),
            *(pool or (0, 0, 0)),
            *(0 if s is None else s.data_ptr() for s in (call.valid, call.reset)),
            *map(address, self.buffers),
            _zeros(self.widest, call.like.dtype).data_ptr(),
            *(0 if tensor is None else tensor.data_ptr() for tensor in incoming),
            *map(address, self.matrices),
        )  # fmt: skip
        if not self.packed_size:
            self.packed_size = self.size(arguments)
        return arguments

    def _measure(self, sizes: Mapping[str, int]) -> None:
        """Note the widest row, and the work that a step is for each row."""
        self.widest = max(sizes.values())
        nodes = (k for stage in self.loop.stages for k in stage.nodes)
        products, elementwise = flops(self.loop.graph, nodes, sizes.__getitem__)
        self.flops = products + 4 * elementwise  # they come to about 4 instructions each

    def _share(self, call: Call, available: int) -> tuple[int, bool]:
        """Return how many threads share the work, and whether they share columns, not rows.

        Threads that share rows never wait for each other. Where rows are too few to fill their
        tiles, columns are shared, and the team meets after every stage.
        """
        work = call.B * self.flops
        if work * call.T < 1_000_000:  # less than starting a team costs
            return 1, False
        if 4 * available <= call.B:
            return available, False
        return (available, True) if work > 60_000 + 10_000 * self.stages else (1, False)


def _function(library: ctypes.CDLL, name: str) -> Any:
    try:
        return library[name]
    except AttributeError as error:  # what was made is a library, but of something else
        raise BackendError(f"the compiler made no kernel ({error})") from error


@cache
def _zeros(size: int, dtype: torch.dtype) -> Tensor:
    """Return what a row reads where its state was set to zero."""
    return torch.zeros(size, dtype=dtype)

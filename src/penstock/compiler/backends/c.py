"""The plan as a compiled kernel on the CPU."""

import ctypes
from functools import cache

import torch
from torch import Tensor

from penstock.compiler.backends import threads
from penstock.compiler.backends.base import Build, Call
from penstock.compiler.backends.c_source import LoopSource, source
from penstock.compiler.graph import LoopPlan

name = "c"
needs_compiler = True


def prepare(plan: LoopPlan, dtype: str, build: Build) -> "CKernel":
    """Return the compiled plan.

    Raises:
        BackendError: the compiler fails.
    """
    return CKernel(plan, build(source(plan, dtype)))


class CKernel:
    """A compiled plan."""

    def __init__(self, plan: LoopPlan, library: ctypes.CDLL) -> None:
        self._forward = CLoop(LoopSource("forward", plan.forward, plan), library)
        self._backward = CLoop(LoopSource("backward", plan.backward, plan), library)

    def forward(self, call: Call) -> None:
        """Walk the forward loop."""
        self._forward.run(call)

    def backward(self, call: Call) -> None:
        """Walk the backward loop."""
        self._backward.run(call)


class CLoop:
    """One compiled loop."""

    def __init__(self, written: LoopSource, library: ctypes.CDLL) -> None:
        self.entry, self.size = library[written.name], library[f"{written.name}_size"]
        self.size.restype = ctypes.c_int64
        self.buffers, self.carries, self.matrices = written.tensors()
        self.widths = written.widths()
        self.products = written.products_of_widths()
        self.arguments = ctypes.c_int64 * len(list(written.fields()))
        self.packed_at = len(self.arguments()) - 1 - written.count_terms()
        self.packed_size = 0

    def run(self, call: Call) -> None:
        """Walk all steps."""
        if not call.T * call.B:
            return
        pool = threads.pool()
        team, by_columns = self._share(call, torch.get_num_threads() if pool else 1)
        x, buffers = call.buffers["x"], call.buffers
        keep = any(len(b) > 1 for n, b in buffers.items() if n.startswith("saved."))
        incoming = [call.incoming.get(carry) for carry in self.carries]
        tensors = [
            *(buffers[name] for name in self.buffers),
            _zeros(max(call.sizes.values()), x.dtype),
            *incoming,
            *(call.weights[name] for name in self.matrices),
        ]
        masks = (call.valid, call.reset)
        # In the order of LoopSource.fields.
        arguments = self.arguments(
            call.T, call.B, call.reverse, keep, by_columns, team, 1, 0,
            *(call.sizes[width] for width in self.widths),
            *(pool or (0, 0, 0)),
            *(0 if tensor is None else tensor.data_ptr() for tensor in (*masks, *tensors)),
        )  # fmt: skip
        if not self.packed_size:  # sizes do not change in a kernel's life
            self.packed_size = self.size(arguments)
        packed = x.new_empty(self.packed_size)
        arguments[self.packed_at] = packed.data_ptr()
        self.entry(arguments)

    def _share(self, call: Call, available: int) -> tuple[int, bool]:
        """Return how many threads share the work, and whether they share columns, not rows.

        Threads that share rows never wait for each other. Where rows are too few to fill their
        tiles, columns are shared, and the team meets after every stage.
        """
        multiplied = sum(call.sizes[w] * call.sizes[k] for w, k in self.products)
        flops = 2 * call.B * multiplied
        if 4 * available <= call.B:
            return (available if flops * call.T > 200_000 else 1), False
        return (available, True) if flops > 100_000 else (1, False)


@cache
def _zeros(size: int, dtype: torch.dtype) -> Tensor:
    """Return what a row reads where its state was set to zero."""
    return torch.zeros(size, dtype=dtype)

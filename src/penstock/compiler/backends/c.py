"""The plan as a compiled kernel on the CPU."""

import ctypes
from functools import cache

import torch
from torch import Tensor

from penstock.compiler import build, threads
from penstock.compiler.backends.base import Call
from penstock.compiler.backends.c_source import LoopSource, c_name, source
from penstock.compiler.plan import LoopPlan

name = "c"


def why_not() -> str | None:
    """Return why nothing can be compiled here, None where it can."""
    return None if build.compiler() else build.NO_COMPILER


def prepare(plan: LoopPlan, dtype: str) -> "CKernel":
    """Compile a plan, or take it from the cache.

    Raises:
        BackendError: the compiler fails.
    """
    return CKernel(plan, build.library(source(plan, dtype)))


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
        self.names = [field for _, field, _ in written.fields()]
        self.arguments = ctypes.c_int64 * len(self.names)
        self.products = written.products_of_widths()

    def run(self, call: Call) -> None:
        """Walk all steps."""
        if not call.T * call.B:
            return
        pool = threads.pool()
        team, by_columns = self._share(call, torch.get_num_threads() if pool else 1)
        tensors = {c_name(n): b for n, b in call.buffers.items()}
        tensors |= {f"incoming_{c_name(n)}": b for n, b in call.incoming.items()}
        tensors |= {f"matrix_{c_name(n)}": w for n, w in call.weights.items()}
        tensors["zeros"] = _zeros(max(call.sizes.values()), call.buffers["x"].dtype)
        if call.valid is not None:
            tensors["valid"] = call.valid
        if call.reset is not None:
            tensors["reset"] = call.reset
        values = {field: tensor.data_ptr() for field, tensor in tensors.items()}
        kept = (len(b) > 1 for n, b in call.buffers.items() if n.startswith("saved."))
        values |= {
            "T": call.T, "B": call.B, "reverse": call.reverse, "keep": any(kept),
            "by_columns": by_columns, "threads": team, "pack": 1, **call.sizes,
        }  # fmt: skip
        values |= zip(("parallel", "thread", "team"), pool or (0, 0, 0), strict=True)
        arguments = self.arguments(*(values.get(field, 0) for field in self.names))
        packed = call.buffers["x"].new_empty(self.size(arguments))
        arguments[self.names.index("packed")] = packed.data_ptr()
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

"""Memory for the buffers of a call: pieces of a few large blocks.

Making a tensor costs microseconds, and fresh memory a page fault for every 4 KiB that is touched,
which for a sweep can be more than half of its time, and two threads that fault at once wait for
each other. So buffers lie side by side in one block, a tensor is made only of those that torch
itself works on, large blocks lie on huge pages, where the system has them (one fault for every
2 MiB), and what a call does not hand on lies in a workspace that the thread keeps.
"""

import ctypes
import math
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

import torch
from torch import Tensor

from penstock.compiler.ir.plan import Buffer
from penstock.errors import ArgumentError

_HUGE = 1 << 21
_ADVICE = 14  # MADV_HUGEPAGE
_MOST = 32 << 20  # bytes of workspace that a thread keeps at most
_ALIGNED = 16  # numbers: a cache line of float32
_STRIDED = torch.strided
_madvise = ctypes.CDLL(None).madvise if sys.platform == "linux" else None

Shape = tuple[int, ...]


@dataclass(frozen=True)
class BlockMap:
    """Where buffers lie in a block: for each its offset, in numbers, and its shape."""

    places: Mapping[Buffer, tuple[int, Shape]]
    size: int


def lay_out(shapes: Mapping[Buffer, Shape]) -> BlockMap:
    """Return a map of buffers side by side, each at the beginning of a cache line."""
    places, size = {}, 0
    for buffer, shape in shapes.items():
        places[buffer] = size, shape
        size += -(-math.prod(shape) // _ALIGNED) * _ALIGNED
    return BlockMap(places, size)


def check(name: str, tensor: Tensor, dtype: torch.dtype, shape: Shape) -> None:
    """Raise unless a tensor's numbers lie in the CPU's memory, and are those that are expected.

    Raises:
        ArgumentError: it has another dtype, shape, device or layout, or too little memory.
    """
    if (
        tensor.dtype is not dtype
        or tensor.shape != shape
        or not tensor.is_cpu
        or tensor.layout is not _STRIDED
    ):
        raise ArgumentError(
            f"{name} is {tensor.dtype} of shape {list(tensor.shape)}, {tensor.layout} on "
            f"{tensor.device}; it must be {dtype} of shape {list(shape)}, {_STRIDED} on cpu"
        )
    if not (tensor.data_ptr() or 0 in shape):
        missing(name)
    last = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    needed = (tensor.storage_offset() + last + 1) * tensor.element_size()
    if tensor.numel() and tensor.untyped_storage().nbytes() < needed:
        raise ArgumentError(
            f"{name} of shape {list(tensor.shape)} lies in {tensor.untyped_storage().nbytes()} "
            f"bytes, and needs {needed}; something has made its storage smaller"
        )


def missing(name: str) -> NoReturn:
    """Raise for a tensor without memory, such as a fake one."""
    raise ArgumentError(f"{name} has no memory of its own; give a tensor with numbers in it")


def dense(name: str, tensor: Tensor, dtype: torch.dtype, shape: Shape) -> Tensor:
    """Return a tensor as a kernel reads it, row after row, from its address on.

    The gate: whatever comes from outside passes here before its address goes to a kernel, for a
    kernel believes what it is told. Raises as `check`.
    """
    if (  # each question takes some 40 ns, and a small layer's call asks of twenty tensors
        tensor.dtype is dtype
        and tensor.shape == shape
        and tensor.is_cpu
        and tensor.layout is _STRIDED
        and tensor.is_contiguous()
        and not tensor.is_neg()
        and tensor.data_ptr()
        and tensor.untyped_storage().nbytes()
        >= tensor.nbytes + tensor.storage_offset() * dtype.itemsize
        > 0
    ):
        return tensor
    check(name, tensor, dtype, shape)
    return tensor.resolve_neg().contiguous()


class Buffers:
    """The tensors, and pieces of blocks, that a call works on.

    Legend: T steps, B rows, N columns of a buffer.
    """

    def __init__(self) -> None:
        self._pieces: dict[Buffer, tuple[Tensor, int, Shape]] = {}

    def __contains__(self, buffer: Buffer) -> bool:
        return buffer in self._pieces

    def __getitem__(self, buffer: Buffer) -> Tensor:
        block, offset, shape = self._pieces[buffer]
        strides = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
        return block.as_strided(shape, strides, block.storage_offset() + offset)

    def put(self, buffer: Buffer, tensor: Tensor) -> None:
        """Add a contiguous tensor."""
        self._pieces[buffer] = tensor, 0, tensor.shape

    def lay(self, block: Tensor, layout: BlockMap) -> None:
        """Add the pieces of a contiguous block."""
        for buffer, (offset, shape) in layout.places.items():
            self._pieces[buffer] = block, offset, shape

    def address(self, buffer: Buffer) -> int:
        """Return where a buffer begins."""
        block, offset, _ = self._pieces[buffer]
        return block.data_ptr() + offset * block.element_size()

    def rows(self, buffer: Buffer, step: int, steps: int, column: int, width: int) -> Tensor:
        """Return columns of the rows of some steps of a buffer [T, B, N], [steps·B, width]."""
        block, offset, (_, B, N) = self._pieces[buffer]
        begin = block.storage_offset() + offset + step * B * N + column
        return block.as_strided((steps * B, width), (N, 1), begin)


class _Workspaces(threading.local):
    """Each thread's blocks, by use and type."""

    def __init__(self) -> None:
        self.blocks: dict[tuple[str, torch.dtype], Tensor] = {}


_workspaces = _Workspaces()


def empty(like: Tensor, *shape: int) -> Tensor:
    """Return new memory of a shape, of another tensor's dtype and device, not filled."""
    size = like.element_size()
    count = math.prod(shape)
    if _madvise is None or count * size < _HUGE:
        return like.new_empty(shape)
    whole = like.new_empty(count + _HUGE // size)
    offset = -whole.data_ptr() % _HUGE
    _madvise(ctypes.c_void_p(whole.data_ptr() + offset), ctypes.c_size_t(count * size), _ADVICE)
    return whole[offset // size : offset // size + count].view(shape)


def workspace(like: Tensor, count: int, use: str) -> Tensor:
    """Return memory for at least `count` numbers, this thread's until its next call for the use."""
    block = _workspaces.blocks.get((use, like.dtype))
    if block is not None and block.numel() >= count:
        return block
    with torch.inference_mode(False):  # or it could not be used outside that mode
        block = empty(like, count)
    if count * like.element_size() <= _MOST:
        _workspaces.blocks[use, like.dtype] = block
    return block

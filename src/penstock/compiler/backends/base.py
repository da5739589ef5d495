"""What a backend is: something that runs a plan's loops over buffers.

Legend: T steps, B rows, W width, n columns of a buffer.
"""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from penstock.compiler.graph import LoopPlan
from penstock.compiler.memory import Buffers


@dataclass(frozen=True)
class Call:
    """One run of a loop.

    buffers: by name: states [T+1, B, W], values of every step [T, B, n·W] (or [1, B, n·W], one
    place for all steps), carried gradients [2, B, W], totals and scratch [B, n·W], vectors [W],
    and each matrix as ``matrix.<name>``. like: a tensor of their type. sizes: widths by name.
    T, B: steps and rows. incoming: gradients of the states at every step, [T, B, W], by the name
    of the carry that they are added to.
    valid, reset: [T, B] bool or None. reverse: the sweep goes from the last step to the first.
    keep: whether what the gradient needs is saved.
    """

    buffers: Buffers
    like: Tensor
    sizes: Mapping[str, int]
    T: int
    B: int
    incoming: Mapping[str, Tensor]
    valid: Tensor | None
    reset: Tensor | None
    reverse: bool
    keep: bool


class Kernel(Protocol):
    """A plan made ready to run."""

    def forward(self, call: Call) -> None:
        """Walk the forward loop; fills states and saved values."""

    def bind(self, call: Call) -> "Bound":
        """Return the forward loop with its arguments in place, to be run many times."""

    def backward(self, call: Call) -> None:
        """Walk the backward loop, from the sweep's end to its start; fills the gradients.

        The carries end in place T mod 2 of their buffers.
        """


class Bound(Protocol):
    """A loop with all its arguments."""

    def walk(self) -> None:
        """Walk the steps."""

    def read(self, x: Tensor) -> None:
        """Take another input of the same shape from now on; the weights stay as they were."""


Build = Callable[[str], ctypes.CDLL]


class Backend(Protocol):
    """A way to run plans."""

    name: str
    needs_compiler: bool

    def prepare(self, plan: LoopPlan, dtype: str, build: Build) -> Kernel:
        """Return a plan's kernel for ``"float32"`` or ``"float64"``; `build` compiles C."""


@dataclass(frozen=True)
class Step:
    """Where a step of a sweep finds things: step t, states before and after, carries."""

    t: int
    old: int
    new: int
    source: int
    target: int


def steps(T: int, reverse: bool, backward: bool) -> list[Step]:
    """Return the steps of a loop in the order in which it walks them."""
    order = []
    for k in range(T):
        s = T - 1 - k if backward else k
        old, new = (T - s, T - s - 1) if reverse else (s, s + 1)
        order.append(Step(min(old, new), old, new, k % 2, 1 - k % 2))
    return order

"""What a backend is: something that runs a plan's loops over buffers.

Legend: T steps, B rows, W width, n columns of a buffer.
"""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor

from penstock.compiler.backends.memory import Buffers
from penstock.compiler.ir.plan import At, Buffer, LoopPlan


class Call(NamedTuple):
    """One run of a loop.

    buffers: those of the loop, shaped as their `BufferKind` says, and the matrices. like: a tensor
    of their type. sizes: widths by name. T, B: steps and rows. incoming: gradients of the states
    at every step, [T, B, W], by the carry that they are added to.
    valid, reset: [T, B] bool or None. reverse: the sweep goes from the last step to the first.
    keep: whether what the gradient needs is saved. every: whether the states but for the first are
    kept at all steps; else they have two places, and step s is in place s mod 2.
    """

    buffers: Buffers
    like: Tensor
    sizes: Mapping[str, int]
    T: int
    B: int
    incoming: Mapping[Buffer, Tensor]
    valid: Tensor | None
    reset: Tensor | None
    reverse: bool
    keep: bool
    every: bool = True


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

    def feed(self, x: Tensor) -> None:
        """Walk the steps over another input, [B, I]; the weights stay as they were.

        Raises:
            ArgumentError: x is not what the loop was bound to, in another layout at most.
        """


Build = Callable[[str], ctypes.CDLL]


class Backend(Protocol):
    """A way to run plans."""

    name: str
    needs_compiler: bool

    def prepare(self, plan: LoopPlan, dtype: str, build: Build) -> Kernel:
        """Return a plan's kernel for ``"float32"`` or ``"float64"``; `build` compiles C."""


@dataclass(frozen=True)
class Moment:
    """A step of a walk: t, and where in a buffer each `At` is that has a step."""

    t: int
    at: Mapping[At, int]


def moments(T: int, reverse: bool, backward: bool) -> list[Moment]:
    """Return the steps of a loop in the order in which it walks them.

    Of T = 3 steps, walked from the first to the last, the states lie so::

        place        0        1        2        3
                  initial   step 0   step 1   step 2        step t: before t, after t + 1

    and walked in reverse, they lie the other way round: the initial one in place 3, and step t
    has before t + 1, after t. A loop backward walks the same steps from the end to the start.
    """
    order = []
    for k in range(T):
        s = T - 1 - k if backward else k
        old, new = (T - s, T - s - 1) if reverse else (s, s + 1)
        places = {At.BEFORE: old, At.AFTER: new, At.NOW: min(old, new)}
        order.append(Moment(min(old, new), places | {At.SOURCE: k % 2, At.TARGET: 1 - k % 2}))
    return order

"""What the gates do: the value of every name in a cell's equations, at every step of a sequence.

Legend: T time, B batch, H hidden, S width of a value.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from penstock.errors import ArgumentError
from penstock.inspect.gradients import as_tuple
from penstock.layers.recurrent import Recurrent, State
from penstock.layers.running.function import backend

NEAR = 0.1  # a gate below this is near 0; above 1 less this it is near 1


@dataclass(frozen=True)
class Statistics:
    """What a gate did over a sequence, for each unit [S]: mean, and shares near 0 and near 1."""

    mean: Tensor
    near_zero: Tensor
    near_one: Tensor


def trace(layer: Recurrent, x: Tensor, state: State | None = None) -> list[dict[str, Tensor]]:
    """Return the values of a cell's equations for each layer and direction: name → [T, B, S].

    The equations are run as written, and each call of `step` is asked for what its local variables
    hold when it returns. The new states come last, under their own names.

    Args:
        layer: over any cell; torch's random numbers are used where it drops units in training.
        x: [T, B, I], or [B, T, I] with batch_first.
        state: as the layer takes it.

    Raises:
        ArgumentError: modifiers (layer norm, zoneout, …) have changed the step, so that the
            values of its names are not what is computed; or an argument does not fit.
    """
    if any(part.modifiers.any for part in layer.places()):
        raise ArgumentError("this layer's step is changed by modifiers; its names hold no values")
    watch = _Watch(layer.cell.step)
    with torch.no_grad(), backend("eager"), watch:
        *_, states = layer(x, state, all_states=True)
    every = [s.transpose(1, 2) if layer.batch_first else s for s in as_tuple(states)]
    T, own = every[0].shape[1], len(every[0])
    values = list(watch.values())
    traced = []
    for k in range(own):
        steps = values[k * T : (k + 1) * T]
        if layer.bidirectional and k % 2:
            steps.reverse()
        named = {n: torch.stack([step[n] for step in steps]) for n in (steps[0] if steps else ())}
        traced.append({**named, **dict(zip(layer.cell.states, (s[k] for s in every), strict=True))})
    return traced


def gate_statistics(values: dict[str, Tensor]) -> dict[str, Statistics]:
    """Return what the gates did, of values that `trace` returned for one layer.

    A gate is here what stays within [0, 1] over the whole sequence.
    """
    gates = {n: v for n, v in values.items() if bool(((v >= 0) & (v <= 1)).all())}
    return {
        name: Statistics(
            value.mean(dim=(0, 1)),
            (value < NEAR).double().mean(dim=(0, 1)),
            (value > 1 - NEAR).double().mean(dim=(0, 1)),
        )
        for name, value in gates.items()
    }


class _Watch(TorchFunctionMode):
    """Keeps the frame of every call of a cell's equations that calls torch."""

    def __init__(self, equations: Callable[..., Any]) -> None:
        super().__init__()
        self.code = inspect.unwrap(equations).__code__
        self.frames: list[FrameType] = []

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call a torch function; note from which call of the equations."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not self.code:
            frame = frame.f_back
        if frame is not None and (not self.frames or frame is not self.frames[-1]):
            self.frames.append(frame)
        return function(*args, **(kwargs or {}))

    def values(self) -> Iterator[dict[str, Tensor]]:
        """Yield what the local variables of each call held at its end, its arguments left out."""
        given = self.code.co_varnames[: self.code.co_argcount]
        for frame in self.frames:
            held = {n: v for n, v in frame.f_locals.items() if n not in given}
            yield {n: v for n, v in held.items() if isinstance(v, Tensor) and v.ndim == 2}

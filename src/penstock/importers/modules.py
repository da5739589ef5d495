"""Modules for what one `Recurrent` cannot be: layers of several sizes, and other directions.

Legend: T time, B batch, I input, O features of the output.

All take x and give the output as `batch_first` says, and are called as a `Recurrent` is.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from penstock.errors import ArgumentError
from penstock.layers.making.connections import MERGES

Lengths = Tensor | Sequence[int] | None


class Chain(nn.Module):
    """Recurrent modules, each of which reads the output of the one before, and dropout between.

    Args:
        links: modules of this file, `penstock.Recurrent`, or torch.nn.Dropout.
        batch_first: how x and the output are laid out; the links must be made alike.

    Shapes: x [T, B, I], [B, T, I] with batch_first, or [T, I]; output [T, B, O], or as x is.
    """

    def __init__(self, links: Iterable[nn.Module], batch_first: bool) -> None:
        super().__init__()
        self.links = nn.ModuleList(links)
        self.batch_first = batch_first

    def forward(
        self, x: Tensor, state: Sequence[Any] | None = None, lengths: Lengths = None
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Run all links.

        Args:
            x: the input.
            state: one state for each recurrent link, formed as that link's; None for zero.
            lengths: [B] steps of each row, as a `Recurrent` takes them.

        Returns:
            the last link's output, and the final states, formed as `state`.

        Raises:
            ArgumentError: the states are not as many as the links; or what a link raises.
        """
        recurrent = [link for link in self.links if not isinstance(link, nn.Dropout)]
        given = [None] * len(recurrent) if state is None else state
        _check_states(given, len(recurrent))
        states, finals = iter(given), []
        for link in self.links:
            if isinstance(link, nn.Dropout):
                x = link(x)
                continue
            x, final = link(x, next(states), lengths)
            finals.append(final)
        return x, tuple(finals)


class Backwards(nn.Module):
    """A recurrent module that reads from the last step of each row to the first.

    Args:
        layer: the module; its ``batch_first`` says where time is.
        restored: whether the output is put back in the order of the steps; otherwise its first
            step is that of the input's last.

    Shapes: x and output as the layer's. A row of n valid steps has them at the first n places of
    the output, in whichever order.
    """

    def __init__(self, layer: nn.Module, restored: bool) -> None:
        super().__init__()
        self.layer, self.restored = layer, restored
        self.batch_first = bool(layer.batch_first)

    def forward(self, x: Tensor, state: Any = None, lengths: Lengths = None) -> tuple[Tensor, Any]:
        """Run the layer over x in reverse; state, lengths and the result are the layer's own."""
        output, final = self.layer(self._turned(x, lengths), state, lengths)
        return (self._turned(output, lengths) if self.restored else output), final

    def _turned(self, x: Tensor, lengths: Lengths) -> Tensor:
        if not isinstance(x, Tensor):
            raise ArgumentError(f"x is a {type(x).__name__}; give it padded, with its lengths")
        time = int(self.batch_first and x.ndim == 3)
        if lengths is None:
            return x.flip(time)
        T = x.shape[time]
        ends = torch.as_tensor(lengths, device=x.device)[None]
        steps = torch.arange(T, device=x.device)[:, None]
        places = torch.where(steps < ends, ends - 1 - steps, steps).clamp(0, T - 1)
        places = places.T if self.batch_first else places
        return x.take_along_dim(places[..., None], time)

    def extra_repr(self) -> str:
        """Return what the line in a printed model says."""
        return f"restored={self.restored}"


class BothWays(nn.Module):
    """A module forwards and another one backwards over the same input, with one output.

    For directions that differ in size or kind, or have several layers each.

    Args:
        forward_side: a recurrent module.
        backward_side: one whose output is in the order of the steps, as of `Backwards`.
        merge: "concat", "sum", "mean" or "product", as of `penstock.Recurrent`.

    Shapes: x as the sides take it; output as theirs, with their features merged.
    """

    def __init__(self, forward_side: nn.Module, backward_side: nn.Module, merge: str) -> None:
        super().__init__()
        self.forward_side, self.backward_side = forward_side, backward_side
        self.merge = merge
        self.batch_first = bool(forward_side.batch_first)

    def forward(
        self, x: Tensor, state: Sequence[Any] | None = None, lengths: Lengths = None
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Run both sides; state and final state are a pair, that forwards first."""
        given = (None, None) if state is None else state
        _check_states(given, 2)
        y, final = self.forward_side(x, given[0], lengths)
        y_back, final_back = self.backward_side(x, given[1], lengths)
        return MERGES[self.merge]([y, y_back]), (final, final_back)

    def extra_repr(self) -> str:
        """Return what the line in a printed model says."""
        return f"merge={self.merge!r}"


def _check_states(state: Sequence[Any], count: int) -> None:
    if not isinstance(state, Sequence) or len(state) != count:
        what = f"{len(state)} states" if isinstance(state, Sequence) else type(state).__name__
        raise ArgumentError(f"state is {what}; give a tuple of {count}, one a recurrent link")

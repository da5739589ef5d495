"""Rows of unequal length: lengths, resets and packed sequences, as bools over [T, B]."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from penstock.errors import ArgumentError


def valid_steps(lengths: Tensor | Sequence[int], T: int, B: int, device: torch.device) -> Tensor:
    """Return [T, B] bool, True at the steps that lie within their row's length.

    Raises:
        ArgumentError: lengths are not B whole numbers from 0 to T.
    """
    lengths = torch.as_tensor(lengths, device=device)
    if lengths.shape != (B,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ArgumentError(
            f"lengths is {lengths.dtype} of shape {list(lengths.shape)}; for a batch of {B} rows "
            f"it must be whole numbers of shape [{B}]"
        )
    if torch.compiler.is_compiling():
        pass  # a graph cannot look at numbers
    elif B and not 0 <= int(lengths.min()) <= int(lengths.max()) <= T:
        raise ArgumentError(
            f"lengths go from {int(lengths.min())} to {int(lengths.max())}, but the input has "
            f"{T} steps; each must be from 0 to {T}"
        )
    return torch.arange(T, device=device)[:, None] < lengths


def reset_steps(reset: Tensor, T: int, B: int, batch_first: bool) -> Tensor:
    """Return the resets as [T, B] bool.

    Raises:
        ArgumentError: reset is not of bool, or not of the input's batch and time.
    """
    wanted = [B, T] if batch_first else [T, B]
    if reset.dtype != torch.bool or list(reset.shape) != wanted:
        raise ArgumentError(
            f"reset is {reset.dtype} of shape {list(reset.shape)}; for this input it must be "
            f"torch.bool of shape {wanted}"
        )
    return (reset.T if batch_first else reset).clone()  # the gradient reads it again


def backward_reset(reset: Tensor) -> Tensor:
    """Return the resets as the backward direction meets them, [T, B].

    A reset before step t cuts the sequence between t - 1 and t. Who walks backwards crosses that
    cut on the way to step t - 1.
    """
    return torch.cat([reset[1:], torch.zeros_like(reset[:1])])


class Packing:
    """Where each row of a PackedSequence's data lies in a padded batch, in its sorted order."""

    def __init__(self, packed: PackedSequence) -> None:
        self.packed = packed
        sizes = packed.batch_sizes
        T, B = len(sizes), int(sizes[0])
        self.shape = T, B
        on = sizes.device  # and not where new tensors usually are
        self.lengths = (sizes[:, None] > torch.arange(B, device=on)).sum(0)
        starts = torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
        self.t = torch.repeat_interleave(torch.arange(T, device=on), sizes)
        self.b = torch.arange(len(starts), device=on) - starts

    def pad(self) -> Tensor:
        """Return the data as [T, B, I], 0 past each row's end."""
        data = self.packed.data
        return data.new_zeros(*self.shape, *data.shape[1:]).index_put((self.t, self.b), data)

    def pack(self, output: Tensor) -> PackedSequence:
        """Return [T, B, O] packed as the input was."""
        return self.packed._replace(data=output[self.t, self.b])

    def sort(self, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return states [L, B, S] in the order of the packed rows."""
        return _select(states, self.packed.sorted_indices)

    def unsort(self, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return states [L, B, S] in the order that the rows had before packing."""
        return _select(states, self.packed.unsorted_indices)


def _select(states: tuple[Tensor, ...], order: Tensor | None) -> tuple[Tensor, ...]:
    return states if order is None else tuple(s.index_select(1, order) for s in states)

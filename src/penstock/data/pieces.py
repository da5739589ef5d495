"""Pieces of sequences that lie one after the other: places, not copies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.data.splits import PARTS, Split, split, split_set

_FEWEST_TO_DRAW = 10  # fewer sequences than that are cut in time


@dataclass(frozen=True)
class Pieces:
    """Pieces of sequences.

    Attributes:
        starts: [W] where each begins.
        lengths: [W] its steps.
        owners: [W] the number of its sequence.
    """

    starts: Tensor
    lengths: Tensor
    owners: Tensor

    def __len__(self) -> int:
        return len(self.starts)

    def rows(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows [B, T] of pieces, padded by each one's last, and their lengths [B]."""
        lengths = self.lengths[index]
        steps = torch.arange(int(lengths.max()))
        return self.starts[index, None] + torch.minimum(steps, lengths[:, None] - 1), lengths

    def all_rows(self) -> Tensor:
        """Return the rows of all pieces, one after the other [Σ lengths]."""
        ends = self.lengths.cumsum(0)
        shift = torch.repeat_interleave(self.starts - (ends - self.lengths), self.lengths)
        return torch.arange(len(shift)) + shift


def whole(offsets: NDArray[np.int64], members: NDArray[np.int64]) -> Pieces:
    """Return whole sequences; `offsets` [S + 1] says where each starts."""
    return _pieces([(offsets[members], np.diff(offsets)[members], members)])


def cut(
    offsets: NDArray[np.int64], longest: int, shortest: int = 1
) -> tuple[dict[str, Pieces], str]:
    """Return the parts of sequences in pieces of at most `longest` steps, and how they were split.

    Ten sequences or more are split by sequence, by chance with a fixed seed; each of fewer is
    split in time. Pieces shorter than `shortest` are left out.
    """
    lengths = np.diff(offsets)
    if len(lengths) >= _FEWEST_TO_DRAW:
        parts = split_set(np.zeros(len(lengths), np.int64))
        spans = {
            part: [(offsets[i], offsets[i + 1], i) for i in members]
            for part, members in parts.items()
        }
        words = "split by sequence"
    else:
        splits = [split(n, 1) if n >= 3 else Split(n, n, n) for n in lengths.tolist()]
        spans = {
            part: [
                (offset + a, offset + b, i)
                for i, offset in enumerate(offsets[:-1])
                for a, b in [splits[i].part(part)]
            ]
            for part in PARTS
        }
        words = "each sequence split in time"
    return {part: _cut(found, longest, shortest) for part, found in spans.items()}, words


def _cut(spans: Sequence[tuple[int, int, int]], longest: int, shortest: int) -> Pieces:
    found = []
    for begin, end, owner in spans:
        starts = np.arange(begin, end, longest)
        lengths = np.minimum(longest, end - starts)
        kept = lengths >= shortest
        found.append((starts[kept], lengths[kept], np.full(kept.sum(), owner)))
    return _pieces(found)


def _pieces(found: Sequence[tuple[NDArray[np.int64], ...]]) -> Pieces:
    columns = (np.concatenate([one[k] for one in found]) for k in range(3))
    return Pieces(*(torch.from_numpy(column.astype(np.int64)) for column in columns))

"""Pieces of sequences that lie one after the other: places, not copies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from penstock.data.splits import PARTS, Members, Split, split, split_set
from penstock.errors import ArgumentError

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

    def named(self, ids: Sequence[str], offsets: NDArray[np.int64]) -> list[str]:
        """Return the sequences in the order of the data, or which of their steps, if not all."""
        spans: dict[int, list[list[int]]] = {}
        order = self.starts.argsort()
        columns = (self.owners, self.starts, self.starts + self.lengths)
        for owner, start, end in zip(*(one[order].tolist() for one in columns), strict=True):
            runs = spans.setdefault(owner, [])
            if runs and runs[-1][1] == start:
                runs[-1][1] = end
            else:
                runs.append([start, end])
        return [
            ids[i] if [start, end] == [*offsets[i : i + 2]] else
            f"{ids[i]}, steps {start - offsets[i] + 1} to {end - offsets[i]}"
            for i, runs in spans.items() for start, end in runs
        ]  # fmt: skip

    def windows(self, steps: int) -> "Pieces":
        """Return windows of `steps` + 1 or fewer: each begins with the step that ends the last.

        So each step but the first of a piece follows another in just one window. Those of a piece
        come one after the other; a piece of one step has none.
        """
        counts = -(-(self.lengths - 1) // steps)
        owner = torch.repeat_interleave(torch.arange(len(self)), counts)
        place = torch.arange(len(owner)) - (counts.cumsum(0) - counts)[owner]
        lengths = torch.clamp(self.lengths[owner] - place * steps, max=steps + 1)
        return Pieces(self.starts[owner] + place * steps, lengths, self.owners[owner])

    def all_rows(self) -> Tensor:
        """Return the rows of all pieces, one after the other [Σ lengths]."""
        ends = self.lengths.cumsum(0)
        shift = torch.repeat_interleave(self.starts - (ends - self.lengths), self.lengths)
        return torch.arange(len(shift)) + shift


def whole(offsets: NDArray[np.int64], members: NDArray[np.int64]) -> Pieces:
    """Return whole sequences; `offsets` [S + 1] says where each starts."""
    return _pieces([(offsets[members], np.diff(offsets)[members], members)])


def cut(
    offsets: NDArray[np.int64], longest: int, shortest: int = 1, number: int = 0
) -> tuple[dict[str, Pieces], str]:
    """Return the parts of sequences in pieces of at most `longest` steps, and how they were split.

    Ten sequences or more are split by sequence, by chance with `number` as seed; each of fewer is
    split in time. Pieces shorter than `shortest` are left out.

    Raises:
        ArgumentError: a split by chance is asked for, and they are split in time.
    """
    lengths = np.diff(offsets)
    if len(lengths) >= _FEWEST_TO_DRAW:
        members = split_set(np.zeros(len(lengths), np.int64), number)
        return cut_members(offsets, members, longest, shortest), "split by sequence"
    if number:
        raise ArgumentError(
            f"{len(lengths)} sequences are each split in time, and not drawn; give "
            f"{_FEWEST_TO_DRAW} or more"
        )
    splits = [split(n, 1) if n >= 3 else Split(n, n, n) for n in lengths.tolist()]
    spans = {
        part: [
            (offset + a, offset + b, i)
            for i, offset in enumerate(offsets[:-1])
            for a, b in [splits[i].part(part)]
        ]
        for part in PARTS
    }
    pieces = {part: _cut(spans_of, longest, shortest) for part, spans_of in spans.items()}
    return pieces, "each sequence split in time"


def cut_members(
    offsets: NDArray[np.int64], members: Members, longest: int, shortest: int = 1
) -> dict[str, Pieces]:
    """Return the sequences of each part in pieces; see `cut`."""
    return {
        part: _cut([(offsets[i], offsets[i + 1], i) for i in chosen], longest, shortest)
        for part, chosen in members.items()
    }


def cut_runs(
    offsets: NDArray[np.int64], parts: NDArray[np.str_], longest: int
) -> dict[str, Pieces]:
    """Return the stretches of sequences whose rows `parts` [N] gives to each part, in pieces."""
    ends = np.append(np.flatnonzero(parts[1:] != parts[:-1]) + 1, len(parts))
    edges = np.unique(np.concatenate([offsets, ends]))
    owners = np.searchsorted(offsets, edges[:-1], side="right") - 1
    runs = list(zip(edges[:-1].tolist(), edges[1:].tolist(), owners.tolist(), strict=True))
    return {
        part: _cut([run for run in runs if parts[run[0]] == part], longest, 1) for part in PARTS
    }


def _cut(spans: Sequence[tuple[int, int, int]], longest: int, shortest: int) -> Pieces:
    cuts = []
    for begin, end, owner in spans:
        starts = np.arange(begin, end, longest)
        lengths = np.minimum(longest, end - starts)
        kept = lengths >= shortest
        cuts.append((starts[kept], lengths[kept], np.full(kept.sum(), owner)))
    return _pieces(cuts)


def _pieces(cuts: Sequence[tuple[NDArray[np.int64], ...]]) -> Pieces:
    none = [np.empty(0, np.int64)]
    columns = (np.concatenate([one[k] for one in cuts] or none) for k in range(3))
    return Pieces(*(torch.from_numpy(column.astype(np.int64)) for column in columns))

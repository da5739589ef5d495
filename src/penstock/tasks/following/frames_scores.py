"""Frames read in one pass, and how well the next one was told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy

from penstock.data.labelled.pieces import Pieces
from penstock.layers.recurrent import State

_ROWS, _CHUNK = 256, 256  # sequences side by side, and frames of each, that are read at once
MEANINGS: Mapping[str, str] = {
    "NLL per frame": "mean over frames of −Σ ln p of each of its cells, in nats",
    "frame accuracy": "TP / (TP + FP + FN) over all cells, p > ½ counting as a one",
}


def read_through(model: nn.Module, values: Tensor, runs: Pieces) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield rows [M] of values [N, D] that a model has read, and the logits after each [M, D].

    Each run is read from its beginning to its end, with the state carried, beside others of about
    its length; memory does not grow with their lengths.
    """
    longest_first = runs.lengths.argsort(descending=True, stable=True)
    for several in torch.split(longest_first, _ROWS):
        starts, lengths, state = runs.starts[several], runs.lengths[several], None
        for begin in range(0, int(lengths[0]), _CHUNK):
            left = lengths[lengths > begin] - begin
            steps = torch.arange(min(_CHUNK, int(left[0])))
            inside = steps < left[:, None]
            rows = starts[: len(left), None] + begin + torch.minimum(steps, left[:, None] - 1)
            logits, state = model.read(values[rows].float(), _first(state, len(left)))  # type: ignore[operator]
            yield rows[inside], logits[inside]


def _first(state: State | None, count: int) -> State | None:
    """Return the states of the first rows: those that have not ended."""
    if state is None:
        return None
    if isinstance(state, Tensor):
        return state[:, :count].contiguous()
    return tuple(one[:, :count].contiguous() for one in state)


@dataclass
class Tally:
    """Sums over frames, from which `MEANINGS` are had; they add up over parts of the data."""

    frames: int = 0
    nats: float = 0.0
    hit: int = 0
    either: int = 0

    @classmethod
    def of(cls, predictions: Tensor, target: Tensor) -> "Tally":
        """Return the sums of probabilities of a one, and of what came, both [M, D]."""
        ones, came = predictions > 0.5, target == 1
        nats = float(frame_losses(predictions, target).sum())
        return cls(len(target), nats, int((ones & came).sum()), int((ones | came).sum()))

    def __add__(self, other: "Tally") -> "Tally":
        sums = (getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        return Tally(*sums)

    def metrics(self) -> dict[str, float]:
        """Return the metrics; see `MEANINGS`."""
        return {
            "NLL per frame": self.nats / self.frames,
            "frame accuracy": self.hit / self.either if self.either else 1.0,
        }


def frame_losses(predictions: Tensor, target: Tensor) -> Tensor:
    """Return −ln p of each cell [M, D]."""
    return binary_cross_entropy(predictions, target, reduction="none")

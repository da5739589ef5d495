"""The problem of frames: windows to learn from, sequences that are told frame by frame."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from penstock.data.following.frames import Frames
from penstock.data.labelled.pieces import Pieces
from penstock.tasks.codec import at_rest
from penstock.tasks.following.frames_scores import MEANINGS, Tally, frame_losses, read_through
from penstock.tasks.measuring import Blocks, consecutive, measured, whole_owners
from penstock.tasks.problem import Measured, Problem

STEPS = 200  # frames of a training window that are predicted, unless a context is given
_VALIDATED = 1000  # frames of a validation window that are


@dataclass(frozen=True)
class FramesProblem(Problem):
    """The next frame of ones and zeros.

    Ten sequences or more are split by sequence, each of fewer in time. Training reads windows of at
    most 200 frames, or the context, and carries the state from one to the next of a sequence, while
    the gradient goes back to the beginning of a window. Test sequences are read whole, and all of
    their frames but the first are predicted; validation does so in windows of at most 1,000 frames.
    Neither depends on the context.

    Metrics: NLL per frame, the mean over frames of −Σ_d ln p(x_d), in nats (Boulanger-Lewandowski,
    Bengio & Vincent 2012, arXiv:1206.6392, with columns independent given the past); and frame
    accuracy, TP / (TP + FP + FN) over all columns and frames, p > ½ counting as a one (Bay, Ehmann
    & Downie 2009).

    Attributes:
        data: the frames.
        values: [N, D] float32.
        runs: the sequences of each part, or what of them belongs to it.
        steps: frames of a training window that are predicted.
    """

    data: Frames
    values: Tensor
    runs: dict[str, Pieces]
    steps: int = STEPS

    metrics = tuple(MEANINGS)
    meanings = MEANINGS
    profile_of = "column"

    @cached_property
    def parts(self) -> dict[str, Pieces]:
        """The windows of each part; those of the test part are for looking into a network."""
        steps = {"train": self.steps, "validation": _VALIDATED, "test": STEPS}
        return {part: self.runs[part].windows(steps[part]) for part in steps}

    def size(self, part: str) -> int:
        """Return the number of windows."""
        return len(self.parts[part])

    def learned_from(self) -> int:
        """Return the number of training frames."""
        return int(self.runs["train"].lengths.sum())

    def steps_in(self, part: str) -> int:
        """Return the number of frames of a part."""
        return int(self.runs[part].lengths.sum())

    def draw(self, steps: int, batch_size: int) -> Tensor:
        """Return windows [steps, B]: each row of a batch goes on in its sequence.

        At its end the row goes on with any sequence of the part. So all windows are as likely at
        every step, as with draws that are independent.
        """
        owners = self.parts["train"].owners
        new = torch.ones(len(owners) + 1, dtype=torch.bool)
        new[1:-1] = owners[1:] != owners[:-1]
        first, drawn = new[:-1].nonzero()[:, 0], [torch.randint(len(owners), (batch_size,))]
        while len(drawn) < steps:
            fresh = first[torch.randint(len(first), (batch_size,))]
            drawn.append(torch.where(new[drawn[-1] + 1], fresh, drawn[-1] + 1))
        return torch.stack(drawn[:steps])

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return frames and what follows [B, T, D], which are inside [B, T], and starts [B]."""
        rows, lengths = self.parts[part].rows(index)
        values = self.values[rows]
        inside = torch.arange(1, rows.shape[1]) < lengths[:, None]
        return values[:, :-1], values[:, 1:], inside, rows[:, 0]

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the first frames of windows, as many in every part, and the lengths.

        Zeros are past the end of a window.
        """
        pieces, most = self.parts[part], min(self.steps, STEPS) + 1
        shown = Pieces(pieces.starts, pieces.lengths.clamp(max=most), pieces.owners)
        rows, lengths = shown.rows(index)
        inside = torch.arange(rows.shape[1]) < lengths[:, None]
        return self.values[rows] * inside[..., None], lengths

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean NLL of a frame."""
        values, following, inside, starts = batch
        carried = (starts, starts + inside.sum(dim=1)) if network.training else ()
        logits = network(values, *carried)[inside]
        total = binary_cross_entropy_with_logits(logits, following[inside], reduction="sum")
        return total / inside.sum()

    def predict(self, model: nn.Module) -> Tensor:
        """Return the probability of a one [M, D] for all predicted test frames."""
        runs = self.runs["test"]
        read = Pieces(runs.starts, runs.lengths - 1, runs.owners)
        place = torch.empty(len(self.values), dtype=torch.int64)
        place[read.all_rows()] = torch.arange(int(read.lengths.sum()))
        found = torch.empty(int(read.lengths.sum()), self.values.shape[1], dtype=torch.float64)
        with at_rest(model):
            for rows, logits in read_through(model, self.values, read):
                found[place[rows]] = logits.double().sigmoid()
        return found

    def measure(self, predictions: Tensor) -> Measured:
        """Return the metrics, and the NLL of each column."""
        target = self.following("test").double()
        losses = frame_losses(predictions, target)
        profile = tuple(losses.mean(dim=0).tolist())

        def of(kept: Tensor) -> dict[str, float]:
            return Tally.of(predictions[kept], target[kept]).metrics()

        return measured(of, self._blocks(), profile)

    def _blocks(self) -> Blocks:
        """Return blocks of the test frames: whole sequences, unless these are cut in time."""
        test, train = self.runs["test"], self.runs["train"]
        owners = test.owners.repeat_interleave(test.lengths - 1)
        if torch.isin(test.owners, train.owners).any():
            return consecutive(len(owners))
        return whole_owners(owners)

    def members(self, part: str) -> list[str]:
        """Return the sequences of a part, or which of their frames."""
        return self.runs[part].named(self.data.ids, self.data.offsets)

    def profile_names(self) -> list[str]:
        """Return the columns."""
        return list(self.data.columns)

    def following(self, part: str) -> Tensor:
        """Return the frames of a part that are predicted [M, D]."""
        pieces = self.runs[part]
        return self.values[Pieces(pieces.starts + 1, pieces.lengths - 1, pieces.owners).all_rows()]

    def before(self, part: str) -> Tensor:
        """Return the frame before each that is predicted [M, D]."""
        pieces = self.runs[part]
        return self.values[Pieces(pieces.starts, pieces.lengths - 1, pieces.owners).all_rows()]

    def frequencies(self) -> Tensor:
        """Return the share of ones in each column in training [D], both cases counted once more."""
        values = self.values[self.runs["train"].all_rows()].double()
        return (values.sum(dim=0) + 1) / (len(values) + 2)

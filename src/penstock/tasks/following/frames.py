"""Multi-hot frames, such as piano rolls: each frame from those before it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from penstock.data.following.frames import Frames, read_frames
from penstock.data.labelled.pieces import Pieces, cut, cut_members
from penstock.data.splits import divide
from penstock.errors import DataError
from penstock.tasks.codec import at_rest
from penstock.tasks.following.frames_codec import (
    MEANINGS,
    ColumnFrequencies,
    FramesCodec,
    LastFrame,
    frame_losses,
    inputs_of,
    no_symbols,
    scores,
)
from penstock.tasks.measuring import Blocks, consecutive, measured, whole_owners
from penstock.tasks.methods import Method
from penstock.tasks.problem import Examples, ExampleWindow, Measured, Problem
from penstock.tasks.shared import check_parts, pieces_note, spread
from penstock.tasks.task import Parts, TaskKind, redrawn

_LONGEST = 200  # frames of a piece; each is read from a state of zero
_BATCH, _LONGEST_EXAMPLE = 256, 60


@dataclass(frozen=True)
class FramesProblem(Problem):
    """The next frame of ones and zeros.

    Ten sequences or more are split by sequence, each of fewer in time; they are cut into pieces of
    at most 200 frames, of which all but the first are predicted. Metrics: NLL per frame, the mean
    over frames of −Σ_d ln p(x_d), in nats (Boulanger-Lewandowski, Bengio & Vincent 2012,
    arXiv:1206.6392, with columns independent given the past); and frame accuracy,
    TP / (TP + FP + FN) over all columns and frames, p > ½ counting as a one (Bay, Ehmann &
    Downie 2009).

    Attributes:
        data: the frames.
        values: [N, D] float32.
        parts: the pieces of each part.
    """

    data: Frames
    values: Tensor
    parts: dict[str, Pieces]

    metrics = tuple(MEANINGS)
    meanings = MEANINGS
    profile_of = "column"

    def size(self, part: str) -> int:
        """Return the number of pieces."""
        return len(self.parts[part])

    def learned_from(self) -> int:
        """Return the number of training frames."""
        return int(self.parts["train"].lengths.sum())

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return frames [B, T, D], those that follow [B, T, D], and which are inside [B, T]."""
        rows, lengths = self.parts[part].rows(index)
        values = self.values[rows]
        inside = torch.arange(1, rows.shape[1]) < lengths[:, None]
        return values[:, :-1], values[:, 1:], inside

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return frames with zeros past the end of a piece, and the lengths."""
        rows, lengths = self.parts[part].rows(index)
        inside = torch.arange(rows.shape[1]) < lengths[:, None]
        return self.values[rows] * inside[..., None], lengths

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean NLL of a frame."""
        values, following, inside = batch
        logits = network(values, no_symbols(values))[inside]
        total = binary_cross_entropy_with_logits(logits, following[inside], reduction="sum")
        return total / inside.sum()

    def predict(self, model: nn.Module) -> Tensor:
        """Return the probability of a one [M, D] for all predicted test frames."""
        logits = []
        with at_rest(model):
            for index in torch.split(torch.arange(self.size("test")), _BATCH):
                values, _, inside = self.batch("test", index)
                logits.append(model.outputs(inputs_of(values))[inside])  # type: ignore[operator]
            return torch.cat(logits).double().sigmoid()

    def measure(self, predictions: Tensor) -> Measured:
        """Return the metrics, and the NLL of each column."""
        target = self.following("test").double()
        losses = frame_losses(predictions, target)
        profile = tuple(losses.mean(dim=0).tolist())
        return measured(
            lambda kept: scores(predictions[kept], target[kept]), self._blocks(), profile
        )

    def _blocks(self) -> Blocks:
        """Return blocks of the test frames: whole sequences, unless these are cut in time."""
        test, train = self.parts["test"], self.parts["train"]
        owners = test.owners.repeat_interleave(test.lengths - 1)
        if torch.isin(test.owners, train.owners).any():
            return consecutive(len(owners))
        return whole_owners(owners)

    def members(self, part: str) -> list[str]:
        """Return the sequences of a part, or which of their frames."""
        return self.parts[part].named(self.data.ids, self.data.offsets)

    def profile_names(self) -> list[str]:
        """Return the columns."""
        return list(self.data.columns)

    def following(self, part: str) -> Tensor:
        """Return the frames of a part that are predicted [M, D]."""
        pieces = self.parts[part]
        return self.values[Pieces(pieces.starts + 1, pieces.lengths - 1, pieces.owners).all_rows()]

    def before(self, part: str) -> Tensor:
        """Return the frame before each that is predicted [M, D]."""
        pieces = self.parts[part]
        return self.values[Pieces(pieces.starts, pieces.lengths - 1, pieces.owners).all_rows()]

    def frequencies(self) -> Tensor:
        """Return the share of ones in each column in training [D], both cases counted once more."""
        values = self.values[self.parts["train"].all_rows()].double()
        return (values.sum(dim=0) + 1) / (len(values) + 2)


@dataclass(frozen=True)
class FrameBaselines:
    """The frequencies of the columns, and the last frame repeated.

    The last frame is smoothed: a one follows a one, or a zero, as often as in training, over all
    columns, each case counted once more.
    """

    problem: FramesProblem
    sizes: dict[str, int]

    def __call__(self) -> dict[str, Method]:
        """Return both, fitted."""
        before, following = self.problem.before("train"), self.problem.following("train")
        on, off = (
            ((following[before == value].sum() + 1) / ((before == value).sum() + 2)).double()
            for value in (1, 0)
        )
        frequencies = self.problem.frequencies().logit()
        return {
            "column frequencies": ColumnFrequencies.of(self.sizes, logits=frequencies),
            "last frame": LastFrame.of(self.sizes, off=off.logit(), on=on.logit()),
        }


@dataclass(frozen=True)
class FrameExamples(Examples):
    """The beginnings of four test pieces; what is drawn is the number of ones in each frame."""

    problem: FramesProblem

    def shown(self) -> list[ExampleWindow]:
        """Return the pieces."""
        test, data = self.problem.parts["test"], self.problem.data
        ones, shown = self.problem.following("test").sum(dim=1), []
        for window, begin, end in self._places():
            owner = int(test.owners[window])
            first = int(test.starts[window] - data.offsets[owner]) + 2
            times = [str(first + k) for k in range(end - begin)]
            actual = ones[begin:end].tolist()
            shown.append(ExampleWindow(data.ids[owner], times, actual, unit="ones in the frame"))
        return shown

    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the number of ones expected in each frame."""
        return [predictions[begin:end].sum(dim=1).tolist() for _, begin, end in self._places()]

    def _places(self) -> list[tuple[int, int, int]]:
        """Return pieces to draw, each with where its frames begin and end among those predicted."""
        lengths = self.problem.parts["test"].lengths - 1
        ends = lengths.cumsum(0)
        begins = (ends - lengths).tolist()
        shown = lengths.clamp(max=_LONGEST_EXAMPLE).tolist()
        return [(k, begins[k], begins[k] + shown[k]) for k in spread(len(lengths)).tolist()]


def _bind(data: Frames) -> Parts:
    """Return the parts on pieces of two frames or more, split."""
    parts, words = _pieces(data)
    check_parts(parts, data.name)
    values = torch.from_numpy(data.values).float()
    if not 0 < float(values[parts["train"].all_rows()].mean()) < 1:
        raise DataError(f"{data.name}: all cells are the same; there is nothing to learn")
    problem = FramesProblem(data, values, parts)
    spec = {
        "columns": list(data.columns),
        "id": data.id,
        "start": problem.frequencies().logit().tolist(),
    }
    settings = {
        "columns": len(data.columns),
        "split": words,
        "pieces": {part: len(pieces) for part, pieces in parts.items()},
        "longest_piece": _LONGEST,
    }
    notes, fit = pieces_note(data.offsets, _LONGEST), FrameBaselines(problem, CODEC.sizes(spec))
    return Parts(problem, fit, FrameExamples(problem), settings, notes, spec)


def _pieces(data: Frames) -> tuple[dict[str, Pieces], str]:
    """Return the pieces of each part, and how the sequences were split."""
    if not data.parts:
        return cut(data.offsets, _LONGEST, 2, data.draw)
    alike = np.zeros(len(data.ids), np.int64)
    members = divide(alike, np.array(data.parts), number=data.draw)
    return cut_members(data.offsets, members, _LONGEST, shortest=2), "as the names of arrays say"


CODEC = FramesCodec()
FRAMES = TaskKind("frames", "frames", CODEC, read_frames, _bind, redraw=redrawn)

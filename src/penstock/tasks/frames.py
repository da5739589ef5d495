"""Multi-hot frames, such as piano rolls: each frame from those before it."""

from dataclasses import dataclass
from typing import Any, Self, TypedDict

import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from penstock.cells import Cell
from penstock.conform import conform, same_length
from penstock.data.files import Source
from penstock.data.frames import Frames, read_frames
from penstock.data.pieces import Pieces, cut
from penstock.data.series import Options
from penstock.errors import DataError
from penstock.tasks.base import Measured, Task, spread
from penstock.tasks.labelled import check_parts, group_means, no_horizon, pieces_note
from penstock.tasks.reader import Reader, edge_parameters

_LONGEST = 200  # frames of a piece; each is read from a state of zero
_BATCH, _LONGEST_EXAMPLE = 256, 60


class _Spec(TypedDict):
    columns: list[str]
    id: str | None
    start: list[float]


@dataclass(frozen=True)
class MultiHot(Task):
    """The next frame of ones and zeros.

    Ten sequences or more are split by sequence, each of fewer in time; they are cut into pieces of
    at most 200 frames, of which all but the first are predicted. Metrics: NLL per frame, the mean
    over frames of −Σ_d ln p(x_d), in nats (Boulanger-Lewandowski, Bengio & Vincent 2012,
    arXiv:1206.6392, with columns independent given the past); and frame error,
    1 − TP / (TP + FP + FN) over all columns and frames, p > ½ counting as a one (Bay, Ehmann &
    Downie 2009).

    Attributes:
        data: the frames.
        values: [N, D] float32.
        parts: the pieces of each part.
        split: how the sequences were split, in words.
    """

    data: Frames
    values: Tensor
    parts: dict[str, Pieces]
    split: str

    name = "frames"
    metrics = ("NLL per frame", "frame error")
    profile_of = "column"
    chance = ("column frequencies",)

    @classmethod
    def read(cls, source: Source, options: Options) -> Frames:
        """Return the frames; see `read_frames`."""
        return read_frames(source, options)

    @classmethod
    def prepare(cls, data: Frames, horizon: int | None = None) -> Self:
        """Return the task: pieces of two frames or more, split."""
        no_horizon(horizon, cls.name)
        parts, words = cut(data.offsets, _LONGEST, shortest=2)
        check_parts(parts, data.name)
        values = torch.from_numpy(data.values).float()
        if not 0 < float(values[parts["train"].all_rows()].mean()) < 1:
            raise DataError(f"{data.name}: all cells are the same; there is nothing to learn")
        return cls(data, values, parts, words)

    def settings(self) -> dict[str, Any]:
        """Return the columns, how the sequences were split, and how many pieces there are."""
        return {
            "columns": len(self.data.columns),
            "split": self.split,
            "pieces": {part: len(found) for part, found in self.parts.items()},
            "longest_piece": _LONGEST,
        }

    def notes(self) -> tuple[str, ...]:
        """Return whether sequences are cut."""
        return pieces_note(self.data.offsets, _LONGEST)

    def spec(self) -> dict[str, Any]:
        """Return the columns, and the logits of their frequencies."""
        return {
            "columns": list(self.data.columns),
            "id": self.data.id,
            "start": self._frequencies().logit().tolist(),
        }

    @classmethod
    def check_spec(cls, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: columns, each with a logit."""
        conform(spec, _Spec, "spec")
        same_length("spec.start", spec["start"], spec["columns"])

    @classmethod
    def rebuild(cls, spec: dict[str, Any], cell: str | type[Cell], width: int) -> Reader:
        """Return an untrained `Reader` with an output a column, at every step."""
        return Reader(cell, width, len(spec["columns"]), (), spec["start"], every_step=True)

    @classmethod
    def apply(
        cls, network: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return id, and the probability of a one in each column of the frame that comes next."""
        target = () if source.arrays is not None else tuple(spec["columns"])
        data = cls.read(source, Options(target=target, id=spec["id"]))
        if len(data.columns) != len(spec["columns"]):
            raise DataError(
                f"{source.name} has {len(data.columns)} columns; the model learned from "
                f"{len(spec['columns'])}"
            )
        network.eval()
        found = []
        with torch.inference_mode():
            for begin, end in zip(data.offsets[:-1], data.offsets[1:], strict=True):
                values = torch.from_numpy(data.values[begin:end]).float()[None]
                found.append(network(values, _no_symbols(values))[0, -1].sigmoid())
        shares = torch.stack(found).numpy()
        columns = {f"p_{name}": shares[:, k] for k, name in enumerate(spec["columns"])}
        return pl.DataFrame({"id": data.ids, **columns}), ()

    def extra_parameters(self) -> int:
        """Return what the columns take as inputs and as outputs."""
        return edge_parameters((), len(self.data.columns), len(self.data.columns))

    def size(self, part: str) -> int:
        """Return the number of pieces."""
        return len(self.parts[part])

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
        logits = network(values, _no_symbols(values))[inside]
        total = binary_cross_entropy_with_logits(logits, following[inside], reduction="sum")
        return total / inside.sum()

    def predict(self, network: nn.Module) -> Tensor:
        """Return the probability of a one [M, D] for all predicted test frames."""
        network.eval()
        found = []
        with torch.inference_mode():
            for index in torch.split(torch.arange(self.size("test")), _BATCH):
                values, _, inside = self.batch("test", index)
                found.append(network(values, _no_symbols(values))[inside])
        return torch.cat(found).double().sigmoid()

    def baselines(self) -> dict[str, Tensor]:
        """Return the frequencies of the columns, and the last frame repeated.

        The last frame is smoothed: a one follows a one, or a zero, as often as in training, over
        all columns, each case counted once more.
        """
        target, last = self._following("test"), self._before("test")
        before, following = self._before("train"), self._following("train")
        on, off = (
            (following[before == value].sum() + 1) / ((before == value).sum() + 2)
            for value in (1, 0)
        )
        return {
            "column frequencies": self._frequencies().expand_as(target),
            "last frame": torch.where(last == 1, on, off).double(),
        }

    def measure(self, predictions: Tensor) -> Measured:
        """Return the metrics, and the NLL of each column."""
        target = self._following("test").double()
        losses = binary_cross_entropy(predictions, target, reduction="none")
        frames = losses.sum(dim=1)
        ones = predictions > 0.5
        hit, either = (ones & (target == 1)).sum(), (ones | (target == 1)).sum()
        metrics = {
            "NLL per frame": float(frames.mean()),
            "frame error": float(1 - hit / either) if either else 0.0,
        }
        return Measured(metrics, group_means(frames), tuple(losses.mean(dim=0).tolist()))

    def profile_names(self) -> list[str]:
        """Return the columns."""
        return list(self.data.columns)

    def examples(self) -> list[dict[str, Any]]:
        """Return the beginnings of four test pieces: the number of ones in each frame."""
        test, found = self.parts["test"], []
        for window, begin, end in self._shown():
            owner = int(test.owners[window])
            first = int(test.starts[window] - self.data.offsets[owner]) + 2
            ones = self._following("test")[begin:end].sum(dim=1)
            found.append(
                {
                    "series": self.data.ids[owner],
                    "times": [str(first + k) for k in range(end - begin)],
                    "actual": ones.tolist(),
                    "context": 0,
                    "kind": "line",
                    "unit": "ones in the frame",
                    "levels": [],
                }
            )
        return found

    def example_predictions(self, predictions: Tensor) -> list[list[float]]:
        """Return the number of ones expected in each frame of `examples`."""
        return [predictions[begin:end].sum(dim=1).tolist() for _, begin, end in self._shown()]

    def _shown(self) -> list[tuple[int, int, int]]:
        """Return pieces to draw, each with where its frames begin and end among those predicted."""
        lengths = self.parts["test"].lengths - 1
        ends = lengths.cumsum(0)
        begins = (ends - lengths).tolist()
        shown = lengths.clamp(max=_LONGEST_EXAMPLE).tolist()
        return [(k, begins[k], begins[k] + shown[k]) for k in spread(len(lengths)).tolist()]

    def _following(self, part: str) -> Tensor:
        """Return the frames of a part that are predicted [M, D]."""
        pieces = self.parts[part]
        return self.values[Pieces(pieces.starts + 1, pieces.lengths - 1, pieces.owners).all_rows()]

    def _before(self, part: str) -> Tensor:
        """Return the frame before each that is predicted [M, D]."""
        pieces = self.parts[part]
        return self.values[Pieces(pieces.starts, pieces.lengths - 1, pieces.owners).all_rows()]

    def _frequencies(self) -> Tensor:
        """Return the share of ones in each column in training [D], both cases counted once more."""
        values = self.values[self.parts["train"].all_rows()].double()
        return (values.sum(dim=0) + 1) / (len(values) + 2)


def _no_symbols(values: Tensor) -> Tensor:
    return torch.empty(*values.shape[:2], 0, device=values.device)

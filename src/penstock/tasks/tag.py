"""Labelling every step of sequences: a step's label from that step and those before it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from penstock.data.encoding import Encoding, code
from penstock.data.files import Source
from penstock.data.pieces import Pieces, cut
from penstock.data.sequences import Sequences
from penstock.errors import DataError
from penstock.tasks import classes as scores
from penstock.tasks.base import Measured, spread
from penstock.tasks.evidence import Evidence
from penstock.tasks.labelled import (
    LabelledTask,
    check_parts,
    encoded,
    no_horizon,
    pieces_note,
    run,
    unlabelled,
)
from penstock.tasks.labelled_evidence import of_steps
from penstock.tasks.linear import logistic

_LONGEST = 200  # steps of a piece; each is read from a state of zero
_LONGEST_EXAMPLE = 60
_MOST_STEPS = 20_000  # training steps that the logistic baseline learns from


@dataclass(frozen=True)
class Tag(LabelledTask):
    """Labelling every step.

    Ten sequences or more are split by sequence; each of fewer in time. Metrics: see
    `penstock.tasks.classes.measure`, over steps; trained on the log loss.

    Attributes:
        classes: the labels, sorted.
        targets: [N] the number of each step's label; −1 where it has none.
        split: how the sequences were split, in words.
    """

    classes: tuple[str, ...]
    targets: Tensor
    split: str

    name = "tag"
    per = "step"
    has_classes = True
    metrics = scores.METRICS
    profile_of = "label"
    chance = ("most frequent label", "most frequent at the step")

    @classmethod
    def prepare(cls, data: Sequences, horizon: int | None = None) -> Self:
        """Return the task: pieces with at least one label, split and encoded."""
        no_horizon(horizon, cls.name)
        pieces, split = cut(data.offsets, _LONGEST)
        known = data.labels.is_not_null().to_numpy()
        parts = {part: _labelled(found, known) for part, found in pieces.items()}
        check_parts(parts, data.name)
        rows = parts["train"].all_rows()
        classes = tuple(sorted(data.labels.gather(rows.numpy()).drop_nulls().unique()))
        if len(classes) < 2:
            raise DataError(
                f"{data.name}: {data.layout.label!r} is always {classes[0]!r} in the training "
                "part; there is nothing to learn: choose another column with --target"
            )
        encoding = Encoding.fit(data, rows)
        targets = code(data.labels.fill_null(""), classes) - 1
        return cls(data, encoding, *encoding.encode(data), parts, classes, targets, split)

    def settings(self) -> dict[str, Any]:
        """Return the labels, how the sequences were split, and how many pieces there are."""
        return {
            "labels": list(self.classes),
            "split": self.split,
            "pieces": {part: len(found) for part, found in self.parts.items()},
            "longest_piece": _LONGEST,
            "inputs": [*self.data.layout.numbers, *self.data.layout.symbols],
        }

    def notes(self) -> tuple[str, ...]:
        """Return the reader's notes, whether sequences are cut, and how many steps count not."""
        left = int((self.targets < 0).sum())
        why = "without a label, or with one that training never sees"
        out = (f"{left} of {len(self.targets)} steps are not scored, {why}",) if left else ()
        return (*self.data.notes, *pieces_note(self.data.offsets, _LONGEST), *out)

    def spec(self) -> dict[str, Any]:
        """Return columns, encoding, labels, and the logarithms of their shares."""
        return {
            "layout": asdict(self.data.layout),
            "encoding": self.encoding.record(),
            "classes": list(self.classes),
            "start": self._prior().tolist(),
        }

    @classmethod
    def apply(
        cls, network: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return id, step, predicted label, and its probability."""
        data = unlabelled(spec, source)
        best = torch.cat(_run(network, encoded(spec, data))).softmax(dim=1).max(dim=1)
        lengths = data.lengths
        frame = {
            "id": np.repeat(data.ids, lengths),
            "step": np.concatenate([np.arange(1, n + 1) for n in lengths]),
            "predicted": pl.Series(spec["classes"])[best.indices.numpy()],
            "probability": best.values.numpy(),
        }
        return pl.DataFrame(frame), data.notes

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return numbers, symbols, lengths, and labels [B, T], −1 past the end of a row."""
        rows, lengths = self.parts[part].rows(index)
        inside = torch.arange(rows.shape[1]) < lengths[:, None]
        return *self.inputs(part, index), torch.where(inside, self.targets[rows], -1)

    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean of −ln p of the true label, over steps that have one."""
        *inputs, target = batch
        found = network(*inputs)
        count = (target >= 0).sum().clamp(min=1)
        return cross_entropy(found.mT, target, ignore_index=-1, reduction="sum") / count

    def predict(self, network: nn.Module) -> Tensor:
        """Return ln p of each label for all test steps, one after the other."""
        return torch.cat(_run(network, self.test_inputs())).log_softmax(dim=1)

    def baselines(self) -> dict[str, Tensor]:
        """Return the shares of the labels; by the step, by the symbols, by the numbers alone."""
        rows = self.parts["test"].all_rows()
        found = {"most frequent label": self._prior().expand(len(rows), -1)}
        train, count = self.parts["train"].all_rows(), len(self.classes)
        steps, asked = self._places("train"), self._places("test")
        if torch.isin(asked, steps).any():
            found["most frequent at the step"] = scores.given_symbols(
                steps, self.targets[train], asked, count
            )
        train = train[self.targets[train] >= 0]
        if self.encoding.sizes:
            known = self.symbols[train], self.targets[train]
            found["most frequent given the symbol"] = scores.given_symbols(
                *known, self.symbols[rows], count
            )
        if self.encoding.scales:
            some = train[spread(len(train), _MOST_STEPS)]
            found["logistic on the step"] = logistic(
                self.numbers[some].double(),
                self.targets[some],
                count,
                self.numbers[rows].double(),
            )
        return found

    def measure(self, predictions: Tensor) -> Measured:
        """Return the metrics; see `penstock.tasks.classes.measure`."""
        return scores.measure(predictions, self.targets[self.parts["test"].all_rows()])

    def profile_names(self) -> list[str]:
        """Return the labels that there are in the test part."""
        found = scores.present(self.targets[self.parts["test"].all_rows()])
        return [self.classes[k] for k in found.tolist()]

    def evidence(self) -> Evidence:
        """Return the labels of steps, and the columns beside them."""
        return of_steps(self, self.targets)

    def examples(self) -> list[dict[str, Any]]:
        """Return the beginnings of four test pieces, with their labels."""
        test, found = self.parts["test"], []
        for window in self.example_index().tolist():
            start, length = int(test.starts[window]), int(test.lengths[window])
            owner = int(test.owners[window])
            shown = range(start, start + min(length, _LONGEST_EXAMPLE))
            labels = self.targets[shown.start : shown.stop].tolist()
            found.append(
                {
                    "series": self.data.ids[owner],
                    "times": [str(row - int(self.data.offsets[owner]) + 1) for row in shown],
                    "actual": [None if label < 0 else float(label) for label in labels],
                    "context": 0,
                    "kind": "line",
                    "unit": str(self.data.layout.label),
                    "levels": list(self.classes),
                }
            )
        return found

    def example_predictions(self, predictions: Tensor) -> list[list[float]]:
        """Return the numbers of the most likely labels in the pieces of `examples`."""
        lengths = self.parts["test"].lengths.tolist()
        pieces = torch.split(predictions.argmax(dim=1), lengths)
        shown = [pieces[window] for window in self.example_index().tolist()]
        return [piece[:_LONGEST_EXAMPLE].double().tolist() for piece in shown]

    def _places(self, part: str) -> Tensor:
        """Return which step of its sequence each row of a part is, [N, 1]."""
        pieces = self.parts[part]
        owners = pieces.owners.repeat_interleave(pieces.lengths)
        return (pieces.all_rows() - torch.from_numpy(self.data.offsets)[owners])[:, None]

    def _prior(self) -> Tensor:
        return scores.log_prior(self.targets[self.parts["train"].all_rows()], len(self.classes))


def _run(network: nn.Module, inputs: Iterator[tuple[Tensor, Tensor, Tensor]]) -> list[Tensor]:
    """Return the outputs of the steps inside each row, one after the other, for each batch."""
    batches = list(inputs)
    found = []
    for outputs, (_, _, lengths) in zip(run(network, iter(batches)), batches, strict=True):
        found.append(outputs[torch.arange(outputs.shape[1]) < lengths[:, None]])
    return found


def _labelled(pieces: Pieces, known: np.ndarray) -> Pieces:
    """Return the pieces with at least one label."""
    before = torch.from_numpy(np.concatenate([[0], np.cumsum(known)]))
    kept = before[pieces.starts + pieces.lengths] > before[pieces.starts]
    return Pieces(pieces.starts[kept], pieces.lengths[kept], pieces.owners[kept])

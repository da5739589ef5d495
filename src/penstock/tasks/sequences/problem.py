"""What problems of sequences with labels share: inputs, parts, outputs, and what checks look at."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penstock.data.labelled.encoding import Encoding
from penstock.data.labelled.pieces import Pieces
from penstock.data.labelled.sequences import Sequences
from penstock.models.reader import Inputs
from penstock.tasks.codec import at_rest
from penstock.tasks.evidence import SAMPLE, Evidence
from penstock.tasks.measuring import Blocks, consecutive, whole_owners
from penstock.tasks.problem import Problem
from penstock.tasks.shared import spread

BATCH = 256  # sequences predicted at once
_POOL = 16  # batches drawn together, at most, where lengths vary


@dataclass(frozen=True)
class SequenceProblem(Problem):
    """A problem of sequences with labels.

    Attributes:
        data: the sequences.
        encoding: of their inputs.
        numbers, symbols: the inputs of all steps [N, F] and [N, C], encoded.
        parts: the sequences, or pieces of them, of each part.
        targets: [S] the label of each sequence, or [N] of each step.
    """

    every_step: ClassVar[bool] = False
    has_classes: ClassVar[bool] = True

    data: Sequences
    encoding: Encoding
    numbers: Tensor
    symbols: Tensor
    parts: dict[str, Pieces]
    targets: Tensor

    def size(self, part: str) -> int:
        """Return the number of sequences, or pieces of them, in a part."""
        return len(self.parts[part])

    def learned_from(self) -> int:
        """Return the steps of all training sequences."""
        return int(self.parts["train"].lengths.sum())

    def steps_in(self, part: str) -> int:
        """Return the steps of all sequences of a part."""
        return int(self.parts[part].lengths.sum())

    def draw(self, steps: int, batch_size: int) -> Tensor:
        """Return training sequences [steps, B], those of a batch of like length where lengths vary.

        A batch takes as long as the longest in it. So the sequences of several batches are drawn
        together, none of them twice, sorted by length, and handed out in an order of chance: at any
        step any sequence is as likely as any other.
        """
        lengths = self.parts["train"].lengths
        together = min(_POOL, len(lengths) // batch_size)
        if together < 2 or lengths.min() == lengths.max():
            return super().draw(steps, batch_size)
        pools = range(-(-steps // together))
        return torch.cat([_by_length(lengths, together, batch_size) for _ in pools])[:steps]

    def inputs(self, part: str, index: Tensor) -> Inputs:
        """Return the inputs of a part at `index` [B]."""
        pieces = self.parts[part]
        rows, lengths = pieces.rows(index)
        before = torch.from_numpy(self.data.offsets)[pieces.owners[index]]
        first = pieces.starts[index] - before
        return Inputs(self.numbers[rows], self.symbols[rows], lengths, first)

    def all_inputs(self, part: str) -> Iterator[Inputs]:
        """Yield the inputs of a part, some sequences at a time."""
        for index in torch.split(torch.arange(self.size(part)), BATCH):
            yield self.inputs(part, index)

    def members(self, part: str) -> list[str]:
        """Return the sequences of a part, or which of their steps."""
        return self.parts[part].named(self.data.ids, self.data.offsets)

    def labels(self, part: str) -> Tensor:
        """Return the targets of a part, one after the other."""
        pieces = self.parts[part]
        return self.targets[pieces.all_rows() if self.every_step else pieces.owners]

    def places(self, part: str) -> Tensor:
        """Return which step of its sequence each row of a part is, from 0, [N, 1]."""
        pieces = self.parts[part]
        owners = pieces.owners.repeat_interleave(pieces.lengths)
        return (pieces.all_rows() - torch.from_numpy(self.data.offsets)[owners])[:, None]

    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return numbers, symbols, lengths, and the labels [B]."""
        numbers, symbols, lengths, _ = self.inputs(part, index)
        assert lengths is not None
        return numbers, symbols, lengths, self.labels(part)[index]

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the inputs with zeros past the end of a row, and the lengths."""
        inputs = self.inputs(part, index)
        inside = inputs.inside()[..., None]
        assert inputs.lengths is not None
        return inputs.numbers * inside, inputs.symbols * inside, inputs.lengths

    def test_outputs(self, model: nn.Module) -> Tensor:
        """Return what a model says of the test sequences, or of each of their steps."""
        return run(model, self.all_inputs("test"), self.every_step)

    def test_blocks(self, scored: Tensor | None = None) -> Blocks:
        """Return blocks of the test labels: whole groups or sequences, unless cut in time."""
        test, train = self.parts["test"], self.parts["train"]
        owners = test.owners.repeat_interleave(test.lengths) if self.every_step else test.owners
        owners = owners if scored is None else owners[scored]
        if torch.isin(test.owners, train.owners).any():
            return consecutive(len(owners))
        groups = self.data.group_numbers()
        return whole_owners(owners if groups is None else torch.from_numpy(groups)[owners])

    def evidence(self) -> Evidence:
        """Return the labels, and the columns beside them."""
        return _of_steps(self) if self.every_step else _of_sequences(self)

    def example_index(self) -> Tensor:
        """Return which test sequences are drawn."""
        return spread(self.size("test"))


def _by_length(lengths: Tensor, count: int, size: int) -> Tensor:
    """Return batches [count, size] of different sequences, those of a batch of like length."""
    drawn = torch.randperm(len(lengths))[: count * size]
    batches = drawn[lengths[drawn].argsort(stable=True)].view(count, size)
    return batches[torch.randperm(count)]


def run(model: nn.Module, batches: Iterable[Inputs], every_step: bool) -> Tensor:
    """Return a model's outputs [W, O], of sequences or of the steps inside them, in order."""
    rows = []
    with at_rest(model):
        for inputs in batches:
            outputs = model.outputs(inputs)  # type: ignore[operator]
            rows.append(outputs[inputs.inside()] if every_step else outputs)
        return torch.cat(rows)


def _of_sequences(problem: SequenceProblem) -> Evidence:
    """Return the evidence of training sequences.

    Of a column of numbers the first, the mean and the last are looked at; of symbols the first
    and the last. Where a sequence is a row, each step is a column, and looked at by itself.
    """
    train = problem.parts["train"]
    index = torch.arange(min(SAMPLE, len(train))) * len(train) // min(SAMPLE, len(train))
    labelled = problem.targets[train.owners[index]].double().numpy()
    layout, groups, labels = problem.data.layout, problem.data.like_groups, problem.has_classes
    if len(layout.steps) > 1 and layout.numbers == layout.made:
        return Evidence(labelled, labels, _steps(problem, index), like_groups=groups)
    starts, lengths = train.starts[index], train.lengths[index]
    ends = starts + lengths - 1
    means = torch.stack([problem.numbers[s : s + n].mean(0) for s, n in _pairs(starts, lengths)])
    numbers = torch.stack([problem.numbers[starts], means, problem.numbers[ends]], dim=-1)
    symbols = torch.stack([problem.symbols[starts], problem.symbols[ends]], dim=-1)
    return Evidence(labelled, labels, _columns(problem, numbers, symbols), like_groups=groups)


def _of_steps(problem: SequenceProblem) -> Evidence:
    """Return the evidence of training steps: each column beside the label of the same step."""
    targets = problem.targets
    rows = problem.parts["train"].all_rows()
    rows = rows[targets[rows] >= 0]
    rows = rows[torch.arange(min(SAMPLE, len(rows))) * len(rows) // min(SAMPLE, len(rows))]
    numbers, symbols = problem.numbers[rows, :, None], problem.symbols[rows, :, None]
    columns = _columns(problem, numbers, symbols)
    labels = targets[rows].double().numpy()
    return Evidence(labels, True, columns, like_groups=problem.data.like_groups)


def _pairs(starts: Tensor, lengths: Tensor) -> list[tuple[int, int]]:
    return list(zip(starts.tolist(), lengths.tolist(), strict=True))


def _steps(problem: SequenceProblem, index: Tensor) -> dict[str, NDArray[np.float64]]:
    """Return the columns of sequences in rows by name, [N, 1] each; past its end a row's last."""
    numbers = problem.inputs("train", index)[0][..., 0].double()
    last = numbers.shape[1] - 1
    names = enumerate(problem.data.layout.steps)
    return {name: numbers[:, [min(step, last)]].numpy() for step, name in names}


def _columns(
    problem: SequenceProblem, numbers: Tensor, symbols: Tensor
) -> dict[str, NDArray[np.float64]]:
    """Return the columns by name, from [N, F, J] numbers and [N, C, J] symbols."""
    layout = problem.data.layout
    pairs = zip(layout.numbers, numbers.double().unbind(1), strict=True)
    codes = zip(layout.symbols, symbols.double().unbind(1), strict=True)
    return {name: values.numpy() for name, values in (*pairs, *codes)}

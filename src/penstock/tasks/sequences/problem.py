"""Problems of sequences with labels: inputs, parts, and how they are bound to data."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penstock.data.encoding import Encoding
from penstock.data.pieces import Pieces
from penstock.data.sequences import Sequences
from penstock.data.splits import Members, divide
from penstock.errors import DataError
from penstock.models.reader import Inputs
from penstock.tasks.codec import at_rest
from penstock.tasks.evidence import Evidence
from penstock.tasks.sequences.evidence import of_sequences, of_steps
from penstock.tasks.shared import check_parts, spread
from penstock.tasks.task import Problem

BATCH = 256  # sequences predicted at once


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

    def evidence(self) -> Evidence:
        """Return the labels, and the columns beside them."""
        return of_sequences(self) if not self.every_step else of_steps(self)

    def example_index(self) -> Tensor:
        """Return which test sequences are drawn."""
        return spread(self.size("test"))


Encoded = tuple[Sequences, Encoding, Tensor, Tensor, dict[str, Pieces]]


def encoded(data: Sequences, parts: dict[str, Pieces]) -> Encoded:
    """Return what a `SequenceProblem` begins with: data, and inputs as training encodes them.

    Raises:
        DataError: a part is empty.
    """
    check_parts(parts, data.name)
    encoding = Encoding.fit(data, parts["train"].all_rows())
    return data, encoding, *encoding.encode(data), parts


def divided(data: Sequences, kept: NDArray[np.int64], strata: NDArray[np.int64]) -> Members:
    """Return which of the sequences `kept` [K], whose classes are `strata` [K], are in which part.

    Raises:
        DataError: the parts that the user wants cannot be.
    """
    told = (
        None
        if data.parts is None
        else data.parts.gather(data.offsets[:-1]).to_numpy()[kept].astype(np.str_)
    )
    groups = data.group_numbers()
    try:
        by_part = divide(strata, told, None if groups is None else groups[kept])
    except DataError as error:
        raise DataError(f"{data.name}: {error}") from None
    return {part: kept[members] for part, members in by_part.items()}


def make_spec(problem: SequenceProblem, start: Tensor, **more: Any) -> dict[str, Any]:
    """Return columns, encoding, the outputs that an untrained network gives, and what is more."""
    return {
        "layout": asdict(problem.data.layout),
        "encoding": problem.encoding.record(),
        **more,
        "start": start.tolist(),
    }


def run(model: nn.Module, batches: Iterable[Inputs], every_step: bool) -> Tensor:
    """Return a model's outputs [W, O], of sequences or of the steps inside them, in order."""
    rows = []
    with at_rest(model):
        for inputs in batches:
            outputs = model.outputs(inputs)  # type: ignore[operator]
            rows.append(outputs[inputs.inside()] if every_step else outputs)
        return torch.cat(rows)

"""What the tasks on labelled sequences share: inputs, parts, the network, blocks of test data."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from penstock.cells import Cell
from penstock.conform import conform, same_length
from penstock.data.encoding import Encoding
from penstock.data.files import Source
from penstock.data.pieces import Pieces
from penstock.data.scaling import Scale
from penstock.data.sequences import Layout, Sequences, read_sequences
from penstock.data.series import Options
from penstock.errors import ArgumentError, DataError
from penstock.tasks.base import Task, spread
from penstock.tasks.reader import Reader, edge_parameters

_MOST_BLOCKS = 10
_BATCH = 256  # sequences predicted at once


class LabelledSpec(TypedDict):
    """What the specifications of tasks on labelled sequences share."""

    layout: Layout
    encoding: Encoding
    start: list[float]


class ClassesSpec(LabelledSpec):
    """That of a task whose labels are classes."""

    classes: list[str]


class NumberSpec(LabelledSpec):
    """That of a task whose labels are numbers."""

    scale: Scale


@dataclass(frozen=True)
class LabelledTask(Task):
    """A task on sequences with labels.

    Attributes:
        data: the sequences.
        encoding: of their inputs.
        numbers, symbols: the inputs of all steps [N, F] and [N, C], encoded.
        parts: the sequences, or pieces of them, of each part.
        per, has_classes: what has a label, and whether labels are classes or numbers.
    """

    per: ClassVar[Literal["sequence", "step"]]
    has_classes: ClassVar[bool]

    data: Sequences
    encoding: Encoding
    numbers: Tensor
    symbols: Tensor
    parts: dict[str, Pieces]

    @classmethod
    def read(cls, source: Source, options: Options) -> Sequences:
        """Return the sequences; see `penstock.data.sequences.read_sequences`."""
        return read_sequences(source, replace(options, task=cls.name))

    @classmethod
    def check_spec(cls, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: columns, their encoding, first outputs."""
        conform(spec, ClassesSpec if cls.has_classes else NumberSpec, "spec")
        layout, encoding = spec["layout"], spec["encoding"]
        same_length("spec.encoding.scales", encoding["scales"], layout["numbers"])
        same_length("spec.encoding.vocabularies", encoding["vocabularies"], layout["symbols"])
        outputs = spec["classes"] if cls.has_classes else ["the number"]
        same_length("spec.start", spec["start"], outputs)
        if layout["per"] != cls.per or not outputs:
            raise DataError(f"spec is none of the task {cls.name}")

    @classmethod
    def rebuild(cls, spec: dict[str, Any], cell: str | type[Cell], width: int) -> Reader:
        """Return an untrained network, as a specification says."""
        encoding = Encoding.of_record(spec["encoding"])
        step = spec["layout"]["per"] == "step"
        return Reader(cell, width, len(encoding.scales), encoding.sizes, spec["start"], step)

    def extra_parameters(self) -> int:
        """Return what embeddings and outputs take."""
        return edge_parameters(self.encoding.sizes, len(self.spec()["start"]))

    def size(self, part: str) -> int:
        """Return the number of sequences, or pieces of them, in a part."""
        return len(self.parts[part])

    def inputs(self, part: str, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return numbers [B, T, F], symbols [B, T, C] and lengths [B] of a part at `index` [B]."""
        rows, lengths = self.parts[part].rows(index)
        return self.numbers[rows], self.symbols[rows], lengths

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the inputs with zeros past the end of a row, and the lengths."""
        numbers, symbols, lengths = self.inputs(part, index)
        inside = (torch.arange(numbers.shape[1]) < lengths[:, None])[..., None]
        return numbers * inside, symbols * inside, lengths

    def test_inputs(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the inputs of the test part, some sequences at a time."""
        for index in torch.split(torch.arange(self.size("test")), _BATCH):
            yield self.inputs("test", index)

    def example_index(self) -> Tensor:
        """Return which test sequences are drawn."""
        return spread(self.size("test"))


def unlabelled(spec: dict[str, Any], source: Source) -> Sequences:
    """Return the sequences of other data, read as a model's specification says."""
    return read_sequences(source, Layout.of_record(spec["layout"]).options())


def encoded(spec: dict[str, Any], data: Sequences) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield numbers, symbols and lengths of whole sequences, some at a time."""
    numbers, symbols = Encoding.of_record(spec["encoding"]).encode(data)
    pieces = Pieces(
        torch.from_numpy(data.offsets[:-1]),
        torch.from_numpy(data.lengths),
        torch.arange(len(data)),
    )
    for index in torch.split(torch.arange(len(data)), _BATCH):
        rows, lengths = pieces.rows(index)
        yield numbers[rows], symbols[rows], lengths


def run(network: nn.Module, inputs: Iterator[tuple[Tensor, Tensor, Tensor]]) -> list[Tensor]:
    """Return a network's outputs for each batch of inputs."""
    network.eval()
    with torch.inference_mode():
        return [network(*batch) for batch in inputs]


def no_horizon(horizon: int | None, task: str) -> None:
    """Raise if a horizon was given.

    Raises:
        ArgumentError: one was.
    """
    if horizon is not None:
        raise ArgumentError(f"--horizon is for forecasting; --task {task} has none")


def group_means(scores: Tensor) -> tuple[float, ...]:
    """Return the means of up to ten consecutive groups of scores [W], of nearly equal size."""
    count = min(_MOST_BLOCKS, len(scores))
    return tuple(float(group.double().mean()) for group in torch.tensor_split(scores, count))


def pieces_note(offsets: NDArray[np.int64], longest: int) -> tuple[str, ...]:
    """Return a note if sequences, which start at `offsets` [S + 1], are longer than a piece."""
    if np.diff(offsets).max() <= longest:
        return ()
    why = "each from a state of zero: what came before a piece is not seen"
    return (f"sequences longer than {longest} steps are read in pieces of {longest}, {why}",)


def check_parts(parts: dict[str, Pieces], name: str) -> None:
    """Raise if a part is empty.

    Raises:
        DataError: one is.
    """
    empty = [part for part, pieces in parts.items() if not len(pieces)]
    if empty:
        raise DataError(f"{name}: too few data; nothing is left for {' and '.join(empty)}")

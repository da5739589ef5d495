"""What the tasks on labelled sequences share: inputs, parts, the network, what is kept of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import TypedDict

from penstock.cells import Cell
from penstock.data.files import Source
from penstock.data.labelled.encoding import Encoding
from penstock.data.labelled.pieces import Pieces
from penstock.data.labelled.sequences import Layout, Sequences, read_sequences
from penstock.data.scaling import Scale
from penstock.data.series import Options
from penstock.data.splits import Members, divide
from penstock.errors import DataError
from penstock.models.reader import Inputs, SequenceNetwork, edge_parameters
from penstock.record.checked import conform, same_length
from penstock.tasks.codec import Codec, Evaluated, at_rest
from penstock.tasks.methods import Method
from penstock.tasks.sequences.summaries import count_summaries
from penstock.tasks.shared import spread
from penstock.tasks.task import Problem

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
        for index in torch.split(torch.arange(self.size(part)), _BATCH):
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

    def example_index(self) -> Tensor:
        """Return which test sequences are drawn."""
        return spread(self.size("test"))


Tabulate = Callable[[dict[str, Any], Sequences, Tensor], pl.DataFrame]
Score = Callable[[dict[str, Any], Sequences, Tensor], Evaluated]


@dataclass(frozen=True)
class SequenceCodec(Codec):
    """How models of labelled sequences are kept and used.

    Attributes:
        task: its name.
        per, has_classes: what has a label, and whether labels are classes or numbers.
        methods: the type of each baseline.
        table: from specification, sequences and a model's outputs to the frame of predictions.
        score: from the same to metrics, and notes on what was left out.
    """

    task: str
    per: Literal["sequence", "step"]
    has_classes: bool
    methods: Mapping[str, type[Method]]
    table: Tabulate
    score: Score

    def check_spec(self, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: columns, their encoding, first outputs."""
        conform(spec, ClassesSpec if self.has_classes else NumberSpec, "spec")
        layout, encoding = spec["layout"], spec["encoding"]
        same_length("spec.encoding.scales", encoding["scales"], layout["numbers"])
        same_length("spec.encoding.vocabularies", encoding["vocabularies"], layout["symbols"])
        outputs = spec["classes"] if self.has_classes else ["the number"]
        same_length("spec.start", spec["start"], outputs)
        if layout.get("elapsed") not in (None, *layout["numbers"]):
            raise DataError("spec.layout.elapsed is none of the numbers")
        if layout["per"] != self.per or not outputs:
            raise DataError(f"spec is none of the task {self.task}")

    def sizes(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Return the numbers of inputs and outputs, and of the codes of each column of symbols."""
        encoding = Encoding.of_record(spec["encoding"])
        numbers = len(encoding.scales)
        return {
            "outputs": len(spec["start"]),
            "numbers": numbers,
            "symbols": len(encoding.sizes),
            "codes": encoding.sizes,
            "summaries": count_summaries(numbers, encoding.sizes),
            "place": 1,
        }

    def rebuild(self, spec: dict[str, Any], cell: str | type[Cell], width: int) -> SequenceNetwork:
        """Return an untrained network, as a specification says."""
        encoding, every_step = Encoding.of_record(spec["encoding"]), self.per == "step"
        numbers = len(encoding.scales)
        return SequenceNetwork(cell, width, numbers, encoding.sizes, spec["start"], every_step)

    def apply(
        self, model: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return the predictions for the sequences of other data, or for their steps."""
        data = read_sequences(source, Layout.of_record(spec["layout"]).options())
        return self.table(spec, data, self._outputs(model, spec, data)), data.notes

    def evaluate(self, model: nn.Module, spec: dict[str, Any], source: Source) -> Evaluated:
        """Return the metrics over all sequences, or steps, with a label that the model knows."""
        data = read_sequences(source, Layout.of_record(spec["layout"]).options())
        if data.labels.null_count() == len(data.labels):
            raise DataError(
                f"{data.name} has no labels in column {data.layout.label!r}; give data that have "
                "them, or use predict"
            )
        metrics, notes = self.score(spec, data, self._outputs(model, spec, data))
        return metrics, (*data.notes, *notes)

    def _outputs(self, model: nn.Module, spec: dict[str, Any], data: Sequences) -> Tensor:
        return run(model, _encoded(spec, data), self.per == "step")

    def extra_parameters(self, spec: dict[str, Any]) -> int:
        """Return what embeddings and outputs take."""
        sizes = Encoding.of_record(spec["encoding"]).sizes
        return edge_parameters(sizes, len(spec["start"]))


@dataclass(frozen=True)
class LabelledReader:
    """Reads sequences for a task; see `penstock.data.labelled.sequences.read_sequences`."""

    task: str

    def __call__(self, source: Source, options: Options) -> Sequences:
        """Return the sequences."""
        return read_sequences(source, replace(options, task=self.task))


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
        found = divide(strata, told, None if groups is None else groups[kept])
    except DataError as error:
        raise DataError(f"{data.name}: {error}") from None
    return {part: kept[members] for part, members in found.items()}


def make_spec(problem: SequenceProblem, start: Tensor, **more: Any) -> dict[str, Any]:
    """Return columns, encoding, the outputs that an untrained network gives, and what is more."""
    return {
        "layout": asdict(problem.data.layout),
        "encoding": problem.encoding.record(),
        **more,
        "start": start.tolist(),
    }


def sequence_settings(problem: SequenceProblem) -> dict[str, Any]:
    """Return how many sequences there are and how long, and the inputs."""
    lengths = problem.data.lengths
    return {
        "sequences": {part: len(pieces) for part, pieces in problem.parts.items()},
        "steps": [int(lengths.min()), int(np.median(lengths)), int(lengths.max())],
        "inputs": [*problem.data.layout.numbers, *problem.data.layout.symbols],
    }


def run(model: nn.Module, batches: Iterable[Inputs], every_step: bool) -> Tensor:
    """Return a model's outputs [W, O], of sequences or of the steps inside them, in order."""
    rows = []
    with at_rest(model):
        for inputs in batches:
            outputs = model.outputs(inputs)  # type: ignore[operator]
            rows.append(outputs[inputs.inside()] if every_step else outputs)
        return torch.cat(rows)


def _encoded(spec: dict[str, Any], data: Sequences) -> Iterator[Inputs]:
    """Yield the inputs of whole sequences, some at a time."""
    numbers, symbols = Encoding.of_record(spec["encoding"]).encode(data)
    pieces = Pieces(
        torch.from_numpy(data.offsets[:-1]),
        torch.from_numpy(data.lengths),
        torch.arange(len(data)),
    )
    for index in torch.split(torch.arange(len(data)), _BATCH):
        rows, lengths = pieces.rows(index)
        yield Inputs(numbers[rows], symbols[rows], lengths)

"""How models of labelled sequences are kept and used."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn
from typing_extensions import TypedDict

from penstock.cells import Cell
from penstock.data.files import Source
from penstock.data.labelled.encoding import Encoding
from penstock.data.labelled.pieces import Pieces
from penstock.data.labelled.sequences import Layout, Sequences, read_sequences
from penstock.data.scaling import Scale
from penstock.errors import DataError
from penstock.models.reader import Inputs, SequenceNetwork
from penstock.record.checked import conform, same_length
from penstock.record.structure import Structure
from penstock.tasks.codec import Codec, Evaluated
from penstock.tasks.methods import Method
from penstock.tasks.sequences.baselines.summaries import count_summaries
from penstock.tasks.sequences.problem import BATCH, SequenceProblem, run


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


Tabulate = Callable[[dict[str, Any], Sequences, Tensor], pl.DataFrame]
Score = Callable[[dict[str, Any], Sequences, Tensor], Evaluated]


@dataclass(frozen=True)
class SequenceCodec(Codec):
    """How models of labelled sequences are kept and used.

    Attributes:
        task: its name.
        problem: says whether a step or a sequence has a label, and whether it is a class.
        methods: the type of each baseline.
        table: from specification, sequences and a model's outputs to the frame of predictions.
        score: from the same to metrics, and notes on what was left out.
    """

    reads_whole = True
    task: str
    problem: type[SequenceProblem]
    methods: Mapping[str, type[Method]]
    table: Tabulate
    score: Score

    def check_spec(self, spec: dict[str, Any]) -> None:
        """Raise unless it is a specification: columns, their encoding, first outputs."""
        conform(spec, ClassesSpec if self.problem.has_classes else NumberSpec, "spec")
        layout, encoding = spec["layout"], spec["encoding"]
        same_length("spec.encoding.scales", encoding["scales"], layout["numbers"])
        same_length("spec.encoding.vocabularies", encoding["vocabularies"], layout["symbols"])
        outputs = spec["classes"] if self.problem.has_classes else ["the number"]
        same_length("spec.start", spec["start"], outputs)
        if layout.get("elapsed") not in (None, *layout["numbers"]):
            raise DataError("spec.layout.elapsed is none of the numbers")
        if (layout["per"] == "step") != self.problem.every_step or not outputs:
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
            "all_codes": sum(encoding.sizes),
            "summaries": count_summaries(numbers, encoding.sizes),
            "place": 1,
        }

    def rebuild(
        self, spec: dict[str, Any], cell: str | type[Cell], structure: Structure
    ) -> SequenceNetwork:
        """Return an untrained network, as a specification says."""
        encoding, every_step = Encoding.of_record(spec["encoding"]), self.problem.every_step
        numbers = len(encoding.scales)
        return SequenceNetwork(cell, structure, numbers, encoding.sizes, spec["start"], every_step)

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
        return run(model, _encoded(spec, data), self.problem.every_step)


def _encoded(spec: dict[str, Any], data: Sequences) -> Iterator[Inputs]:
    """Yield the inputs of whole sequences, some at a time."""
    numbers, symbols = Encoding.of_record(spec["encoding"]).encode(data)
    pieces = Pieces(
        torch.from_numpy(data.offsets[:-1]),
        torch.from_numpy(data.lengths),
        torch.arange(len(data)),
    )
    for index in torch.split(torch.arange(len(data)), BATCH):
        rows, lengths = pieces.rows(index)
        yield Inputs(numbers[rows], symbols[rows], lengths)

"""What a task is made of: a problem, baselines, examples and a codec, bound to their data.

`TaskKind` is a task before it has seen data, and what `tasks()` finds by looking; `prepare` makes
of it and data a `Task`, one frozen value. None of the parts knows another's insides.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn

from penstock.cells import Cell
from penstock.data.files import Source
from penstock.data.series import Options
from penstock.data.understanding.understanding import Understanding
from penstock.tasks.codec import Codec
from penstock.tasks.evidence import Evidence
from penstock.tasks.methods import Method


class TaskData(Protocol):
    """What a comparison asks of data that a task has read."""

    def fingerprint(self) -> str:
        """Return a hash of all that is learned from."""

    def about(self) -> dict[str, Any]:
        """Return name, rows, series, missing, columns and sha256, for the record."""


@dataclass(frozen=True)
class Measured:
    """The errors of one set of predictions on the test windows.

    Attributes:
        metrics: the task's metrics by name.
        blocks: [K] the task's score over each of K consecutive stretches of test time, or groups
            of test sequences, for paired comparisons.
        profile: [P] the score at each of `Problem.profile_names`.
    """

    metrics: dict[str, float]
    blocks: tuple[float, ...]
    profile: tuple[float, ...]


@dataclass(frozen=True)
class ExampleWindow:
    """A test window to draw, in the data's own unit; its fields are fit for JSON.

    Attributes:
        series: the name of the window's sequence.
        times: [n] names of places on the x axis.
        actual: [n] what came (None: unknown).
        context: how many of these were known.
        kind: how it is drawn.
        unit: what the y axis shows.
        levels: names of the y axis's whole numbers, or none.
    """

    series: str
    times: list[str]
    actual: list[float | None]
    context: int = 0
    kind: Literal["line", "bars"] = "line"
    unit: str = ""
    levels: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return the example as values fit for JSON."""
        return {**vars(self), "levels": list(self.levels)}


class Problem(ABC):
    """What is to be learned, and how well it was: windows, loss, predictions and their errors.

    The first of `metrics` is the score by which contestants are ranked and compared; lower is
    better. `profile_of` says of what the profile is, one value each. `chance` names the baselines
    that never look at the input.
    """

    metrics: ClassVar[tuple[str, ...]]
    profile_of: ClassVar[str]
    chance: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def size(self, part: str) -> int:
        """Return the number of windows in the part "train", "validation" or "test"."""

    def draw(self, steps: int, batch_size: int) -> Tensor:
        """Return the training windows of the next steps [steps, B], from torch's random numbers."""
        return torch.randint(self.size("train"), (steps, batch_size))

    @abstractmethod
    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the windows of a part at `index` [B]."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean loss over a batch."""

    @abstractmethod
    def predict(self, model: nn.Module) -> Tensor:
        """Return the predictions of a network, or of a naive or linear method, for test windows."""

    @abstractmethod
    def measure(self, predictions: Tensor) -> Measured:
        """Return the errors of predictions for the test windows."""

    @abstractmethod
    def profile_names(self) -> list[str]:
        """Return the name of each value of the profile."""

    def members(self, part: str) -> list[str]:  # noqa: ARG002
        """Return what is in a part, in words: sequences, spans of time; for the record."""
        return []

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return windows as `batch` does, with zeros where a row has ended: equal ones are equal
        whatever else is in the batch.
        """
        return self.batch(part, index)

    def evidence(self) -> Evidence:
        """Return what the checks of a comparison look at; nothing unless a task says more."""
        return Evidence()


class Examples(ABC):
    """Some test windows to draw, and what was predicted for them."""

    @abstractmethod
    def shown(self) -> list[ExampleWindow]:
        """Return the windows."""

    @abstractmethod
    def predicted(self, predictions: Tensor) -> list[list[float]]:
        """Return the predictions for these windows, one for each time past context."""

    def bands(self, predictions: Tensor) -> list[list[tuple[float, float]]]:  # noqa: ARG002
        """Return an interval for each of these predictions; none where a task has no intervals."""
        return []


class Fit(Protocol):
    """The baselines of a task before they are fitted."""

    def __call__(self) -> dict[str, Method]:
        """Return each naive or linear method by name, fitted on the training part."""


@dataclass(frozen=True)
class Baseline:
    """A naive or linear method that was fitted, and the problem that it is measured by."""

    method: Method
    problem: Problem

    def weights(self) -> dict[str, Tensor]:
        """Return what was learned, for a file; nothing where nothing is."""
        return self.method.state_dict()

    def predict(self) -> Tensor:
        """Return the predictions for the test windows, computed once."""
        return self._predictions

    @cached_property
    def _predictions(self) -> Tensor:
        return self.problem.predict(self.method)


@dataclass(frozen=True)
class TaskKind:
    """A task before it has seen data.

    Attributes:
        name: by which it is chosen.
        asks: the task whose data it learns from, one of those between which
            `penstock.data.understanding.suits` decides: mostly its own name.
        codec: from a model's file to predictions.
        reader: behind `read`; it is given what was understood of the source, where that is known.
        bind: from what `read` returned, and a horizon or None, to the task's parts on these data;
            raises as `prepare`.
    """

    name: str
    asks: str
    codec: Codec
    reader: Callable[[Source, Options, Understanding | None], Any]
    bind: Callable[[Any, int | None], "Parts"]

    def read(
        self, source: Source, options: Options, understood: Understanding | None = None
    ) -> Any:
        """Return the data to learn from: a source with what the user said of it, as understood.

        Raises:
            DataError: the source or a cell cannot be used.
            ArgumentError: an option cannot be.
        """
        return self.reader(source, replace(options, task=self.asks), understood)

    def prepare(self, data: TaskData, horizon: int | None = None) -> "Task":
        """Return the task on what `read` returned: split, scaled, cut into windows.

        Raises:
            DataError: the data do not suffice.
            ArgumentError: the horizon cannot be.
        """
        parts = self.bind(data, horizon)
        return Task(**vars(parts), kind=self, data=data)


@dataclass(frozen=True)
class Parts:
    """What a task makes of data.

    Attributes:
        problem: windows, loss, predictions and their errors.
        fit: fits the baselines.
        examples: test windows to draw.
        settings: what was decided about the data, for the record (values fit for JSON).
        notes: what the user should know about these decisions, a sentence each.
        spec: what a trained model needs to be used on other data (values fit for JSON).
    """

    problem: Problem
    fit: Fit
    examples: Examples
    settings: dict[str, Any]
    notes: tuple[str, ...]
    spec: dict[str, Any]


@dataclass(frozen=True)
class Task(Parts):
    """A task and the data that it is bound to, in one value: they cannot be mismatched.

    Attributes:
        kind: the task itself.
        data: what its `read` returned.
    """

    kind: TaskKind
    data: TaskData

    @property
    def name(self) -> str:
        """The task's name."""
        return self.kind.name

    @property
    def codec(self) -> Codec:
        """From a model's file to predictions."""
        return self.kind.codec

    def network(self, cell: str | type[Cell], width: int) -> nn.Module:
        """Return an untrained network for this task."""
        return self.codec.rebuild(self.spec, cell, width)

    def extra_parameters(self) -> int:
        """Return how many learned values the data need; see `Codec.extra_parameters`."""
        return self.codec.extra_parameters(self.spec)

    @cached_property
    def baselines(self) -> Mapping[str, Baseline]:
        """The naive and linear methods by name, the simplest first; fitted once."""
        return {name: Baseline(method, self.problem) for name, method in self.fit().items()}

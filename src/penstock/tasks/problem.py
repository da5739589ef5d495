"""What is to be learned and how well it was, and test windows to draw: two parts of a task."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from penstock.tasks.evidence import Evidence


@dataclass(frozen=True)
class Measured:
    """The errors of one set of predictions on the test windows.

    Attributes:
        metrics: the task's metrics by name.
        blocks: [K] the task's score over each of K consecutive stretches of test time, or groups
            of test sequences, for paired comparisons.
        weights: [K] how much was measured in each; the score is the mean of blocks by weight.
        profile: [P] the score at each of `Problem.profile_names`.
        by_block: [K] of each metric but the score; see `penstock.tasks.measuring.measured`.
        lag: between how many neighbouring blocks errors may go together.
    """

    metrics: dict[str, float]
    blocks: tuple[float, ...]
    weights: tuple[float, ...]
    profile: tuple[float, ...]
    by_block: dict[str, tuple[float, ...]] = field(default_factory=dict)
    lag: int = 0


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
    better, which it need not be of the others. `meanings` says in words what each is. `profile_of`
    says of what the profile is, one value each. `promised` holds the metrics that are shares of
    values inside an interval, and the share that is promised.
    """

    metrics: ClassVar[tuple[str, ...]]
    meanings: ClassVar[Mapping[str, str]]
    profile_of: ClassVar[str]
    promised: ClassVar[Mapping[str, float]] = MappingProxyType({})

    @abstractmethod
    def size(self, part: str) -> int:
        """Return the number of windows in the part "train", "validation" or "test"."""

    def learned_from(self) -> int:
        """Return how many steps there are to learn from."""
        return self.size("train")

    def steps_in(self, part: str) -> int:
        """Return how many steps of the data a part holds."""
        return self.size(part)

    def draw(self, steps: int, batch_size: int) -> Tensor:
        """Return the training windows of the next steps [steps, B], from torch's random numbers."""
        return torch.randint(self.size("train"), (steps, batch_size))

    @abstractmethod
    def batch(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return the windows of a part at `index` [B]."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        """Return the mean loss over a batch."""

    def calibrate(self, network: nn.Module) -> None:  # noqa: B027  (most tasks have no intervals)
        """Learn from validation data what a trained network says of its own errors, if anything."""

    @abstractmethod
    def predict(self, model: nn.Module) -> Tensor:
        """Return the predictions of a network, or of a baseline, for test windows."""

    @abstractmethod
    def measure(self, predictions: Tensor) -> Measured:
        """Return the errors of predictions for the test windows."""

    @abstractmethod
    def profile_names(self) -> list[str]:
        """Return the name of each value of the profile."""

    def class_names(self) -> list[str]:
        """Return the classes that `confusion` counts; none where nothing is classified."""
        return []

    def confusion(self, predictions: Tensor) -> list[list[int]]:  # noqa: ARG002
        """Return how often each class, a row, was taken for each, a column, in the test part."""
        return []

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

"""What a task is: it owns its loss, its errors, its baselines, its predictions and its data."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import polars as pl
import torch
from torch import Tensor, nn

from penstock.cells import Cell
from penstock.data.files import Source
from penstock.data.series import Options
from penstock.tasks.evidence import Evidence


class Data(Protocol):
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
        profile: [P] the score at each of `Task.profile_names`.
    """

    metrics: dict[str, float]
    blocks: tuple[float, ...]
    profile: tuple[float, ...]


EXAMPLES = 4  # test windows to draw


def spread(size: int, most: int = EXAMPLES) -> Tensor:
    """Return up to `most` numbers from 0 to size − 1, evenly spread, with both ends."""
    count = min(most, size)
    return torch.arange(count) * (size - 1) // max(count - 1, 1)


class Task(ABC):
    """A task bound to data: what to learn from them, and how well it was learned.

    A subclass in this package is found by its `name`. The first of `metrics` is the score by which
    contestants are ranked and compared; lower is better. `profile_of` says of what the profile is,
    one value each. `chance` names the naive methods that never look at the input.
    """

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    profile_of: ClassVar[str]
    chance: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def read(cls, source: Source, options: Options) -> Data:
        """Return the data to learn from.

        Raises:
            DataError: the source or one of its cells cannot be used.
            ArgumentError: an option cannot be.
        """

    @classmethod
    @abstractmethod
    def prepare(cls, data: Any, horizon: int | None = None) -> Self:
        """Return the task on what `read` returned: split, scaled, cut into windows.

        Raises:
            DataError: the data do not suffice.
            ArgumentError: the horizon cannot be.
        """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what was decided about the data, for the record (values fit for JSON)."""

    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """Return what the user should know about these decisions, a sentence each."""

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """Return what a trained network needs to be used on other data (values fit for JSON)."""

    @classmethod
    @abstractmethod
    def check_spec(cls, spec: dict[str, Any]) -> None:
        """Raise unless a specification, as a file has it, is one that `spec` could have returned.

        Raises:
            DataError: it is none.
        """

    @classmethod
    @abstractmethod
    def rebuild(cls, spec: dict[str, Any], cell: str | type[Cell], width: int) -> nn.Module:
        """Return an untrained network around layers of a cell with `width` hidden units."""

    @classmethod
    @abstractmethod
    def apply(
        cls, network: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return a trained network's predictions for other data, and notes on them.

        Raises:
            DataError: the source or one of its cells cannot be used.
        """

    def network(self, cell: str | type[Cell], width: int) -> nn.Module:
        """Return an untrained network for this task."""
        return self.rebuild(self.spec(), cell, width)

    def extra_parameters(self) -> int:
        """Return how many learned values the data need beside those that all comparisons give.

        So that many symbols, classes or columns leave a network its width.
        """
        return 0

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
    def predict(self, network: nn.Module) -> Tensor:
        """Return a network's predictions for the test windows."""

    @abstractmethod
    def baselines(self) -> dict[str, Tensor]:
        """Return the predictions of each naive method for the test windows."""

    @abstractmethod
    def measure(self, predictions: Tensor) -> Measured:
        """Return the errors of predictions for the test windows."""

    @abstractmethod
    def profile_names(self) -> list[str]:
        """Return the name of each value of the profile."""

    @abstractmethod
    def examples(self) -> list[dict[str, Any]]:
        """Return some test windows to draw, in the data's own unit (values fit for JSON).

        Keys: series, the name of the window's sequence; times, [n] names of places on the x axis;
        actual, [n] what came (None: unknown); context, how many of these were known; kind, "line"
        or "bars"; unit, what the y axis shows; levels, names of the y axis's whole numbers, or [].
        """

    @abstractmethod
    def example_predictions(self, predictions: Tensor) -> list[list[float]]:
        """Return the predictions for the windows of `examples`, one for each time past context."""

    def example_bands(self, predictions: Tensor) -> list[list[tuple[float, float]]]:  # noqa: ARG002
        """Return an interval for each example prediction; none where a task has no intervals."""
        return []

    def contents(self, part: str, index: Tensor) -> tuple[Tensor, ...]:
        """Return windows as `batch` does, with zeros where a row has ended: equal ones are equal
        whatever else is in the batch.
        """
        return self.batch(part, index)

    def evidence(self) -> Evidence:
        """Return what the checks of a comparison look at; nothing unless a task says more."""
        return Evidence()

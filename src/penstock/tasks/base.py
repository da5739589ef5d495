"""What a task is: it owns its loss, its errors, its baselines and its predictions."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from penstock.cells import Cell
from penstock.data import Dataset


@dataclass(frozen=True)
class Measured:
    """The errors of one set of predictions on the test windows.

    Attributes:
        metrics: the task's metrics by name.
        blocks: [K] the task's score over each of K consecutive stretches of test time, for paired
            comparisons.
        profile: the score at each step ahead (or of each class, as the task says).
    """

    metrics: dict[str, float]
    blocks: tuple[float, ...]
    profile: tuple[float, ...]


class Task(ABC):
    """A task bound to data: what to learn from them, and how well it was learned.

    A subclass in this package is found by its `name`. Lower metrics are better; the first of
    `metrics` is the score by which contestants are ranked and compared.
    """

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def prepare(cls, dataset: Dataset, horizon: int | None = None) -> Self:
        """Return the task on a dataset: split, scaled, cut into windows.

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
    def network(self, cell: str | type[Cell], width: int) -> nn.Module:
        """Return an untrained network around layers of a cell with `width` hidden units."""

    @abstractmethod
    def size(self, part: str) -> int:
        """Return the number of windows in the part "train", "validation" or "test"."""

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
    def examples(self) -> list[dict[str, Any]]:
        """Return some test windows to draw, in the data's own unit (values fit for JSON)."""

    @abstractmethod
    def example_predictions(self, predictions: Tensor) -> list[list[float]]:
        """Return the predictions for the windows of `examples`, in the data's own unit."""

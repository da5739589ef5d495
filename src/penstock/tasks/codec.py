"""What is kept of a task: from a specification, as a file has it, to a model that predicts."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import polars as pl
import torch
from torch import Tensor, nn

from penstock.cells import Cell
from penstock.data.files import Source
from penstock.record.structure import Structure
from penstock.tasks.methods import Method, load

Evaluated = tuple[dict[str, float], tuple[str, ...]]  # metrics by name, and notes on them


class Codec(ABC):
    """From a specification, as a file has it, to a model, and from a model to predictions.

    A specification is all that a model needs to be used on other data: columns, scales, classes.

    Attributes:
        methods: the type of each baseline by name.
        reads_whole: whether a prediction may rest on what comes later in its sequence.
    """

    reads_whole: ClassVar[bool] = False
    methods: Mapping[str, type[Method]]

    @abstractmethod
    def check_spec(self, spec: dict[str, Any]) -> None:
        """Raise unless a specification, as a file has it, is one that a task could have made.

        Raises:
            DataError: it is none.
        """

    @abstractmethod
    def sizes(self, spec: dict[str, Any]) -> dict[str, int]:
        """Return the sizes that a specification fixes, by the names that `Method.shapes` uses."""

    @abstractmethod
    def rebuild(
        self, spec: dict[str, Any], cell: str | type[Cell], structure: Structure
    ) -> nn.Module:
        """Return an untrained network around recurrent layers of a cell."""

    @abstractmethod
    def apply(
        self, model: nn.Module, spec: dict[str, Any], source: Source
    ) -> tuple[pl.DataFrame, tuple[str, ...]]:
        """Return a model's predictions for other data, and notes on them.

        Raises:
            DataError: the source or one of its cells cannot be used.
        """

    @abstractmethod
    def evaluate(self, model: nn.Module, spec: dict[str, Any], source: Source) -> Evaluated:
        """Return the task's metrics of a model on all of other data, and notes on them.

        Raises:
            DataError: the source or one of its cells cannot be used, or holds nothing to compare
                predictions with.
        """

    def rebuild_baseline(
        self, name: str, spec: dict[str, Any], weights: Mapping[str, Tensor]
    ) -> Method:
        """Return the naive or linear method of that name whose weights these are.

        Raises:
            DataError: there is no such method, or its weights do not fit the specification.
        """
        return load(self.methods, name, self.sizes(spec), weights)


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Use a model without training it: dropout is off, and no gradient is kept."""
    model.eval()
    with torch.inference_mode():
        yield

"""What a task is made of: a problem, baselines, examples and a codec, bound to their data.

`TaskKind` is a task before it has seen data, and what `tasks()` finds by looking; `prepare` makes
of it and data a `Task`, one frozen value. None of the parts knows another's insides.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from threadpoolctl import threadpool_limits
from torch import Tensor, nn

from penstock.cells import Cell
from penstock.data.files import Source
from penstock.data.series import Options
from penstock.data.understanding.understanding import Understanding
from penstock.errors import ArgumentError, DataError
from penstock.record.structure import Structure
from penstock.tasks.codec import Codec
from penstock.tasks.methods import Method
from penstock.tasks.problem import Examples, Measured, Problem


class TaskData(Protocol):
    """What a comparison asks of data that a task has read."""

    def fingerprint(self) -> str:
        """Return a hash of all that is learned from."""

    def about(self) -> dict[str, Any]:
        """Return name, rows, series, missing, columns and sha256, for the record."""


class Fit(Protocol):
    """The baselines of a task before they are fitted."""

    def __call__(self) -> dict[str, Method]:
        """Return each baseline by name, fitted on the training part."""


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
    def measured(self) -> Measured:
        """The errors of these predictions."""
        return self.problem.measure(self._predictions)

    @cached_property
    def _predictions(self) -> Tensor:
        return self.problem.predict(self.method)


def redrawn(data: Any, number: int) -> Any:
    """Return data whose `draw` is the number."""
    return replace(data, draw=number)


@dataclass(frozen=True)
class TaskKind:
    """A task before it has seen data.

    Attributes:
        name: by which it is chosen.
        asks: the task whose data it learns from, one of those between which
            `penstock.data.understanding.suits` decides: mostly its own name.
        codec: from a model's file to predictions.
        reader: behind `read`; it is given what was understood of the source, where that is known.
        bind: from what `read` returned to the task's parts on these data; raises as `prepare`.
        has_horizon: whether steps are forecast, so that `bind` takes a horizon, or None, too.
        has_context: whether there is a number of steps to look at, or that the gradient goes back,
            so that `bind` takes it, or None, last.
        redraw: from data and a number to the same data with their parts drawn anew; None where
            that has no meaning.
    """

    name: str
    asks: str
    codec: Codec
    reader: Callable[[Source, Options, Understanding | None], Any]
    bind: Callable[..., "Parts"]
    has_horizon: bool = False
    has_context: bool = False
    redraw: Callable[[Any, int], Any] | None = None

    def read(
        self, source: Source, options: Options, understood: Understanding | None = None
    ) -> Any:
        """Return the data to learn from: a source with what the user said of it, as understood.

        Raises:
            DataError: the source or a cell cannot be used.
            ArgumentError: an option cannot be.
        """
        return self.reader(source, replace(options, task=self.asks), understood)

    def prepare(
        self, data: TaskData, horizon: int | None = None, context: int | None = None
    ) -> "Task":
        """Return the task on what `read` returned: split, scaled, cut into windows.

        Raises:
            DataError: the data do not suffice.
            ArgumentError: the horizon or the context cannot be.
        """
        if horizon is not None and not self.has_horizon:
            raise ArgumentError(f"--horizon is for forecasting; --task {self.name} has none")
        if context is not None and not self.has_context:
            raise ArgumentError(
                f"--context is for forecasts, text and frames; --task {self.name} has none"
            )
        told = [horizon] * self.has_horizon + [context] * self.has_context
        parts = self.bind(data, *told)
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
        contexts: how many of the last steps a network may look at, the usual number first; none
            where it is not for a network to choose.
    """

    problem: Problem
    fit: Fit
    examples: Examples
    settings: dict[str, Any]
    notes: tuple[str, ...]
    spec: dict[str, Any]
    contexts: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
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

    def resplit(self, number: int) -> "Task":
        """Return the task with its parts drawn anew; a number stands for the same parts always.

        Raises:
            ArgumentError, DataError: they cannot be.
        """
        if self.kind.redraw is None:
            raise ArgumentError(
                f"--resplits is for series and sequences; --task {self.name} has one text, and "
                "its end alone is tested"
            )
        told = (self.settings.get("horizon"), self.settings.get("context"))
        try:
            return self.kind.prepare(self.kind.redraw(self.data, number), *told)
        except (ArgumentError, DataError) as error:
            raise type(error)(f"--resplits: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to the processes of trials, which need no baselines."""
        return {name: value for name, value in vars(self).items() if name != "baselines"}

    def network(self, cell: str | type[Cell], structure: Structure) -> nn.Module:
        """Return an untrained network for this task."""
        return self.codec.rebuild(self.spec, cell, structure)

    @cached_property
    def baselines(self) -> Mapping[str, Baseline]:
        """The baselines by name, the simplest first; fitted once.

        On one thread: on a busy machine the threads of OpenMP wait for each other at every node of
        a tree, and what takes seconds takes many minutes.
        """
        with threadpool_limits(limits=1):
            return {name: Baseline(method, self.problem) for name, method in self.fit().items()}

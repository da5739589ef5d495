"""Who was compared in a comparison: cells with their trials, and baselines."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.record.structure import Setting, Structure

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Trial:
    """One cell trained once.

    Attributes:
        seed: what its weights and batches depend on.
        setting: what the search decided for it.
        status: "finished"; "pruned" where the search dropped it before its end; "diverged" where a
            loss was not finite; "failed" where an error or the
            end of its process stopped it; "cut" where the time of the whole run was up. One that
            diverged or was cut is measured too, with the best weights that it had, if it got better
            at all.
        ended: why training stopped: "patience", "steps", "diverged", "search", or what failed, in
            words.
        losses: (training, validation) loss of each round; the first is before any step.
        best_round: the round whose weights were kept.
        metrics, blocks, profile: as `penstock.tasks.problem.Measured`; empty unless it was
            measured. A trial of the search has none: it never sees test data.
        by_block: of each metric but the score, what each block says of it, as there.
        predictions, bands: for the windows of `Record.examples`, in the data's unit; bands are
            intervals, and empty where the task has none.
        times: seconds of the processor, {"train": …, "predict": …, "rounds": […]}.
        confusion: how often each class, a row, was taken for each, a column; empty where nothing
            is classified.
    """

    seed: int
    setting: Setting
    status: Literal["finished", "pruned", "diverged", "failed", "cut"]
    ended: str
    losses: list[list[float | None]] = field(default_factory=list)
    best_round: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    blocks: list[float] = field(default_factory=list)
    profile: list[float] = field(default_factory=list)
    predictions: list[list[float]] = field(default_factory=list)
    bands: list[list[Bounds]] = field(default_factory=list)
    times: dict[str, Any] = field(default_factory=dict)
    by_block: dict[str, list[float]] = field(default_factory=dict)
    confusion: list[list[int]] = field(default_factory=list)

    @property
    def measured(self) -> bool:
        """Whether it has a result on the test data."""
        return bool(self.blocks)

    @property
    def best_loss(self) -> float:
        """The validation loss of the weights kept."""
        loss = self.losses[self.best_round][1] if self.losses else None
        return float("inf") if loss is None else loss


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """What cells and baselines have in common.

    Attributes:
        name: of the cell or of the baseline.
        rank: from 1 by the first metric; None where no trial was measured.
        metrics: means over the trials that were measured.
        intervals: 95 % intervals of these means, of what other seeds and other test data would
            change; None where unknown.
        blocks: [trials measured][K] scores; a baseline has one row.
        weights: [K] how much was measured in each block; equal ones where it is empty.
        lag: between how many neighbouring blocks errors may go together.
        profile: mean over trials of the score by step ahead.
        predictions, bands: for the examples; a cell's are those of its best trial by validation.
        confusion: as that of a trial, and a cell's is that of its best one too.
        model: path of the model file beside results.json, or None.
    """

    name: str
    rank: int | None
    metrics: dict[str, float]
    intervals: dict[str, Bounds | None]
    blocks: list[list[float]]
    profile: list[float]
    predictions: list[list[float]]
    bands: list[list[Bounds]] = field(default_factory=list)
    model: str | None = None
    weights: list[float] = field(default_factory=list)
    lag: int = 0
    confusion: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class BaselineContestant(Entrant):
    """A method without recurrence.

    Attributes:
        kind: whether it is blind to the input, a naive rule, or a classical model that is fitted.
    """

    kind: Literal["blind", "naive", "classical"]


@dataclass(frozen=True, kw_only=True)
class CellContestant(Entrant):
    """A cell with its trials.

    Attributes:
        structure: of its recurrent layers.
        parameters: of the whole network.
        recurrent_parameters: of its recurrent layers alone, which are as many for every cell that
            was given as many.
        flops_per_step: of matrix products in one step of the recurrent layers, for one sequence
            (a multiply-add counts 2; elementwise work is not counted).
        setting: of the trials, chosen among those of `tuning`.
        trials: that are measured.
        tuning: a trial for each setting that the search tried.
        health: of the trial with the best validation loss; see `penstock.comparison.inspection`.
        times: seconds of the processor, {"train": mean of a trial, "predict": all test windows,
            "step": one optimisation step, both at their quickest}, and "same_clock": {"rounds",
            "metrics", "intervals"}, what validation chose within `Record.times["clock"]`.
    """

    kind: Literal["cell"] = "cell"
    structure: Structure
    parameters: int
    recurrent_parameters: int
    flops_per_step: int
    setting: Setting
    trials: list[Trial]
    tuning: list[Trial] = field(default_factory=list)
    health: dict[str, float | None] = field(default_factory=dict)
    times: dict[str, Any] = field(default_factory=dict)

    @property
    def measured(self) -> list[Trial]:
        """The trials that have a result."""
        return [trial for trial in self.trials if trial.measured]


Contestant = CellContestant | BaselineContestant


def cells_among(contestants: Iterable[Contestant]) -> list[CellContestant]:
    """Return the cells among contestants, in their order."""
    return [one for one in contestants if isinstance(one, CellContestant)]


def baselines_among(contestants: Iterable[Contestant]) -> list[BaselineContestant]:
    """Return the baselines among contestants, in their order."""
    return [one for one in contestants if isinstance(one, BaselineContestant)]

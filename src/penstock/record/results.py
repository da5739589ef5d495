"""What a comparison leaves behind: the schema of results.json, version penstock.results/3.

The file is a `Record` as JSON: an object's keys are the attributes below. All that is a time is
under a key `times`, so that two runs with the same seeds differ nowhere else. No torch is needed
to read one. A later version may add keys; one that changes a meaning changes the version.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from penstock import plain
from penstock.atomic import write
from penstock.errors import DataError
from penstock.opening import json_bytes, parse_json
from penstock.record import checked

SCHEMA = "penstock.results/3"

Bounds = tuple[float, float]
Status = Literal["fired", "silent", "not applicable", "skipped"]


@dataclass(frozen=True)
class Trial:
    """One cell trained once.

    Attributes:
        seed: what its weights and batches depend on.
        learning_rate: of Adam.
        status: "finished"; "diverged" where a loss was not finite; "failed" where an error or the
            end of its process stopped it; "cut" where the time of the whole run was up.
        ended: why training stopped: "patience", "steps", "diverged", or what failed, in words.
        losses: (training, validation) loss of each round; the first is before any step.
        best_round: the round whose weights were kept.
        metrics, blocks, profile: as `penstock.tasks.task.Measured`; empty unless it finished.
            A trial that tunes the learning rate has none: it never sees test data.
        predictions, bands: for the windows of `Record.examples`, in the data's unit; bands are
            intervals, and empty where the task has none.
        times: seconds of the processor, {"train": …, "predict": …, "rounds": […]}.
    """

    seed: int
    learning_rate: float
    status: Literal["finished", "diverged", "failed", "cut"]
    ended: str
    losses: list[list[float | None]] = field(default_factory=list)
    best_round: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    blocks: list[float] = field(default_factory=list)
    profile: list[float] = field(default_factory=list)
    predictions: list[list[float]] = field(default_factory=list)
    bands: list[list[Bounds]] = field(default_factory=list)
    times: dict[str, Any] = field(default_factory=dict)

    @property
    def best_loss(self) -> float:
        """The validation loss of the weights kept."""
        loss = self.losses[self.best_round][1] if self.losses else None
        return float("inf") if loss is None else loss


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """What cells and naive methods have in common.

    Attributes:
        name: of the cell or of the naive method.
        rank: from 1 by the first metric; None where no trial finished.
        metrics: means over the trials that finished.
        intervals: 95 % Student-t intervals of these means over seeds; None where unknown.
        blocks: [trials finished][K] scores; a naive method has one row.
        profile: mean over trials of the score by step ahead.
        predictions, bands: for the examples; a cell's are those of its best trial by validation.
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


@dataclass(frozen=True, kw_only=True)
class BaselineContestant(Entrant):
    """A naive or linear method."""

    kind: Literal["baseline"] = "baseline"


@dataclass(frozen=True, kw_only=True)
class CellContestant(Entrant):
    """A cell with its trials.

    Attributes:
        width: hidden units.
        parameters: of the whole network.
        flops_per_step: of matrix products in one step of the recurrent layers, for one sequence
            (a multiply-add counts 2; elementwise work is not counted).
        learning_rate: of the trials, chosen among those of `tuning`.
        trials: that are measured.
        tuning: a trial for each learning rate tried.
        health: of the trial with the best validation loss; see `penstock.comparison.inspection`.
        times: seconds of the processor, {"train": mean of a trial, "predict": all test windows,
            "step": one optimisation step, both at their quickest}, and "same_clock": {"rounds",
            "metrics", "intervals"}, what validation chose within `Record.times["clock"]`.
    """

    kind: Literal["cell"] = "cell"
    width: int
    parameters: int
    flops_per_step: int
    learning_rate: float
    trials: list[Trial]
    tuning: list[Trial] = field(default_factory=list)
    health: dict[str, float | None] = field(default_factory=dict)
    times: dict[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> list[Trial]:
        """The trials that have a result."""
        return [trial for trial in self.trials if trial.status == "finished"]


Contestant = CellContestant | BaselineContestant


def cells_among(contestants: Iterable[Contestant]) -> list[CellContestant]:
    """Return the cells among contestants, in their order."""
    return [one for one in contestants if isinstance(one, CellContestant)]


def baselines_among(contestants: Iterable[Contestant]) -> list[BaselineContestant]:
    """Return the naive and linear methods among contestants, in their order."""
    return [one for one in contestants if isinstance(one, BaselineContestant)]


@dataclass(frozen=True)
class Comparison:
    """Two contestants' scores, paired over seeds and blocks of test time.

    Attributes:
        first, second: their names.
        difference: mean of score(first) − score(second); below 0 the first is better.
        interval: 95 % interval of the difference; None where it cannot be told.
    """

    first: str
    second: str
    difference: float
    interval: Bounds | None


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        kind: "winner", "no clear winner", "nothing beats naive", "naive is better" or "failed".
        best: the contestant that won or has the lowest error; a naive one where a naive one wins.
        recommended: the cell to take, or None.
        smallest: of the cells that cannot be told from the best, the one to take for its size.
        sentences: the answer and its reasons, in words.
        times: what rests on measured time: {"fastest": a cell or None, "sentences": […]}.
    """

    kind: Literal["winner", "no clear winner", "nothing beats naive", "naive is better", "failed"]
    best: str
    recommended: str | None
    sentences: list[str]
    smallest: str | None = None
    times: dict[str, Any] = field(default_factory=dict)

    @property
    def winner(self) -> str | None:
        """The cell that is better than every other beyond doubt, or None."""
        return self.best if self.kind == "winner" else None


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        code: "P001", …; see `penstock.comparison.judging.checks`.
        name: of the check.
        status: "fired", "silent", "not applicable" (it had nothing to look at, which is no pass),
            or "skipped" (switched off).
        grave: where it fires, the comparison itself cannot be trusted.
        spoken: where it fires, the verdict says so among its reasons.
        about: when it fires, and what to do then.
        messages: what it found, a sentence each; empty unless it fired.
        reason: why it is not applicable.
    """

    code: str
    name: str
    status: Status
    grave: bool
    spoken: bool
    about: str
    messages: list[str]
    reason: str = ""


@dataclass(frozen=True)
class Record:
    """A comparison.

    Attributes:
        task: its name.
        metrics: names; the first is the score.
        profile_of: of what the contestants' profiles are, such as "step ahead".
        profile_names: the name of each value of a profile.
        data: name, rows, missing values, columns, and a hash of the values.
        settings: what the task decided (`Task.settings`).
        budget: what each trial could use (`Budget`), the common number of parameters, and the
            learning rates to try.
        seeds: of the trials of each cell.
        notes: what the user should know about the data.
        contestants: by rank.
        comparisons: each contestant against each other.
        verdict: the answer.
        checks: what each check found.
        cut: what was left out as time was up, or because of an error, a sentence each.
        examples: test windows to draw.
        versions: of penstock and torch.
        parts: the members of training, validation and test: sequences, or spans of time.
        times: seconds, {"total": of this run, "clock": the time in which the fastest cell takes
            all its steps}, and "workers", the trials at a time.
        schema: the version of this schema.
    """

    task: str
    metrics: list[str]
    profile_of: str
    profile_names: list[str]
    data: dict[str, Any]
    settings: dict[str, Any]
    budget: dict[str, Any]
    seeds: list[int]
    notes: list[str]
    contestants: list[Annotated[Contestant, Field(discriminator="kind")]]
    comparisons: list[Comparison]
    verdict: Verdict
    checks: list[Finding]
    cut: list[str]
    examples: list[dict[str, Any]]
    versions: dict[str, str]
    parts: dict[str, list[str]] = field(default_factory=dict)
    times: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    def save(self, path: Path) -> None:
        """Write the results, whole or not at all."""
        write_json(path, asdict(self))


def load_results(path: Path) -> Record:
    """Return the results in a results.json.

    Raises:
        DataError: the file is missing, damaged, or of another schema.
    """
    try:
        text = json_bytes(path)
        schema = parse_json(path, text)["schema"]
        if schema != SCHEMA:
            raise DataError(
                f"{path} has the schema {str(schema)[:80]!r}, and this version reads {SCHEMA}; run "
                "penstock compare on the data again"
            )
        return _checked(checked.parsed(Record, text))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        words = plain.one_line(str(error))
        raise DataError(f"{path} is no results.json of penstock compare ({words})") from None


def _checked(results: Record) -> Record:
    """Return results whose inner objects are known to be of their types, and whose names fit."""
    for kind, part in (
        (checked.DataRecord, "data"),
        (checked.Trained, "budget"),
        (checked.Versions, "versions"),
        (checked.Times, "times"),
        (list[checked.Example], "examples"),
    ):
        checked.check(kind, getattr(results, part), part)
    verdict = results.verdict
    checked.check(checked.Spoken, verdict.times, "verdict.times")
    named = (verdict.best, verdict.recommended, verdict.smallest, verdict.times.get("fastest"))
    for name in named:
        if name is not None and name not in {one.name for one in results.contestants}:
            raise ValueError(f"the verdict names {name!r}, which is no contestant")
    return results


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all; NaN and infinity are errors."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write(path, text + "\n")

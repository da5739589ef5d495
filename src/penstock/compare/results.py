"""What a comparison leaves behind: the schema of results.json, version penstock.results/1.

The file is a `Results` as JSON: an object's keys are the attributes below. All that is a time is
under a key `times`, so that two runs with the same seeds differ nowhere else. No torch is needed
to read one. A later version may add keys; one that changes a meaning changes the version.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from penstock.atomic import replacing
from penstock.errors import DataError

SCHEMA = "penstock.results/1"

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Trial:
    """One cell trained once.

    Attributes:
        seed: what its weights and batches depend on.
        status: "finished", or "diverged" where a loss was not finite.
        ended: why training stopped: "patience", "steps" or "diverged".
        losses: (training, validation) loss of each round; the first is before any step.
        best_round: the round whose weights were kept.
        metrics, blocks, profile: as `penstock.tasks.base.Measured`; empty where it diverged.
        predictions: for the windows of `Results.examples`, in the data's unit.
        times: seconds, {"train": …, "predict": …}.
    """

    seed: int
    status: Literal["finished", "diverged"]
    ended: str
    losses: list[list[float | None]]
    best_round: int
    metrics: dict[str, float] = field(default_factory=dict)
    blocks: list[float] = field(default_factory=list)
    profile: list[float] = field(default_factory=list)
    predictions: list[list[float]] = field(default_factory=list)
    times: dict[str, float] = field(default_factory=dict)

    @property
    def best_loss(self) -> float:
        """The validation loss of the weights kept."""
        loss = self.losses[self.best_round][1]
        return float("inf") if loss is None else loss


@dataclass(frozen=True)
class Contestant:
    """A cell with its trials, or a naive baseline.

    Attributes:
        name: of the cell or of the naive method.
        kind: "cell" or "baseline".
        rank: from 1 by the first metric; None where every trial diverged.
        metrics: means over the trials that finished.
        intervals: 95 % Student-t intervals of these means over seeds; None where unknown.
        width: hidden units.
        parameters: of the whole network.
        flops_per_step: of matrix products in one step of the recurrent layers, for one sequence
            (a multiply-add counts 2; elementwise work is not counted).
        blocks: [trials finished][K] scores; a baseline has one row.
        profile: mean over trials of the score by step ahead.
        predictions: of the trial with the best validation loss, for the examples.
        trials: none for a baseline.
        model: path of the model file beside results.json, or None.
        times: mean seconds a trial, {"train": …, "predict": …}.
    """

    name: str
    kind: Literal["cell", "baseline"]
    rank: int | None
    metrics: dict[str, float]
    intervals: dict[str, Bounds | None]
    blocks: list[list[float]]
    profile: list[float]
    predictions: list[list[float]]
    width: int | None = None
    parameters: int = 0
    flops_per_step: int = 0
    trials: list[Trial] = field(default_factory=list)
    model: str | None = None
    times: dict[str, float] = field(default_factory=dict)


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
        sentences: the answer and its reasons, in words.
    """

    kind: Literal["winner", "no clear winner", "nothing beats naive", "naive is better", "failed"]
    best: str
    recommended: str | None
    sentences: list[str]


@dataclass(frozen=True)
class Results:
    """A comparison.

    Attributes:
        task: its name.
        metrics: names; the first is the score.
        data: name, rows, missing values, columns, and a hash of the values.
        settings: what the task decided (`Task.settings`).
        budget: what each trial could use (`Budget`), and the common number of parameters.
        seeds: of the trials of each cell.
        notes: what the user should know about the data.
        contestants: by rank.
        comparisons: each cell against each other contestant.
        verdict: the answer.
        examples: test windows to draw.
        versions: of penstock and torch.
        schema: the version of this schema.
    """

    task: str
    metrics: list[str]
    data: dict[str, Any]
    settings: dict[str, Any]
    budget: dict[str, Any]
    seeds: list[int]
    notes: list[str]
    contestants: list[Contestant]
    comparisons: list[Comparison]
    verdict: Verdict
    examples: list[dict[str, Any]]
    versions: dict[str, str]
    schema: str = SCHEMA

    def save(self, path: Path) -> None:
        """Write the results, whole or not at all."""
        write_json(path, asdict(self))


def load_results(path: Path) -> Results:
    """Return the results in a results.json.

    Raises:
        DataError: the file is missing, damaged, or of another schema.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
        if raw["schema"] != SCHEMA:
            raise DataError(f"{path} has the schema {raw['schema']!r}; this is {SCHEMA}")
        raw["contestants"] = [_contestant(entry) for entry in raw["contestants"]]
        raw["comparisons"] = [Comparison(**entry) for entry in raw["comparisons"]]
        return Results(**{**raw, "verdict": Verdict(**raw["verdict"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is no results.json of penstock compare ({error})") from None


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all; NaN and infinity are errors."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", "utf-8")


def _contestant(raw: dict[str, Any]) -> Contestant:
    return Contestant(**{**raw, "trials": [Trial(**trial) for trial in raw["trials"]]})

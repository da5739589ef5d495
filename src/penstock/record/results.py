"""What a comparison leaves behind: the schema of results.json, version penstock.results/4.

The file is a `Record` as JSON: an object's keys are the attributes below. All that is a time is
under a key `times`, so that two runs with the same seeds differ nowhere else. No torch is needed
to read one. A later version may add keys; one that changes a meaning changes the version.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from penstock.atomic import write_json
from penstock.record.contestants import Bounds, Contestant

SCHEMA = "penstock.results/4"

Kind = Literal[
    "winner",
    "no clear winner",
    "best so far",
    "nothing beats the baselines",
    "a baseline is better",
    "failed",
]
Status = Literal["fired", "silent", "not applicable", "skipped"]


@dataclass(frozen=True)
class Comparison:
    """Two contestants' scores, paired over seeds and blocks of test time.

    Attributes:
        first, second: their names.
        difference: mean of score(first) − score(second); below 0 the first is better.
        interval: 95 % interval of the difference; None where it cannot be told.
        p: how likely a difference as large is by chance where there is none; None as above. It is
            of this comparison by itself, not corrected for how many there are.
    """

    first: str
    second: str
    difference: float
    interval: Bounds | None
    p: float | None = None


@dataclass(frozen=True)
class Verdict:
    """The answer.

    Attributes:
        kind: "winner", "no clear winner", "best so far" (too few seeds for a winner), "nothing
            beats the baselines", "a baseline is better" or "failed".
        best: the contestant that won or has the lowest error; a baseline where none is beaten.
        recommended: the cell to take, or None.
        smallest: of the cells that cannot be told from the best, the one to take for its size.
        sentences: the answer and its reasons, in words.
        times: what rests on measured time: {"fastest": a cell or None, "sentences": […]}.
    """

    kind: Kind
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
class Resplits:
    """The same comparison on other splits of the same data, for claims about new data.

    Attributes:
        scores: of each contestant on each of the splits; a cell is trained once on each, with the
            setting that was chosen on the first split.
        ratio: size of the test part, by that of what is learned from.
        comparisons: each contestant against each other, with Nadeau & Bengio's variance (2003).
    """

    scores: dict[str, list[float]]
    ratio: float
    comparisons: list[Comparison]


@dataclass(frozen=True)
class Record:
    """A comparison.

    Attributes:
        task: its name.
        metrics: names; the first is the score.
        meanings: what each of these is, in words.
        profile_of: of what the contestants' profiles are, such as "step ahead".
        profile_names: the name of each value of a profile.
        data: name, rows, missing values, columns, and a hash of the values.
        settings: what the task decided (`Task.settings`).
        budget: what each trial could use (`Budget`), and "tried": of each part of a `Setting`, the
            choices that the search had.
        seeds: of the trials of each cell.
        notes: what the user should know about the data.
        contestants: by rank.
        comparisons: each contestant against each other.
        verdict: the answer.
        checks: what each check found.
        cut: what was left out as time was up, or because of an error, a sentence each.
        examples: test windows to draw.
        versions: of penstock and torch.
        tournament: where many cells began, how far each came: {"cell", "rounds" of training, the
            best validation "loss"}, the best first.
        resplits: the same on other splits of the data, where they were asked for.
        parts: the members of training, validation and test: sequences, or spans of time.
        class_names: what the contestants' confusions count; none where nothing is classified.
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
    meanings: dict[str, str] = field(default_factory=dict)
    parts: dict[str, list[str]] = field(default_factory=dict)
    class_names: list[str] = field(default_factory=list)
    tournament: list[dict[str, Any]] = field(default_factory=list)
    resplits: Resplits | None = None
    times: dict[str, Any] = field(default_factory=dict)
    schema: str = SCHEMA

    def save(self, path: Path) -> None:
        """Write the results, whole or not at all."""
        write_json(path, asdict(self))

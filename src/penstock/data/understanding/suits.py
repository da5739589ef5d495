"""How well each task suits data: the one place that decides what is to be learned.

A rule a task. A rule looks at the `Facts` and says to what degree its task suits them, and why; the
highest degree decides. Two that share it are an error: what to learn is never left to an order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from penstock.errors import ArgumentError


class Degree(IntEnum):
    """How well: the data allow it; they are made for it; a column of labels asks for it."""

    ALLOWED = 1
    MADE_FOR = 2
    ASKED = 3


@dataclass(frozen=True)
class Suit:
    """A task that suits data: its name, to what degree, and why, as one sentence."""

    task: str
    degree: Degree
    why: str


@dataclass(frozen=True)
class Labels:
    """A column of labels.

    Attributes:
        name: of the column.
        owner: what has a label, in words.
        whole: whether a sequence has one label, and not each of its steps.
        classes: whether labels are classes, and not numbers.
        sure: whether they are text, or in a column that is named as labels are.
    """

    name: str
    owner: str
    whole: bool
    classes: bool
    sure: bool

    def why(self) -> str:
        """Return what the labels tell, as one sentence."""
        kind = "one of its classes" if self.classes else "a number"
        step = "" if self.whole else " at every step"
        return f"column {self.name!r} gives {self.owner} {kind}{step}"


@dataclass(frozen=True)
class Facts:
    """What tells for one task or another.

    Attributes:
        form: a table, arrays, text that can be decoded, or bytes that cannot be.
        binary: whether a table or arrays hold nothing but ones and zeros.
        labels: the column of labels, if there is one.
        series: options that the user gave and that are for series alone, such as --past.
    """

    form: Literal["table", "arrays", "text", "bytes"]
    binary: bool = False
    labels: Labels | None = None
    series: tuple[str, ...] = ()


Rule = Callable[[Facts], Suit | None]


def _forecast(facts: Facts) -> Suit | None:
    if facts.series:
        verb = "is" if len(facts.series) == 1 else "are"
        why = f"{' and '.join(facts.series)} {verb} for series in time"
        return Suit("forecast", Degree.ASKED, why)
    why = "the table has no column of labels, so its numbers are series in time"
    return Suit("forecast", Degree.ALLOWED, why) if facts.form in ("table", "arrays") else None


def _frames(facts: Facts) -> Suit | None:
    what = "all the columns" if facts.form == "table" else "the arrays"
    why = f"{what} hold ones and zeros"
    return Suit("frames", Degree.MADE_FOR, why) if facts.binary else None


def _classify(facts: Facts) -> Suit | None:
    labels = facts.labels
    if labels is None or not (labels.whole and labels.classes):
        return None
    return Suit("classify", Degree.ASKED, labels.why())


def _regress(facts: Facts) -> Suit | None:
    labels = facts.labels
    if labels is None or not labels.whole or labels.classes:
        return None
    return Suit("regress", Degree.ASKED, labels.why())


def _tag(facts: Facts) -> Suit | None:
    """Numbers that change from step to step are labels only where a column says so."""
    labels = facts.labels
    if labels is None or labels.whole or not (labels.classes and labels.sure):
        return None
    return Suit("tag", Degree.ASKED, labels.why())


def _text(facts: Facts) -> Suit | None:
    return Suit("text", Degree.MADE_FOR, "the file is text") if facts.form == "text" else None


def _bytes(facts: Facts) -> Suit | None:
    if facts.form not in ("text", "bytes"):
        return None
    return Suit("bytes", Degree.ALLOWED, "the file is no text that can be decoded")


RULES: Mapping[str, Rule] = {
    "forecast": _forecast,
    "classify": _classify,
    "regress": _regress,
    "tag": _tag,
    "frames": _frames,
    "text": _text,
    "bytes": _bytes,
}
TASKS = tuple(RULES)
LABELLED = ("classify", "regress", "tag")  # that learn the labels of sequences or of steps


def decide(facts: Facts, rules: Mapping[str, Rule] = RULES) -> Suit:
    """Return the task that suits the data best.

    Raises:
        ArgumentError: two suit them equally, and better than any other.
    """
    suits = [suit for rule in rules.values() if (suit := rule(facts)) is not None]
    best = max(suit.degree for suit in suits)
    first, *others = [suit for suit in suits if suit.degree == best]
    if others:
        ways = "; ".join(f"{suit.task}, as {suit.why}" for suit in (first, *others))
        raise ArgumentError(f"several tasks suit these data equally: {ways}. Choose with --task")
    return first

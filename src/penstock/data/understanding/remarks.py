"""What is said to the user on the way: conversions that were made, and what looks odd."""

from collections.abc import Iterable
from dataclasses import dataclass, field

_NAMED = 5


@dataclass(frozen=True)
class Remarks:
    """Sentences, in the order in which they were found; each is kept once.

    Attributes:
        conversions: what was done to the data.
        notes: what the user should know.
        like_groups: the columns that look like groups, which nobody named.
    """

    conversions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    like_groups: list[str] = field(default_factory=list)

    def converted(self, sentence: str) -> None:
        """Add what was done to the data."""
        if sentence not in self.conversions:
            self.conversions.append(sentence)

    def note(self, sentence: str) -> None:
        """Add what the user should know."""
        if sentence not in self.notes:
            self.notes.append(sentence)


def listed(names: Iterable[str]) -> str:
    """Return up to five names, sorted, as part of a sentence."""
    whole = sorted(names)
    more = f" and {len(whole) - _NAMED:,} more" if len(whole) > _NAMED else ""
    return ", ".join(whole[:_NAMED]) + more

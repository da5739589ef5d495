"""What was understood of a source: a frozen value, which says itself in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from penstock.data.time.spacing import Spacing
from penstock.data.understanding.columns.roles import Kind, Role
from penstock.data.understanding.layouts.spread import Form


@dataclass(frozen=True)
class Table:
    """The rows of all series, one series after the other, each in the order of time.

    Attributes:
        ids: [N] the series of each row, as text.
        times: [N] local times or numbers; None where rows are only counted.
        zone: the zone that the times are told in, where one is.
        columns: the columns that have a use. Numbers and truth values are float64, null where
            missing; all else is text.
        rows: [N] the row in the source, from 1; null where a row was put in.
        form: whether a series was many rows ("long"), a row each, or the whole table ("one").
        made: the columns that hold the steps, where these were columns or cells of the source.
        steps: those columns of the source.
        elapsed: the column of the time since the row before, where the user asked for it.
    """

    ids: pl.Series
    times: pl.Series | None
    zone: str | None
    columns: pl.DataFrame
    rows: pl.Series
    form: Form = "long"
    made: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    elapsed: str | None = None

    def starts(self) -> NDArray[np.int64]:
        """Return where each series starts, and the number of rows after the last one."""
        changes = (self.ids != self.ids.shift()).fill_null(True).to_numpy()
        return np.append(np.flatnonzero(changes), len(self.ids))


@dataclass(frozen=True)
class Understanding:
    """What a source holds.

    Attributes:
        name: of the file, or what kind of object it was.
        task: what can be learned: forecast, classify, regress, tag, frames, text or bytes.
        why: one sentence.
        series: how many series or sequences there are.
        rows: the rows that there are, without those put in.
        lengths: rows of the shortest, the median and the longest series, with those put in.
        frequency: the step of time, as "1d", "1mo", "business day"; "irregular"; "" without times.
        season: the steps of a season; 1 where there is none, or none is looked for.
        inserted: the rows that were put in, as the times leave them out.
        missing: cells without a value, in the columns that are used and the rows that there are.
        roles: of each column.
        kinds: of each column.
        conversions: what was done to the cells, a sentence each.
        notes: what looks odd, and what was decided without being told, a sentence each.
        like_groups: columns that look like groups, and were not named as such.
        parts: how many series (or rows) each part has, where the user gave the parts.
        spacing: the step of time itself; None without times.
        table: the rows themselves; None for text and frames.
    """

    name: str
    task: str
    why: str
    series: int
    rows: int
    lengths: tuple[int, int, int]
    frequency: str = ""
    season: int = 1
    inserted: int = 0
    missing: int = 0
    roles: Mapping[str, Role] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    conversions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    like_groups: tuple[str, ...] = ()
    spacing: Spacing | None = field(default=None, repr=False, compare=False)
    table: Table | None = field(default=None, repr=False, compare=False)

    def record(self) -> dict[str, Any]:
        """Return all but the rows, as values fit for JSON."""
        plain = {
            name: getattr(self, name) for name, f in self.__dataclass_fields__.items() if f.compare
        }
        return {
            name: list(value) if isinstance(value, tuple) else
            dict(value) if isinstance(value, Mapping) else value
            for name, value in plain.items()
        }  # fmt: skip

    def with_role(self, role: Role) -> tuple[str, ...]:
        """Return the columns of a role, in the order of the source."""
        return tuple(name for name, has in self.roles.items() if has == role)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return what was understood, a line each."""
        return [
            f"{self.name}: {self.task}, because {self.why}",
            *(f"  {head:<12}{text}" for head, text in self._facts() if text),
            *(f"  {'done':<12}{text}" for text in self.conversions),
            *(f"  {'note':<12}{text}" for text in self.notes),
        ]

    def _facts(self) -> list[tuple[str, str]]:
        low, middle, high = self.lengths
        spans = f"{low:,}" if low == high else f"{low:,} to {high:,} (median {middle:,})"
        put_in = f"{self.inserted:,} put in, for times without one; they are never scored"
        roles = [
            f"{role}: {', '.join(self._shown(role))}" for role in dict.fromkeys(self.roles.values())
        ]
        return [
            ("series", f"{self.series:,}"),
            ("rows", f"{self.rows:,}"),
            ("lengths", spans),
            ("frequency", self.frequency),
            ("season", f"{self.season} steps" if self.season > 1 else ""),
            ("rows put in", put_in if self.inserted else ""),
            ("missing", f"{self.missing:,} values" if self.missing else ""),
            ("parts", ", ".join(f"{part} {size:,}" for part, size in self.parts.items())),
            *(("columns" if not k else "", text) for k, text in enumerate(roles)),
        ]

    def _shown(self, role: Role) -> list[str]:
        names = self.with_role(role)
        shown = [f"{name or '(no name)'} ({self.kinds[name]})" for name in names[:_MOST_SHOWN]]
        return (
            [*shown, f"and {len(names) - _MOST_SHOWN:,} more"]
            if len(names) > _MOST_SHOWN
            else shown
        )


_MOST_SHOWN = 8

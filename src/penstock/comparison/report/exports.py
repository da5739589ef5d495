"""results.json → report.md and results.csv. Needs no torch."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from penstock import plain
from penstock.comparison.report import table
from penstock.record.results import Record


def markdown(results: Record) -> str:
    """Return the verdict, what the checks found, and the tables, as Markdown."""
    head, *reasons = results.verdict.sentences
    reasons += results.verdict.times.get("sentences", [])
    columns = table.columns(results)
    rows = [[column.cell(one) for column in columns] for one in results.contestants]
    fired = [one for one in results.checks if one.status == "fired"]
    told = [
        f"**{_text(f'{one.code} {one.name}')}**: {_text('; '.join(one.messages))}. "
        f"{_text(one.about)}"
        for one in fired
    ]
    skipped = [
        _text(f"{one.code} {one.name}: switched off")
        for one in results.checks
        if one.status == "skipped"
    ]
    sections = [
        f"# Which cell for {_text(results.data['name'])}?",
        f"**{_text(head)}**",
        _list(map(_text, reasons)),
        "## What the checks found",
        _list([*told, *skipped]) if fired or skipped else "Nothing.",
        "## The contestants",
        _table([column.head for column in columns], rows),
        _list(_text(f"{column.head}: {column.meaning}") for column in columns),
        *(["## Left out", _list(map(_text, results.cut))] if results.cut else []),
        *(
            ["## Tournament", _table(table.STANDING_HEADS, table.standings(results))]
            if results.tournament
            else []
        ),
        *(
            ["## On new splits", _table(table.SPLIT_HEADS, table.splits(results))]
            if results.resplits
            else []
        ),
        "## Trials",
        _table(table.TRIAL_HEADS, table.trial_rows(results)),
        "## Data and settings",
        _list(map(_text, results.notes)),
        _list(_text(f"{name}: {text}") for name, text in settings(results)),
    ]  # fmt: skip
    return "\n\n".join(sections) + "\n"


def settings(results: Record) -> list[tuple[str, str]]:
    """Return data, decisions, budgets, versions and times, by name."""
    facts = {**results.data, **results.settings, **results.budget, **results.versions}
    times = results.times
    del facts["sha256"]
    facts |= {"seeds": results.seeds, "trials at a time": times["workers"]}
    facts["seconds"] = f"{times['total']:.0f} for all"
    if times["clock"]:
        facts["seconds"] += f"; same clock: {times['clock']:.2g} of training"
    told = ((name.replace("_", " "), _words(value)) for name, value in facts.items())
    return [(name, text) for name, text in told if text]


def _words(value: Any) -> str:
    """Return a value in words; nothing for what is empty."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {text}" for k, v in value.items() if (text := _words(v)))
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def comma_separated(results: Record) -> str:
    """Return a row for each trial and each baseline."""
    records = list(table.records(results))
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(plain.cell, names))
    for record in records:
        writer.writerow(_safe(record.get(name)) for name in names)
    return text.getvalue()


def csv_of(frame: pl.DataFrame) -> str:
    """Return a table as CSV in which a name or an id is no formula."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(map(plain.cell, frame.columns))
    worded = [
        column.cast(pl.String).map_elements(plain.cell, pl.String)
        for column in frame.select(pl.col(pl.String, pl.Categorical, pl.Enum)).iter_columns()
    ]
    return text.getvalue() + frame.with_columns(worded).write_csv(include_header=False)


def _safe(value: Any) -> Any:
    return plain.cell(value) if isinstance(value, str) else value


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [[_text(cell) for cell in line] for line in (heads, *rows)]
    lines.insert(1, ["---"] * len(heads))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(items: Iterable[str]) -> str:
    """Return a list of what is Markdown already."""
    return "\n".join(f"- {item}" for item in items)


_text = plain.markdown  # whatever comes from data, a file or an error goes through it

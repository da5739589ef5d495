"""results.json → report.md and results.csv. Needs no torch."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from penstock.compare import table
from penstock.compare.results import Results


def markdown(results: Results) -> str:
    """Return the verdict, what the checks found, and the tables, as Markdown."""
    head, *reasons = results.verdict.sentences
    reasons += results.verdict.times.get("sentences", [])
    columns = table.columns(results)
    rows = [[column.cell(one) for column in columns] for one in results.contestants]
    fired = [one for one in results.checks if one.status == "fired"]
    found = [f"**{one.code} {one.name}**: {'; '.join(one.messages)}. {one.about}" for one in fired]
    skipped = [
        f"{one.code} {one.name}: switched off" for one in results.checks if one.status == "skipped"
    ]
    sections = [
        f"# Which cell for {results.data['name']}?",
        f"**{head}**",
        _list(reasons),
        "## What the checks found",
        _list([*found, *skipped]) if fired or skipped else "Nothing.",
        "## The contestants",
        _table([column.head for column in columns], rows),
        _list(f"{column.head}: {column.meaning}" for column in columns),
        *(["## Left out", _list(results.cut)] if results.cut else []),
        "## Trials",
        _table(table.TRIAL_HEADS, table.trial_rows(results)),
        "## Data and settings",
        _list([*results.notes, *(f"{name}: {text}" for name, text in settings(results))]),
    ]  # fmt: skip
    return "\n\n".join(sections) + "\n"


def settings(results: Results) -> list[tuple[str, str]]:
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


def comma_separated(results: Results) -> str:
    """Return a row for each trial and each naive method."""
    records = list(table.records(results))
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(_plain, line)) + " |" for line in lines)


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _plain(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")

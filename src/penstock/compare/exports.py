"""results.json → report.md and results.csv. Needs no torch."""

import csv
import io
from collections.abc import Iterable, Sequence

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
        _list(settings(results)),
    ]  # fmt: skip
    return "\n\n".join(sections) + "\n"


def settings(results: Results) -> list[str]:
    """Return notes, data, decisions, budgets and versions, a line each."""
    facts = {**results.data, **results.settings, **results.budget, **results.versions}
    del facts["sha256"]
    seeds = f"seeds: {', '.join(map(str, results.seeds))}"
    trials = f"trials at a time: {results.times['workers']}"
    took = f"the run took {results.times['total']:.0f} s"
    return [*results.notes, seeds, *(f"{k}: {v}" for k, v in facts.items()), trials, took]


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

"""A results.json read again: from a stranger too."""

from pathlib import Path

from penstock import plain
from penstock.errors import DataError
from penstock.opening import json_bytes, parse_json
from penstock.record import checked
from penstock.record.results import SCHEMA, Record


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
        (list[checked.Standing], "tournament"),
    ):
        checked.check(kind, getattr(results, part), part)
    if results.resplits is not None and not all(results.resplits.scores.values()):
        raise ValueError("a contestant of the resplits has no score")
    verdict = results.verdict
    checked.check(checked.Spoken, verdict.times, "verdict.times")
    named = (verdict.best, verdict.recommended, verdict.smallest, verdict.times.get("fastest"))
    for name in named:
        if name is not None and name not in {one.name for one in results.contestants}:
            raise ValueError(f"the verdict names {name!r}, which is no contestant")
    return results

"""results.json → report.html, one file that opens offline; report.md; results.csv. No torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.atomic import write
from penstock.comparison.report import exports, figures, table
from penstock.errors import DataError
from penstock.record import markup
from penstock.record.contestants import Contestant, cells_among
from penstock.record.markup import Figure, Grid
from penstock.record.reading import load_results
from penstock.record.results import Finding, Record


def write_reports(results: Record, out: Path) -> None:
    """Write the three files, each whole or not at all."""
    _write(reports(results), out)


def rebuild_reports(folder: Path) -> None:
    """Write the reports of a comparison's folder anew from its results.json.

    Raises:
        DataError: there is no results.json of this schema, or its parts do not fit together.
    """
    path = folder / "results.json"
    results = load_results(path)
    try:
        texts = reports(results)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise DataError(f"{path}: what is in it does not fit together ({reason})") from None
    _write(texts, folder)


def reports(results: Record) -> dict[str, str]:
    """Return the text of each report by the name of its file."""
    return {
        "report.html": render(results),
        "report.md": exports.markdown(results),
        "results.csv": exports.comma_separated(results),
    }


def _write(texts: dict[str, str], out: Path) -> None:
    for name, text in texts.items():
        write(out / name, text)


def render(results: Record) -> str:
    """Return the report as HTML."""
    head, *reasons = results.verdict.sentences
    trials = _trials(results)
    lost = sum(map(bool, trials.kinds))
    return markup.page(
        "report.html",
        f"Which cell for {results.data['name']}?",
        _about(results),
        f"Made by Penstock {results.versions['penstock']}. Rebuilt from results.json alone by "
        "penstock report.",
        mood="doubt" if _in_doubt(results) else "good" if results.verdict.recommended else "naive",
        verdict=head,
        picks=_picks(results),
        reasons=[*reasons, *results.verdict.times.get("sentences", [])],
        cut=results.cut,
        **_checks(results),
        contestants=_contestants(results),
        meanings=[f"{column.head}: {column.meaning}" for column in table.columns(results)],
        figures=list(_figures(results)),
        examples=[_example(results, n) for n in range(len(results.examples))],
        tournament=Grid("Tournament", table.STANDING_HEADS, table.standings(results)),
        splits=Grid("New splits", table.SPLIT_HEADS, table.splits(results)),
        trials=trials,
        trials_head=f"All {len(trials.rows)} trials"
        + (f", {lost} without a result" if lost else ""),
        notes=results.notes,
        settings=exports.settings(results),
    )


def _about(results: Record) -> str:
    rows = f"{results.data['rows']:,} rows" if "rows" in results.data else ""
    trials = sum(len(c.trials) + len(c.tuning) for c in cells_among(results.contestants))
    sizes = sorted(results.budget["tried"]["parameters"])
    size = f"{sizes[0]:,}" + (f" to {sizes[-1]:,}" if len(sizes) > 1 else "")
    parts = [results.task, rows, f"{trials} trials", f"{size} recurrent parameters"]
    return " · ".join(part for part in parts if part)


def _in_doubt(results: Record) -> bool:
    return any(one.grave and one.status == "fired" for one in results.checks)


def _picks(results: Record) -> list[tuple[str, str, str]]:
    """Return what to take under each aim; equals of the best alone are taken for an aim."""
    verdict = results.verdict
    if verdict.recommended is None:
        return [("take", verdict.best, "the baseline with the lowest error")]
    picks = [
        ("best", verdict.best, f"lowest {results.metrics[0]}"),
        ("smallest", verdict.smallest, "of those that cannot be told from the best"),
        ("fastest", verdict.times.get("fastest"), "of those, to predict, as measured"),
    ]
    return [(aim, name, why) for aim, name, why in picks if name is not None]


_QUIET = {
    "silent": "checks found nothing",
    "not applicable": "could not be applied, which is no pass",
    "skipped": "were switched off",
}


def _checks(results: Record) -> dict[str, Any]:
    fired = [one for one in results.checks if one.status == "fired"]
    rest = [one for one in results.checks if one.status != "fired"]
    head = "; ".join(
        f"{count} {words}"
        for status, words in _QUIET.items()
        if (count := sum(one.status == status for one in rest))
    )
    quiet = [f"{one.code} {one.name} ({_why(one)}): {one.about}" for one in rest]
    return {"fired": fired, "quiet_head": head, "quiet": quiet}


def _why(one: Finding) -> str:
    return f"{one.status}, as {one.reason}" if one.reason else one.status


def _contestants(results: Record) -> Grid:
    columns = table.columns(results)
    return Grid(
        "The contestants",
        [column.head for column in columns],
        [[column.cell(one) for column in columns] for one in results.contestants],
        [_row_kind(results, one) for one in results.contestants],
    )


def _row_kind(results: Record, one: Contestant) -> str:
    kind = "cell" if one.kind == "cell" else "baseline"
    return f"{kind} chosen" if one.name == results.verdict.best else kind


def _figures(results: Record) -> Iterator[Figure]:
    score = results.metrics[0]
    yield Figure(
        "errors",
        figures.errors(results),
        f"{score} of each contestant with its 95 % interval, of what other seeds and other test "
        "data would change (no bar: it cannot be told). Lower is better. Circles are cells, small "
        "ones a seed each; diamonds are baselines.",
    )
    cells = cells_among(results.contestants)
    if any(one.times for one in cells):
        yield Figure(
            "cost",
            figures.cost(results),
            f"{score} against time: down and to the left is better. Dotted: the best baseline.",
        )
    yield _profile(results)
    best = next((one for one in results.contestants if one.name == results.verdict.best), None)
    if best and best.confusion:
        yield _confusion(results, best)
    if any(trial.losses for one in cells for trial in one.trials):
        caption = "How each trial learned: its loss on validation data after each round of steps."
        yield Figure("learning", figures.learning(results), caption)
    if any(one.tuning for one in cells):
        caption = "The learning rates tried; the large filled circle is the one that was taken."
        yield Figure("tuning", figures.tuning(results), caption)
    if len(results.budget["tried"]["parameters"]) > 1:
        caption = "The sizes tried, and the best that was reached with each."
        yield Figure("sizes", figures.sizes(results), caption)


def _profile(results: Record) -> Figure:
    able = [one for one in results.contestants if one.rank]
    values = [
        [name, *(f"{one.profile[k]:.4g}" for one in able)]
        for k, name in enumerate(results.profile_names)
    ]
    heads = [results.profile_of, *(one.name for one in able)]
    caption = f"{results.metrics[0]} by {results.profile_of}."
    numbers = Grid(f"{results.metrics[0]} by {results.profile_of}", heads, values)
    return Figure("profile", figures.profile(results), caption, numbers)


def _confusion(results: Record, best: Contestant) -> Figure:
    rows = [
        [name, *map(str, row)]
        for name, row in zip(results.class_names, best.confusion, strict=True)
    ]
    caption = (
        f"How often each class, a row, was taken by {best.name} for each, a column, as a share of "
        "the row."
    )
    numbers = Grid(f"Confusion of {best.name}", ["actual", *results.class_names], rows)
    return Figure("confusion", figures.confusion(results, best), caption, numbers)


def _example(results: Record, number: int) -> Figure:
    shown, able = results.examples[number], [c for c in results.contestants if c.rank]
    start = shown["context"]
    rows = [
        [str(time), "–" if actual is None else f"{actual:.4g}"]
        + [f"{one.predictions[number][k]:.4g}" for one in able]
        for k, (time, actual) in enumerate(
            zip(shown["times"][start:], shown["actual"][start:], strict=True)
        )
    ]
    known = f" Known up to {shown['times'][start - 1]}, the dotted line." if start else ""
    caption = f"Test window {number + 1}, {shown['series']}: actual values and forecasts.{known}"
    heads = ["place", "actual", *(one.name for one in able)]
    numbers = Grid(f"Test window {number + 1}", heads, rows)
    return Figure(f"example-{number}", figures.example(results, number), caption, numbers)


def _trials(results: Record) -> Grid:
    rows = table.trial_rows(results)
    kinds = [
        "" if trial.status == "finished" or trial.measured else "lost"
        for _, _, trial in table.trials(results)
    ]
    return Grid("Trials", table.TRIAL_HEADS, rows, kinds)

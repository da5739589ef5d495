"""results.json → report.html, one file that opens offline; report.md; results.csv. No torch."""

from collections.abc import Iterator
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from penstock.atomic import replacing
from penstock.compare import exports, figures, markup, table
from penstock.compare.results import Contestant, Finding, Results, load_results


def write_reports(results: Results, out: Path) -> None:
    """Write the three files, each whole or not at all."""
    texts = {
        "report.html": render(results),
        "report.md": exports.markdown(results),
        "results.csv": exports.comma_separated(results),
    }
    for name, text in texts.items():
        with replacing(out / name) as temporary:
            temporary.write_text(text, "utf-8")


def rebuild_reports(folder: Path) -> None:
    """Write the reports of a comparison's folder anew from its results.json.

    Raises:
        DataError: there is no results.json of this schema.
    """
    write_reports(load_results(folder / "results.json"), folder)


def render(results: Results) -> str:
    """Return the report as HTML."""
    template = Template((resources.files("penstock.compare") / "report.html").read_text("utf-8"))
    head, *reasons = results.verdict.sentences
    measured = results.verdict.times.get("sentences", [])
    main = template.substitute(
        mood="doubt" if _in_doubt(results) else "good" if results.verdict.recommended else "naive",
        verdict=escape(head),
        picks=_picks(results),
        reasons=markup.bullets([*reasons, *measured]),
        cut=_cut(results),
        checks=_checks(results),
        table=_contestants(results),
        figures="".join(_figures(results)),
        examples="".join(_example(results, n) for n in range(len(results.examples))),
        trials=_trials(results),
        setup=_setup(results),
    )
    return markup.page(
        f"Which cell for {results.data['name']}?",
        _about(results),
        main,
        f"Made by Penstock {results.versions['penstock']}. Rebuilt from results.json alone by "
        "penstock report.",
    )


def _about(results: Results) -> str:
    rows = f"{results.data['rows']:,} rows" if "rows" in results.data else ""
    trials = sum(len(one.trials) + len(one.tuning) for one in results.contestants)
    parts = [results.task, rows, f"{trials} trials", f"{results.budget['parameters']:,} parameters"]
    return " · ".join(part for part in parts if part)


def _in_doubt(results: Results) -> bool:
    return any(one.grave and one.status == "fired" for one in results.checks)


def _picks(results: Results) -> str:
    """Return what to take under each aim; equals of the best alone are taken for an aim."""
    verdict = results.verdict
    if verdict.recommended is None:
        return _pick("take", verdict.best, "a naive method: no training, no model")
    picks = [
        _pick("best", verdict.best, f"lowest {results.metrics[0]}"),
        _pick("smallest", verdict.smallest, "of those that cannot be told from the best"),
        _pick("fastest", verdict.times.get("fastest"), "of those, to predict, as measured"),
    ]
    return "".join(picks)


def _pick(aim: str, name: str | None, why: str) -> str:
    if name is None:
        return ""
    return f"<div><dt>{aim}</dt><dd>{escape(name)}<small>{escape(why)}</small></dd></div>"


def _cut(results: Results) -> str:
    return f'<div class="cut">{markup.bullets(results.cut)}</div>' if results.cut else ""


def _checks(results: Results) -> str:
    fired = [one for one in results.checks if one.status == "fired"]
    rest = [one for one in results.checks if one.status != "fired"]
    quiet = markup.bullets(f"{one.code} {one.name} ({one.status}): {one.about}" for one in rest)
    head = f"{len(rest)} checks found nothing or were switched off" if fired else "Nothing found"
    return "".join(map(_finding, fired)) + markup.folded(head, quiet)


def _finding(one: Finding) -> str:
    kind = "grave" if one.grave else "warning"
    return (
        f'<div class="finding {kind}"><strong>{one.code} {escape(one.name)}</strong>'
        f"{markup.bullets(one.messages)}{markup.folded('What this means', escape(one.about))}</div>"
    )


def _contestants(results: Results) -> str:
    columns = table.columns(results)
    drawn = markup.table(
        "The contestants",
        [column.head for column in columns],
        [[column.cell(one) for column in columns] for one in results.contestants],
        [_row_kind(results, one) for one in results.contestants],
    )
    meanings = markup.bullets(f"{column.head}: {column.meaning}" for column in columns)
    return drawn + markup.folded("What the columns mean", meanings)


def _row_kind(results: Results, one: Contestant) -> str:
    return f"{one.kind} chosen" if one.name == results.verdict.best else one.kind


def _figures(results: Results) -> Iterator[str]:
    score = results.metrics[0]
    yield markup.figure(
        "errors",
        figures.errors(results),
        f"{score} of each contestant with its 95 % interval over seeds (no bar: one seed, or a "
        "naive method). Lower is better. Circles are cells, small ones a seed each; diamonds are "
        "naive methods.",
    )
    if any(one.times for one in results.contestants):
        yield markup.figure(
            "cost",
            figures.cost(results),
            f"{score} against time: down and to the left is better. Dotted: the best naive method.",
        )
    yield _profile(results)
    if any(trial.losses for one in results.contestants for trial in one.trials):
        caption = "How each trial learned: its loss on validation data after each round of steps."
        yield markup.figure("learning", figures.learning(results), caption)
    if any(one.tuning for one in results.contestants):
        caption = "The learning rates tried; the large filled circle is the one that was taken."
        yield markup.figure("tuning", figures.tuning(results), caption)


def _profile(results: Results) -> str:
    able = [one for one in results.contestants if one.rank]
    values = [
        [name, *(f"{one.profile[k]:.4g}" for one in able)]
        for k, name in enumerate(results.profile_names)
    ]
    heads = [results.profile_of, *(one.name for one in able)]
    caption = f"{results.metrics[0]} by {results.profile_of}."
    numbers = markup.table(f"{results.metrics[0]} by {results.profile_of}", heads, values)
    return markup.figure("profile", figures.profile(results), caption, numbers)


def _example(results: Results, number: int) -> str:
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
    caption = (
        f"Test window {number + 1}, {shown['series']}: what came, and what was foretold.{known}"
    )
    heads = ["place", "actual", *(one.name for one in able)]
    numbers = markup.table(f"Test window {number + 1}", heads, rows)
    return markup.figure(f"example-{number}", figures.example(results, number), caption, numbers)


def _setup(results: Results) -> str:
    notes = markup.bullets(results.notes) if results.notes else ""
    return notes + markup.pairs(exports.settings(results))


def _trials(results: Results) -> str:
    rows = table.trial_rows(results)
    kinds = ["" if row[3] == "finished" else "lost" for row in rows]
    lost = sum(map(bool, kinds))
    summary = f"All {len(rows)} trials" + (f", {lost} without a result" if lost else "")
    return markup.folded(summary, markup.table("Trials", table.TRIAL_HEADS, rows, kinds))

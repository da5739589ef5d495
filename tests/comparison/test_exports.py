import csv
import io
from dataclasses import replace
from pathlib import Path

from penstock.comparison.report import exports, table
from penstock.record.contestants import CellContestant, cells_among
from penstock.record.results import Record


def test_the_csv_has_a_row_for_every_trial_and_naive_method(
    finished: tuple[Record, Path],
) -> None:
    results, out = finished
    rows = list(csv.DictReader(io.StringIO((out / "results.csv").read_text("utf-8"))))
    tuned = [row for row in rows if row["purpose"] == "tuning"]
    assert [row["contestant"] for row in rows if row["kind"] != "cell"] == [
        one.name for one in results.contestants if one.kind != "cell"
    ]
    assert len(tuned) == 4
    assert not any(row["MASE"] for row in tuned)  # they never see test data
    for one in results.contestants:
        own = [row for row in rows if row["contestant"] == one.name and row["purpose"] == "test"]
        scores = [float(row["MASE"]) for row in own]
        assert sum(scores) / len(scores) == one.metrics["MASE"] or one.kind == "cell"
        if isinstance(one, CellContestant):
            assert [trial.metrics["MASE"] for trial in one.trials] == scores


def test_markdown_says_all_that_matters(finished: tuple[Record, Path]) -> None:
    results, out = finished
    text = (out / "report.md").read_text("utf-8")
    assert all(sentence in text for sentence in results.verdict.sentences)
    assert all(message in text for one in results.checks for message in one.messages)
    cells = cells_among(results.contestants)
    shown = text.count("| finished |") + text.count("| pruned |")
    assert shown == sum(len(one.trials) + len(one.tuning) for one in cells)
    evil = replace(
        results, cut=["a | b"], contestants=[replace(results.contestants[0], name="x|y")]
    )
    assert "x\\|y" in exports.markdown(evil)
    assert "## Left out" in exports.markdown(evil)


def test_numbers_in_the_table(finished: tuple[Record, Path]) -> None:
    assert table.number(0.012345) == "0.0123"
    assert table.number(123456.7) == "123,457"
    assert table.plus_minus(1.0, (0.5, 1.5)) == "1 ± 0.5"
    heads = [column.head for column in table.columns(finished[0])]
    assert len({*heads}) == len(heads)


def test_numbers_in_few_signs() -> None:
    shown = {0.12345: "0.123", -0.0: "0", 12345.6: "12,346", 8.616e29: "8.62e+29"}
    assert {value: table.number(value) for value in shown} == shown

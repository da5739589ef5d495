"""Every check fires where it should, and is silent on clean data."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from comparing import QUICK, RATES, run_comparison, walk

import penstock
from penstock.comparison.judging.checks import check_codes, find_checks
from penstock.comparison.judging.checks.base import Case, Check, NotApplicable
from penstock.comparison.judging.checks.data import _hash as hashed
from penstock.comparison.judging.checks.data import fingerprints
from penstock.comparison.judging.checks.running import checks, run_checks
from penstock.comparison.judging.comparisons import compare_all
from penstock.comparison.judging.verdict import judge
from penstock.data import Dataset, Options, Source, read
from penstock.data.samples import sample
from penstock.errors import ArgumentError
from penstock.record.contestants import BaselineContestant, CellContestant, Contestant, Trial
from penstock.record.results import Finding, Record
from penstock.record.structure import Setting, Structure
from penstock.tasks import find_task
from penstock.tasks.evidence import Evidence
from penstock.tasks.methods import MethodKind
from penstock.tasks.series.forecast import FORECAST
from penstock.tasks.task import Task

SETTING = Setting(1e-3, 4000)

BLOCKS = np.array([1.0, 1.4, 0.8, 1.1, 1.2, 0.9, 1.0])


def fake_task(**evidence: Any) -> Any:
    return SimpleNamespace(
        problem=SimpleNamespace(promised={}, evidence=lambda: Evidence(np.empty(0), **evidence))
    )


ENTRANT: Any = {"rank": 1, "intervals": {}, "profile": [], "predictions": []}
COST: Any = {
    "structure": Structure(1), "parameters": 0, "recurrent_parameters": 0, "flops_per_step": 0,
    "setting": SETTING,
}  # fmt: skip


def naive(name: str, level: float, kind: MethodKind = "naive") -> BaselineContestant:
    rows = [(BLOCKS + level).tolist()]
    mean = {"s": float(np.mean(rows))}
    return BaselineContestant(**ENTRANT, kind=kind, name=name, metrics=mean, blocks=rows)


def cell(name: str, levels: Sequence[float], **changes: Any) -> CellContestant:
    """A cell with a seed for each level; `changes` are of its trials."""
    rng = np.random.default_rng(len(name))
    rows = [(BLOCKS + level + 0.01 * rng.standard_normal(7)).tolist() for level in levels]
    trials = [
        replace(Trial(seed, SETTING, "finished", "patience", blocks=row), **changes)
        for seed, row in enumerate(rows)
    ]
    mean = {"s": float(np.mean(rows))}
    return CellContestant(**ENTRANT, **COST, name=name, metrics=mean, blocks=rows, trials=trials)


def look(name: str, *contestants: Contestant, task: Any = None, rounds: int = 20) -> list[str]:
    """Return what the check of that name says of contestants."""
    ranked = sorted(contestants, key=lambda one: one.metrics["s"])
    names = [one.name for one in contestants if one.kind != "cell"]
    case = Case(task or fake_task(), ranked, compare_all(ranked), names, rounds)
    (found,) = [one for one in checks() if one.name == name]
    return _messages(found, case)


def _messages(one: Check, case: Case) -> list[str]:
    try:
        return list(one.look(case))
    except NotApplicable:
        return []


def look_at(name: str, task: Task) -> list[str]:
    """Return what a check of the data says of a task."""
    found = [c for c in checks() if c.name == name]
    case = Case(task, [naive("last value", 0.0)], [], ["last value"], 20)
    return _messages(found[0], case)


def test_worse_than_baseline() -> None:
    baselines = naive("last value", 0.0), naive("drift", 1.0)
    assert look("worse-than-baseline", cell("a", [0.5, 0.52, 0.49]), *baselines) == [
        "a is worse than 'last value'"
    ]
    assert not look("worse-than-baseline", cell("a", [-0.5, -0.52, -0.49]), *baselines)


def test_seeds_disagree() -> None:
    last = naive("last value", 0.0)
    (found,) = look("seeds-disagree", cell("a", [-0.5, -0.4, 0.3]), last)
    assert found == "a beats 'last value' with only 2 of 3 seeds"
    (found,) = look("seeds-disagree", cell("a", [-3, -1, -1]), cell("bb", [-1.5, -1.5, -1.5]), last)
    assert found == "a is the best cell on average, but with only 1 of 3 seeds"
    assert not look("seeds-disagree", cell("a", [-2, -3]), cell("bb", [-1, -1]), last)
    assert not look("seeds-disagree", cell("a", [-2]), cell("bb", [-1]), last)


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_trials_lost(status: str) -> None:
    whole = cell("a", [0.0, 0.0])
    lost = replace(whole, trials=[*whole.trials, Trial(2, SETTING, status, "it")])  # type: ignore[arg-type]
    assert look("trials-lost", lost, naive("drift", 1)) == [f"a: 1 of 3 trials {status}"]
    assert not look("trials-lost", whole, naive("drift", 1))


def test_edge_of_range() -> None:
    tried = [Trial(9, Setting(rate, 4000), "finished", "steps") for rate in (1e-3, 1e-2, 1e-1)]
    one = replace(cell("a", [0.0]), tuning=tried)
    for rate, words in ((1e-3, "smallest"), (1e-1, "largest")):
        (found,) = look(
            "edge-of-range", replace(one, setting=Setting(rate, 4000)), naive("drift", 1)
        )
        assert words in found
    assert not look("edge-of-range", replace(one, setting=Setting(1e-2, 4000)), naive("drift", 1))
    alone = replace(one, setting=SETTING, tuning=tried[:1])
    assert not look("edge-of-range", alone, naive("drift", 1))


def test_largest_size() -> None:
    tried = [Trial(0, Setting(1e-2, size), "finished", "steps") for size in (4000, 16000, 64000)]
    large = replace(cell("a", [0, 0, 0]), setting=Setting(1e-2, 64000), tuning=tried)
    assert look("largest-size", large, naive("drift", 1)) == [
        "a: its size, 64,000 parameters, is the largest tried"
    ]
    assert not look("largest-size", replace(large, setting=tried[1].setting), naive("drift", 1))
    worse = replace(cell("bb", [1, 1, 1]), setting=Setting(1e-2, 64000), tuning=tried)
    assert not look("largest-size", replace(large, setting=tried[0].setting), worse)


def test_step_limit() -> None:
    late, early = {"ended": "steps", "best_round": 20}, {"ended": "steps", "best_round": 9}
    assert look("step-limit", cell("a", [0, 0, 0], **late), naive("drift", 1)) == [
        "a was still getting better when its steps were used up, in 3 of 3 trials"
    ]
    assert not look("step-limit", cell("a", [0, 0, 0], **early), naive("drift", 1))
    assert not look("step-limit", cell("a", [0, 0, 0], best_round=20), naive("drift", 1))


def test_chance_level() -> None:
    blind, other = naive("mean", 0.0, "blind"), naive("ridge", -0.1, "classical")
    dull = cell("a", [0.01, -0.01, 0.0])
    (found,) = look("chance-level", dull, blind, other)
    assert found.endswith("every cell")
    (found,) = look("chance-level", dull, cell("bb", [-1, -1, -1]), blind)
    assert "chance" in found
    assert found.endswith(": a")
    assert not look("chance-level", cell("a", [-1, -1, -1]), blind)
    assert not look("chance-level", dull, naive("mean", 0.0))
    guesses = blind, naive("by step", -1.0, "blind")  # both are to be beaten
    (found,) = look("chance-level", cell("a", [-1, -1]), *guesses)
    assert "'by step'" in found
    assert found.endswith("every cell")
    (found,) = look("chance-level", dull, *guesses)
    assert "'mean'" in found
    assert not look("chance-level", cell("a", [-2, -2]), *guesses)


def noise(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(length)


def series(**columns: Any) -> Dataset:
    return read(pl.DataFrame(columns), target=["y"], known=[c for c in columns if c == "x"])


def forecast(values: np.ndarray, horizon: int = 2) -> Task:
    return FORECAST.prepare(series(y=values), horizon)


def test_duplicates_in_a_series() -> None:
    values = noise(400)
    assert not look_at("duplicates", forecast(values))
    values[300:] = values[:100]  # the test part repeats what was trained on
    (found,) = look_at("duplicates", forecast(values))
    assert "copies of training windows" in found


def sequences(count: int, label: Any, copies: bool = False, seed: int = 0) -> Source:
    """Long data of sequences of unequal length; `label` makes the label of a number."""
    rng, parts = np.random.default_rng(seed), []
    for number in range(count):
        if copies and number % 2:
            x = parts[-1]["x"].to_numpy()
        else:
            x = rng.standard_normal(int(rng.integers(5, 12)))
        row = {"id": [f"s{number}"] * len(x), "x": x, "label": [str(label(number))] * len(x)}
        parts.append(pl.DataFrame(row))
    return Source("made", pl.concat(parts))


def prepared(name: str, source: Source) -> Task:
    task = find_task(name)
    return task.prepare(task.read(source, Options()))


def test_duplicates_among_sequences_whatever_their_padding() -> None:
    assert not look_at("duplicates", prepared("classify", sequences(200, lambda n: n // 2 % 2)))
    task = prepared("classify", sequences(200, lambda n: n // 2 % 2, copies=True))
    (found,) = look_at("duplicates", task)
    share = int(found.partition("%")[0])
    assert 30 < share < 80  # a copy's partner is in the training part more often than not
    lone = torch.arange(1)
    assert fingerprints(task, "test")[0] == fingerprints_of(task, lone)


def fingerprints_of(task: Task, index: torch.Tensor) -> Any:
    return hashed(task.problem.contents("test", index))[0]


def test_a_leak_beside_a_series() -> None:
    values = noise(400).cumsum()
    assert not look_at("leak", FORECAST.prepare(series(y=values, x=noise(400, 1)), 2))
    leaking = FORECAST.prepare(series(y=values, x=3 * values + 1), 2)
    assert look_at("leak", leaking) == ["column 'x' gives the target away"]


def test_a_leak_beside_labels() -> None:
    source = sequences(100, lambda n: n % 3)
    assert source.table is not None
    assert not look_at("leak", prepared("classify", source))
    for told in (pl.col("label").cast(pl.Float64) * 2, "class " + pl.col("label")):
        leaking = Source("made", source.table.with_columns(told=told))
        task = find_task("classify")
        found = look_at("leak", task.prepare(task.read(leaking, Options(target=("label",)))))
        assert found == ["column 'told' gives the target away"]


def spans(first: int, second: int) -> Task:
    days = pl.date_range(date(2020, 1, 1), date(2020, 12, 31), eager=True)
    frame = pl.DataFrame(
        {
            "unique_id": ["a"] * 200 + ["b"] * 160,
            "ds": [*days[first : first + 200], *days[second : second + 160]],
            "y": noise(360),
        }
    )
    return FORECAST.prepare(read(frame), 2)


def test_time_overlap() -> None:
    assert not look_at("time-overlap", spans(0, 20))
    (found,) = look_at("time-overlap", spans(0, 200))
    assert "2020-10" in found
    assert not look_at("time-overlap", forecast(noise(200)))


def counted(*starts: int) -> Task:
    """Series of 200, 160, 120 … rows whose times are whole numbers from these on."""
    spans = [np.arange(start, start + 200 - 40 * k) for k, start in enumerate(starts)]
    ids = [name for name, span in zip("abc", spans, strict=False) for _ in span]
    times = np.concatenate(spans)
    return FORECAST.prepare(
        read(pl.DataFrame({"unique_id": ids, "ds": times, "y": noise(len(ids))})), 2
    )


def test_row_numbers_are_no_times() -> None:
    for starts in ((0, 0), (1, 1, 1), (0, 200), (500, 0)):
        assert not look_at("time-overlap", counted(*starts)), starts
    for starts in ((1990, 1990, 1990), (0, 100), (7, 7, 7)):
        assert look_at("time-overlap", counted(*starts)), starts


def test_short_test() -> None:
    loud = np.arange(300) // 90 % 2
    (found,) = look_at("short-test", forecast((1 + 9 * loud) * noise(300), 1))
    assert found.startswith("errors go together for ")
    assert found.endswith(" steps, and the test has 75")
    assert not look_at("short-test", forecast(noise(300), 1))
    assert not look_at("short-test", counted(0, 100))


def test_narrow_intervals() -> None:
    task = fake_task()
    task.problem.promised = {"80 % coverage": 0.8}

    def said(held: float) -> list[str]:
        one, last = cell("a", [0.0, 0.1]), naive("drift", 1)
        one = replace(one, metrics={**one.metrics, "80 % coverage": held})
        return look("narrow-intervals", one, last, task=task)

    assert said(0.58) == [
        "the intervals of a missed 42% of the test values, where they promise to miss 20%"
    ]
    assert not said(0.72)
    task.problem.promised = {}
    assert not said(0.58)


def test_constant_target() -> None:
    rare = np.where(np.arange(600) % 50 == 0, noise(600), 0).cumsum()
    assert look_at("constant-target", forecast(rare))
    assert not look_at("constant-target", forecast(noise(600)))
    assert look_at("constant-target", prepared("classify", sequences(200, lambda n: n % 40 == 0)))


def test_too_little_data() -> None:
    long = forecast(noise(600), 1)
    short = forecast(noise(60), 1)

    def found(task: Task) -> list[str]:
        blocks = task.problem.measure(task.baselines["last value"].predict()).blocks
        one = replace(naive("last value", 0.0), blocks=[list(blocks)])
        (check,) = [one for one in checks() if one.name == "too-little-data"]
        return list(check.look(Case(task, [one], [], ["last value"], 20)))

    assert not found(long)
    assert len(found(short)) == 2
    (check,) = [one for one in checks() if one.name == "too-little-data"]
    ranked = [cell("a", [-1.0]), naive("last value", 0.0)]
    (words,) = check.look(Case(long, ranked, compare_all(ranked), ["last value"], 20))
    assert words == "one trial alone says nothing about other seeds: a"


def test_codes_are_numbered_and_documented() -> None:
    found = checks()
    assert [one.code for one in found] == [f"P{n:03}" for n in range(1, len(found) + 1)]
    assert len({one.name for one in found}) == len(found)
    assert all("Fires" in (one.look.__doc__ or "") for one in found)


def test_every_check_is_tried() -> None:
    """A test here, or in a file beside this one, asks each by its name."""
    tried = "".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert not [one.name for one in checks() if f'"{one.name}"' not in tried]


def test_a_check_is_switched_off_by_name_or_code() -> None:
    assert check_codes() == {one.name: one.code for one in checks()}
    assert find_checks(["leak", "P004", "p011"]) == {"P005", "P004", "P011"}
    with pytest.raises(ArgumentError, match="did you mean 'duplicates'"):
        find_checks(["duplicate"])
    ranked = [naive("last value", 0.0), cell("a", [0.5, 0.52, 0.49])]
    case = Case(forecast(noise(600)), ranked, compare_all(ranked), ["last value"], 20)
    for skip, status in ((set(), "fired"), ({"P001"}, "skipped")):
        (found,) = [one for one in run_checks(case, skip) if one.code == "P001"]
        assert (found.status, bool(found.messages)) == (status, status == "fired")


def finding(messages: list[str], **weight: bool) -> Finding:
    about: Any = {"grave": False, "spoken": False, "about": "", **weight}
    return Finding(code="P004", name="any", status="fired", messages=messages, **about)


def test_what_puts_all_in_doubt_leads_the_verdict_and_chance_follows_the_answer() -> None:
    ranked = [cell("a", [-0.5, -0.52]), naive("last value", 0.0)]
    case = ranked, compare_all(ranked), ["last value"]
    plain, aside = judge(*case), finding(["12 % are odd"])
    assert judge(*case, [aside]) == plain
    grave, spoken = finding(["30 % are copies"], grave=True), finding(["a guess"], spoken=True)
    assert judge(*case, [spoken, aside, grave]).sentences == [
        "Do not trust this comparison yet: 30 % are copies (P004 any).",
        plain.sentences[0],
        "a guess.",
        *plain.sentences[1:],
    ]


def test_a_check_that_has_nothing_to_look_at_says_so() -> None:
    ranked = [naive("last value", 0.0), replace(cell("a", [0.5]), tuning=[])]
    case = Case(forecast(noise(600)), ranked, compare_all(ranked), ["last value"], 20)
    said = {one.name: (one.status, one.reason) for one in run_checks(case)}
    assert said["edge-of-range"] == ("not applicable", "one learning rate alone was given")
    assert said["largest-size"] == ("not applicable", "one size alone was tried")
    assert said["leak"][0] == said["chance-level"][0] == said["seeds-disagree"][0]
    assert said["leak"][0] == said["time-overlap"][0] == "not applicable"
    assert said["duplicates"] == said["step-limit"] == ("silent", "")
    lost = replace(cell("a", [0.5]), rank=None, trials=[])
    case = replace(case, contestants=[ranked[0], lost])
    said = {one.name: (one.status, one.reason) for one in run_checks(case)}
    assert said["worse-than-baseline"] == ("not applicable", "no trial of any cell finished")


def test_no_list_of_the_checks_is_kept_by_hand() -> None:
    files = [Path(penstock.__file__).parents[2] / name for name in ("README.md", "CONTRIBUTING.md")]
    for file in (*Path(penstock.__file__).parent.rglob("*.py"), *files):
        listed = {one.code for one in checks() if one.code in file.read_text("utf-8")}
        assert len(listed) < 3 or file.parent.name == "checks", file


def run(source: Any, out: Path, task: str, **more: Any) -> Record:
    budget = replace(QUICK, steps=40, round_steps=10, batch_size=32)
    same = {"cells": ["rnn", "gru"], "seeds": 2, "budget": budget, "rates": RATES}
    return run_comparison(source, out, task=task, **{**same, **more})


def test_random_labels_are_said_to_be_chance(tmp_path: Path) -> None:
    labels = np.random.default_rng(7).integers(0, 2, 200)
    data = find_task("classify").read(sequences(200, lambda n: labels[n]), Options())
    found = run(data, tmp_path, "classify")
    assert found.verdict.recommended is None
    assert "chance" in " ".join(found.verdict.sentences)
    assert "chance" in (tmp_path / "report.md").read_text("utf-8").partition("## The contest")[0]


def test_what_can_be_learned_is_not_chance(tmp_path: Path) -> None:
    task = find_task("classify")
    data = task.read(sample("gestures"), Options())
    found = run(data, tmp_path, "classify", rates=(3e-2,), seeds=3)
    assert not any("gru" in words or "every" in words for words in found.checks[9].messages)


def test_a_leak_a_copy_and_a_skip_from_end_to_end(tmp_path: Path) -> None:
    values = walk(0).series[0].values.copy()
    values[450:] = values[:150]
    data = series(y=values, x=2 * values)
    found = run(data, tmp_path, "forecast", horizon=2)
    fired = {one.name for one in found.checks if one.status == "fired"}
    assert {"leak", "duplicates"} <= fired
    assert found.verdict.sentences[0].startswith("Do not trust this comparison yet")
    again = run(data, tmp_path, "forecast", horizon=2, skip_checks=["leak", "P004"])
    status = {one.name: one.status for one in again.checks}
    assert status["leak"] == status["duplicates"] == "skipped"
    assert not again.verdict.sentences[0].startswith("Do not trust")

"""The experiments of the page of claims: made problems, who is chosen, when training ends."""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

from experiments import ability, costs, flow, problems, record, store, training, trials

from penstock.inspect.gradients import Flow


def test_verdicts():
    met = record.Check("", record.exact(1.0), high=2)
    missed = record.Check("", record.exact(3.0), high=2)
    unknown = record.Check("", record.mean([1.0]), high=2)
    assert (met.met, missed.met, unknown.met) == (True, False, False)
    kinds = {"holds": [met, met], "holds in part": [met, missed], "does not hold": [unknown]}
    for verdict, checks in kinds.items():
        assert record.Claim("", "", checks).verdict == verdict


def test_fits():
    assert costs.exponent([10, 20, 40], [3.0, 12.0, 48.0]) == pytest.approx(2)
    assert flow.fit(Flow(tuple(0.5**k for k in range(20)))) == pytest.approx(1)
    assert flow.fit(Flow(tuple(1 / (1 + k) ** 3 for k in range(20)))) < 0.97
    assert record.median([5, 1, 4, 2, 3, 9, 7, 8, 6]).mean == 5


def test_problems_have_the_answers_that_their_inputs_tell():
    torch.manual_seed(0)
    (x, y), (said, asked), (noise, sign) = (
        problems.PROBLEMS[name].draw(12, 500) for name in ("adding", "copy", "latch")
    )
    torch.testing.assert_close((x[..., 0] * x[..., 1]).sum(0), y)
    assert (x[..., 1].sum(0) == 2).all()
    assert (y - 1).square().mean().item() == pytest.approx(1 / 6, abs=0.03)
    assert (asked[-3:] == said[:3].argmax(-1)).all()
    assert (asked[:-3] == problems.IGNORED).all()
    assert ((noise[0, :, 0] > 0) == (sign[-1] == 1)).all()


def test_the_cups_lie_where_the_swaps_have_put_them():
    x, y = problems.PROBLEMS["five cups"].draw(15, 4)
    pairs = [*itertools.combinations(range(5), 2)]
    for row in range(4):
        under = [*range(5)]  # the cup at each place
        for step, told in zip(x[:, row], y[:, row], strict=True):
            one, other = pairs[step[:10].argmax()]
            under[one], under[other] = under[other], under[one]
            assert under.index(step[10:].argmax()) == told


def test_what_is_recalled_is_the_value_last_written():
    x, y = problems.PROBLEMS["recall"].draw(24, 6)
    for row in range(6):
        values = {}
        for step, told in zip(x[:, row], y[:, row], strict=True):
            key, value = int(step[:8].argmax()), int(step[8:].argmax())
            if value < 8:
                values[key] = value
            wanted = values.get(key, problems.IGNORED) if value == 8 else problems.IGNORED
            assert told == wanted


def test_a_share_is_nothing_at_chance_and_one_where_all_is_right():
    for problem in problems.PROBLEMS.values():
        assert problems.share(problem, problem.chance) == pytest.approx(0)
        assert problems.share(problem, 1.0 if problem.classes else 0.0) == 1


@pytest.mark.parametrize(
    ("mean", "interval", "word"),
    [
        (0.0095, (-0.0406, 0.0596), "chance"),  # one lucky seed is not a part of the way
        (-0.06, (-0.19, 0.07), "chance"),
        (-0.06, (-0.07, -0.05), "chance"),  # worse than chance is no better
        (0.03, (0.02, 0.04), "in part"),
        (0.3, (-0.2, 0.8), "in part"),
        (0.02, None, "chance"),
        (0.9, (0.2, 1.6), "solved"),
    ],
)
def test_the_word_beside_a_share_goes_by_the_mean_and_its_interval(mean, interval, word):
    assert ability.word(record.Estimate(mean, interval)) == word


def test_the_interval_of_a_proportion():
    low, high = record.proportion([True] * 81 + [False] * 182).interval  # Newcombe 1998, table I
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert record.proportion([False] * 10).interval == (0, pytest.approx(0.2775, abs=1e-4))


def made(job, validation, share=0.0, ended="limit", taken=10):
    return training.Run(job, 0.0, share, validation, taken, ended, None)


def test_rates_and_starts_are_chosen_by_validation_data_of_a_seed_of_their_own():
    asked = []

    def train(jobs):
        asked.extend(jobs)
        return [made(j, j.rate if j.start == "torch" else 1 - j.rate, j.rate) for j in jobs]

    tasks = trials.entries([("copy", 20)], ("lstm",))
    results = trials.tried(tasks, 2, 7, train)
    assert [(e.start, [(r.job.seed, r.job.rate) for r in runs]) for e, runs in results.items()] == [
        ("torch", [(0, 0.03), (1, 0.03)]),
        ("chrono", [(0, 0.003), (1, 0.003)]),
    ]
    assert {job.seed for job in asked[:6]} == {trials.TUNING}
    assert {job.steps for job in asked} == {7}
    assert trials.better(results, "copy", 20, "lstm").start == "chrono"
    assert trials.default(results, "copy", 20, "lstm").start == "torch"


def test_of_runs_that_solve_it_the_quickest_has_merit():
    job = trials.Entry("copy", 20, "gru", "torch").job(0, 9, 0.01)
    runs = [
        made(job, 0.99), made(job, 0.97, ended="solved", taken=8), made(job, 0.4),
        made(job, 0.96, ended="solved", taken=5),
    ]  # fmt: skip
    assert sorted(runs, key=trials.merit) == [runs[2], runs[0], runs[1], runs[3]]


def test_unsolved_rows_at_the_edge_of_the_rates_are_told():
    def runs(rate, share):
        return [made(trials.Entry("copy", 20, "gru", "torch").job(0, 9, rate), 0.5, share)]

    told = ability.edges(dict(enumerate([runs(0.03, 1.0), runs(0.03, 0.5), runs(0.01, 0.5)])))
    assert "Of 2 rows that were not solved, 0 took the lowest rate and 1 the highest" in told


def test_all_cells_see_the_same_data(monkeypatch):
    problem, drawn = problems.PROBLEMS["copy"], []

    def draw(T, B):
        drawn.append(problem.draw(T, B))
        return drawn[-1]

    monkeypatch.setitem(problems.PROBLEMS, "copy", replace(problem, draw=draw))
    for cell in ("rnn", "lstm"):
        training.train(trials.Entry("copy", 8, cell, "torch").job(3, 2, 0.01))
    assert len(drawn) == 8
    for one, other in zip(drawn[:4], drawn[4:], strict=True):
        assert all(map(torch.equal, one, other))


@pytest.mark.parametrize(
    ("decay", "error", "end", "steps"),
    [
        (0.99, 0.0, "solved", 108),  # 0.95^108 < 0.004
        (1.0, 0.5, "rest", 1001),
        (0.9995, 0.5, None, 3000),
    ],
)
def test_training_ends_where_it_is_solved_or_at_rest(decay, error, end, steps):
    curve, found, k = training.Curve(), None, 0
    while k < 3000 and not found:
        k += 1
        found = curve.add(k, decay**k, error)
    assert (found, k) == (end, steps)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_chrono_keeps_the_state_for_up_to_the_longest_time(cell):
    job = replace(trials.Entry("copy", 50, cell, "chrono").job(0, 1, 0.01), width=4000)
    layer = training.network(job)[0]
    gate = slice(4000, 8000)  # f of (i, f, g, o), z of (r, z, n)
    times = layer.bias_ih_l0.detach()[gate].exp().numpy()
    assert 1 <= times.min() < 1.2
    assert 48.8 < times.max() <= 49
    assert np.mean(times) == pytest.approx(25, abs=1)
    assert (layer.bias_hh_l0[gate] == 0).all()


def test_what_was_run_before_a_cut_is_not_run_again(tmp_path, monkeypatch):
    jobs = [trials.Entry("copy", 8, "rnn", "torch").job(seed, 2, 0.01) for seed in range(3)]
    journal, ran = store.Journal(tmp_path / "runs.jsonl"), []

    def train(job):
        ran.append(job)
        return made(job, 0.5), None

    monkeypatch.setattr(store, "train", train)
    whole = journal(jobs)
    text = journal.path.read_text()
    journal.path.write_text(text[:-20])  # cut off in the middle of a line
    assert journal(jobs) == whole
    assert ran == [*jobs, jobs[2]]
    assert journal.read() == dict(zip(jobs, whole, strict=True))
    monkeypatch.setattr(store, "fingerprint", lambda: "other code")
    assert journal(jobs) == whole
    assert ran[4:] == jobs

"""The page of claims: every claim is tried, and its verdict follows from the printed figures."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from experiments import costs, flow, problems, record  # noqa: E402

from penstock.explain.gradients import Flow  # noqa: E402

VERDICTS = {"holds", "holds in part", "does not hold"}
CHECK = re.compile(r"^\| (.+) \| (\S+) \| (none|\S+ to \S+) \| ([<>].+) \| (yes|no) \|$", re.M)
CLAIM = re.compile(r"^## \d\. ([^\n]+)\n\n\*\*Verdict: ([\w ]+)\.\*\*(.*?)(?=^## |\Z)", re.M | re.S)


def read(page):
    """Return title, verdict and checks of every claim of a page."""
    return [(c[1], c[2], CHECK.findall(c[3])) for c in CLAIM.finditer(page)]


def within(interval, limits):
    """Return whether a printed interval lies in a printed range."""
    if interval == "none":
        return False
    low, high = map(float, interval.split(" to "))
    range_ = {sign: float(v) for sign, v in re.findall(r"([<>]) (\S+)", limits)}
    return range_.get(">", -math.inf) < low and high < range_.get("<", math.inf)


def follows(checks):
    """Return the verdict that the page's rule gives."""
    met = [within(interval, limits) for _, _, interval, limits, _ in checks]
    assert met == [said == "yes" for *_, said in checks]
    return "holds" if all(met) else "holds in part" if any(met) else "does not hold"


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    file = tmp_path_factory.mktemp("claims") / "claims.md"
    command = [sys.executable, str(ROOT / "docs" / "claims.py"), "--quick", "--out", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return file.read_text()


def check_page(page):
    found = read(page)
    assert len(found) == 7
    summary = re.findall(r"^\| (.+) \| (holds|holds in part|does not hold) \|$", page, re.M)
    assert summary == [(title, verdict) for title, verdict, _ in found]
    for _, verdict, checks in found:
        assert checks
        assert verdict in VERDICTS
        assert verdict == follows(checks)


def test_the_whole_path(quick):
    check_page(quick)
    assert "chance" in quick
    assert re.search(r"share of weights saved \| 0\.25 \|", quick)


def test_the_page_that_is_committed():
    page = (ROOT / "docs" / "claims.md").read_text()
    check_page(page)
    titles = [title for title, *_ in read(page)]
    assert "Time and memory are O(T)" in titles
    assert "--quick" not in page


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
    opens, depth = (part.argmax(-1) if part.ndim == 3 else part
                    for part in problems.PROBLEMS["bracket depth"].draw(20, 3))  # fmt: skip
    for row in range(3):
        level = 0
        for is_open, told in zip(opens[:, row], depth[:, row], strict=True):
            level = min(7, level + 1) if is_open else max(0, level - 1)
            assert told == level


def test_a_share_is_nothing_at_chance_and_one_where_all_is_right():
    for problem in problems.PROBLEMS.values():
        labels = torch.tensor([0, 1, 1, 1])
        chance = problem.chance or 3 / 4
        assert problems.share(problem, chance, labels) == pytest.approx(0)
        perfect = 1.0 if problem.classes else 0.0
        assert problems.share(problem, perfect, labels) == 1

"""The page of claims: every claim is tried, and its verdict follows from the printed figures."""

import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import claims  # noqa: E402
from experiments import store  # noqa: E402

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


def command(file, *words):
    line = [sys.executable, str(ROOT / "docs" / "claims.py"), "--quick", "--out", str(file), *words]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    file = tmp_path_factory.mktemp("claims") / "claims.md"
    done = command(file)
    assert done.returncode == 0, done.stderr
    return file


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
    page = quick.read_text()
    check_page(page)
    assert "chance" in page
    assert re.search(r"share of weights saved \| 0\.25 \|", page)
    assert not [*quick.parent.glob("*.jsonl")]  # every claim was tried to its end


def test_one_claim_alone_leaves_the_others_as_they_are_recorded(quick, tmp_path):
    file = Path(shutil.copytree(quick.parent, tmp_path / "copy")) / quick.name
    record_ = store.Record(file.with_suffix(".json"))
    old = record_.read()
    record_.keep("parameters", replace(old["parameters"], about="long ago"))
    record_.keep("linear", replace(old["linear"], about="long ago too"))
    assert command(file, "parameters").returncode == 0
    new = record_.read()
    assert new["parameters"] == old["parameters"]
    assert new["linear"].about == "long ago too"
    assert all(new[name] == old[name] for name in old if name != "linear")
    assert file.read_text() == claims.page(new)


def test_a_claim_that_there_is_not(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["claims.py", "rang"])
    with pytest.raises(SystemExit):
        claims.main()
    assert "no claim 'rang'; there are parameters, reach" in capsys.readouterr().err


def test_the_page_that_is_committed():
    page = (ROOT / "docs" / "claims.md").read_text()
    check_page(page)
    titles = [title for title, *_ in read(page)]
    assert "Time and memory are O(T)" in titles
    assert "--quick" not in page
    assert page == claims.page(store.Record(ROOT / "docs" / "claims.json").read())

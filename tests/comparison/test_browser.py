"""Our pages in a real browser: they draw themselves without errors, and axe finds nothing."""

import json
import re
import shutil
import subprocess
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from penstock.comparison.inspection import inspect_model
from penstock.comparison.report import inspection_page
from penstock.comparison.report.report import render
from penstock.data.samples import sample
from penstock.record import markup
from penstock.record.reading import load_results
from penstock.record.results import Record

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
AXE = find_spec("axe_core_python")
PROBE = """
const errors = [];
addEventListener("error", event => errors.push(event.message));
addEventListener("securitypolicyviolation", event =>
  errors.push(`${event.effectiveDirective} refused: ${event.sample || event.blockedURI}`));
addEventListener("load", () => setTimeout(async () => {
  document.querySelectorAll("details").forEach(one => one.open = true);
  const plots = [...document.querySelectorAll(".plot")];
  const first = plots.find(one => one.previousElementSibling.className === "legend");
  const button = first.previousElementSibling.querySelector("button");
  button.click();
  const hidden = first.data.filter(one => one.visible === false).length;
  button.click();
  const heads = [...document.querySelectorAll(".board thead button")];
  heads[1]?.click(); heads[1]?.click();
  const rows = [...document.querySelectorAll(".board tbody tr")];
  const sorted = rows.map(row => row.cells[0].textContent);
  const rules = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"];
  const found = await axe.run(document, {runOnly: rules});
  const said = document.createElement("pre");
  said.id = "probe";
  said.textContent = JSON.stringify({
    links: document.querySelectorAll("a").length,
    legends: [...document.querySelectorAll(".legend button")].map(one => one.textContent),
    letters: [...document.querySelectorAll("svg text")].map(one => one.textContent),
    title: document.title, errors, hidden, sorted,
    drawn: plots.filter(one => one.querySelector(".main-svg")).length, plots: plots.length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    violations: found.violations.map(one => [one.id, one.impact, one.nodes[0].html.slice(0, 200)]),
    passes: found.passes.length});
  document.body.append(said);
}, 1500));
"""


def allowed(page: str, *scripts: str) -> str:
    """Return a page whose policy lets further scripts run."""
    hashes = " ".join(markup._digest(script) for script in scripts)
    changed = page.replace("script-src ", f"script-src {hashes} ", 1)
    assert changed != page
    return changed


def probe(page: str, tmp_path: Path, options: str, script: str = PROBE) -> dict[str, Any]:
    """Return what a page says of itself in Chromium."""
    assert AXE is not None
    assert AXE.origin is not None
    axe = Path(AXE.origin).with_name("axe.min.js").read_text("utf-8")
    both = f"<script>{axe}</script><script>{script}</script></head>"
    probed = allowed(page, axe, script).replace("</head>", both, 1)
    (tmp_path / "page.html").write_text(probed, "utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", options]
    command += ["--no-first-run", "--disable-background-networking"]
    command += ["--virtual-time-budget=20000", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, f"file://{tmp_path / 'page.html'}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    said = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert said, done.stdout[-2000:]
    found: dict[str, Any] = json.loads(unescape(said[1]))
    return found


pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here"),
    pytest.mark.skipif(AXE is None, reason="axe-core-python is not installed"),
]
WIDE = "--window-size=1280,900"
every_view = pytest.mark.parametrize(
    "options",
    [WIDE, "--window-size=500,900", "--blink-settings=preferredColorScheme=0"],
    ids=["wide", "narrow", "dark"],
)


@every_view
def test_the_report_in_chromium(
    finished: tuple[Record, Path], tmp_path: Path, options: str
) -> None:
    results, out = finished
    found = probe((out / "report.html").read_text("utf-8"), tmp_path, options)
    assert found["errors"] == []
    assert found["drawn"] == found["plots"] == 9
    assert found["hidden"] >= 1
    able = [one.name for one in results.contestants]
    assert found["sorted"] == able[::-1]  # by score, downwards
    assert found["overflow"] <= 0
    assert found["passes"] > 15
    assert found["violations"] == []


@every_view
def test_the_page_of_a_model_in_chromium(
    finished: tuple[Record, Path], tmp_path: Path, options: str
) -> None:
    model = finished[1] / "models" / "gru.json"
    page = inspection_page.render(inspect_model(model, sample("sunspots")))
    found = probe(page, tmp_path, options)
    assert found["errors"] == []
    assert found["drawn"] == found["plots"] > 4
    assert found["overflow"] <= 0
    assert found["passes"] > 15
    assert found["violations"] == []


EVIL = "<a href='http://evil.example'>&lt;b&gt;%{x}</a>"


def test_a_name_in_a_picture_is_no_link(finished: tuple[Record, Path], tmp_path: Path) -> None:
    """In axes, in what hovers, and in the legends, which show it as it is."""
    text = (finished[1] / "results.json").read_text("utf-8")
    for name in ("gru", "last value", finished[0].examples[0]["unit"]):
        text = text.replace(json.dumps(name), json.dumps(EVIL))
    (tmp_path / "results.json").write_text(text, "utf-8")
    page = render(load_results(tmp_path / "results.json"))
    found = probe(page, tmp_path, WIDE)
    assert found["errors"] == []
    assert found["drawn"] == found["plots"] == 9
    assert found["links"] == 0
    assert EVIL in found["legends"]
    assert EVIL in found["letters"]


ALERT = "<script>document.title = 'obeyed'</script>"
STRANGERS = (
    ALERT,
    "<img src=x onerror=\"document.title = 'obeyed'\">",
    "<a id=b href=\"javascript:document.title = 'obeyed'\">x</a>",
    "<script src=http://localhost:9/x.js></script>",
    "<base href=http://localhost:9/>",
)


def test_what_gets_into_a_page_all_the_same_does_not_run(
    finished: tuple[Record, Path], tmp_path: Path
) -> None:
    """The policy holds where escaping should ever fail; all else in the page goes on."""
    page = (finished[1] / "report.html").read_text("utf-8")
    strange = page.replace("</main>", f"{''.join(STRANGERS)}</main>", 1)
    assert strange != page
    click = "addEventListener('load', () => document.querySelector('#b').click());"
    found = probe(strange, tmp_path, WIDE, click + PROBE)
    assert found["title"] == title_of(page)
    assert found["drawn"] == found["plots"] == 9
    refused = " ".join(found["errors"])
    for directive in ("script-src-elem", "script-src-attr", "img-src", "base-uri"):
        assert f"{directive} refused" in refused


def title_of(page: str) -> str:
    found = re.search("<title>(.*?)</title>", page)
    assert found
    return unescape(found[1])

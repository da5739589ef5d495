import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

from penstock.comparison.report.report import rebuild_reports, render
from penstock.record.reading import load_results
from penstock.record.results import Record

REBUILT = """
import sys
from pathlib import Path
from penstock.comparison.report.report import rebuild_reports
rebuild_reports(Path(sys.argv[1]))
assert "torch" not in sys.modules
"""


class Page(HTMLParser):
    """Collects tags with their attributes, and text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._inside = "", ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text += data


def test_a_report_is_one_file_that_loads_nothing(finished: tuple[Record, Path]) -> None:
    html = (finished[1] / "report.html").read_text("utf-8")
    page = Page(html)
    for _, attributes in page.tags:
        for name in ("src", "href", "data", "action", "srcset"):
            assert name not in attributes
    assert "link" not in {tag for tag, _ in page.tags}
    assert not re.search(r"@import|url\(", html[: html.index("<script>")])


def test_it_says_the_verdict_and_all_contestants(finished: tuple[Record, Path]) -> None:
    results, out = finished
    text = Page((out / "report.html").read_text("utf-8")).text
    assert all(sentence in text for sentence in results.verdict.sentences)
    for one in results.contestants:
        assert one.name in text


def test_every_figure_has_a_caption_of_its_own(finished: tuple[Record, Path]) -> None:
    page = Page((finished[1] / "report.html").read_text("utf-8"))
    captions = [a["id"] for tag, a in page.tags if tag == "figcaption"]
    labels = [a["aria-labelledby"] for tag, a in page.tags if tag == "figure"]
    assert captions == labels
    assert len({*captions}) == len(captions) == 9


def test_classes_taken_for_others_are_counted(finished: tuple[Record, Path]) -> None:
    results = finished[0]
    counted = [replace(one, confusion=[[30, 1], [2, 44]]) for one in results.contestants]
    page = Page(render(replace(results, contestants=counted, class_names=["up", "<b>down"])))
    assert f"was taken by {results.verdict.best}" in page.text
    assert re.search(r"up\s*30\s*1\s*<b>down\s*2\s*44", page.text)
    assert "was taken by" not in render(results)


def test_light_dark_and_phone(finished: tuple[Record, Path]) -> None:
    html = (finished[1] / "report.html").read_text("utf-8")
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_names_in_the_data_are_no_markup(finished: tuple[Record, Path]) -> None:
    results, evil = finished[0], "<script>alert(1)</script>"
    examples = [{**shown, "series": evil} for shown in results.examples]
    html = render(replace(results, examples=examples, data={**results.data, "name": evil}))
    assert evil not in html


def test_it_is_rebuilt_from_results_without_torch(finished: tuple[Record, Path]) -> None:
    results, out = finished
    subprocess.run([sys.executable, "-c", REBUILT, str(out)], check=True)
    assert Page((out / "report.html").read_text("utf-8")).text == Page(render(results)).text
    rebuild_reports(out)
    assert load_results(out / "results.json").verdict == results.verdict


def test_the_policy_lets_nothing_run_or_load_but_what_is_ours(
    finished: tuple[Record, Path],
) -> None:
    page = render(finished[0])
    found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found
    rules = dict(rule.strip().split(" ", 1) for rule in unescape(found[1]).split(";"))
    for nothing in ("default-src", "base-uri", "form-action"):
        assert rules[nothing] == "'none'"
    for hashes in ("script-src", "style-src"):
        assert re.fullmatch(r"('sha256-[\w+/=]+' ?){2}", rules[hashes])

"""An attack: every string of results.json, and every name in a data file, wants to be obeyed.

Nothing in the pages, the Markdown, the CSV or the terminal may do what they say.
"""

import csv
import io
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest
from comparing import QUICK, RATES, run_comparison
from markdown_it import MarkdownIt
from markdown_it.token import Token

from penstock import plain
from penstock.cli import terminal
from penstock.cli.comparing import _screen
from penstock.cli.main import run
from penstock.comparison.inspection import inspect_model
from penstock.comparison.keeping.files import find_model
from penstock.comparison.report import exports, inspection_page
from penstock.comparison.report.report import render
from penstock.data import Options, load
from penstock.data.understanding import understand
from penstock.errors import DataError, ModelFileError
from penstock.opening import parse_json
from penstock.record.markup import Figure
from penstock.record.reading import load_results
from penstock.record.results import Record
from penstock.tasks import find_task

LINK, IMAGE = "http://evil.example", "<img src=x onerror=alert(3)>"
EVIL = (
    "<script>alert(1)</script>", "</script><script>alert(2)</script>", f'"></td>{IMAGE}',
    "' onmouseover='alert(4)", "${alert(5)}", "`rm -rf`", "a|b", "one\ntwo", "\r\n# head",
    "[bold red]x[/]", "[/nothing]", f"[link={LINK}]x[/link]", "[x](javascript:alert(6))",
    f"![x]({LINK})", f"\x1b]8;;{LINK}\x1b\\x\x1b]8;;\x1b\\", "\x1b[2J\x1b[31m", "\x9b31m",
    "\x07\x00\x7f", "=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "x;=1",
    "{{ 7*7 }}", "{% raw %}", "%{x}<extra></extra>", f"<a href='{LINK}'>x</a>", "\u202egnp.exe",
    "&lt;b&gt;", "&#60;", "**bold**", "_it_ ~no~ <!-- ", ":warning:", "]]>", "--><b>", LINK,
    "www.evil.example", "$x$", "1. one", "> quoted", "- item", "---", "\\", "\\[x](y)",
)  # fmt: skip


class Markup(HTMLParser):
    """Collects the elements with their attributes' names, and what they hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.made: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.kinds: set[str] = set()
        self.scripts: list[str] = []
        self.comments, self.text, self._inside = 0, "", ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.made[tag, tuple(name for name, _ in attrs)] += 1
        self.kinds |= set((dict(attrs).get("class") or "").split())
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._inside = ""

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        self.comments += 1

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text += data


def hostile(value: Any, words: Any, known: set[str]) -> Any:
    """Return a value in which every string but known words is one of EVIL, in turn."""
    if isinstance(value, dict):
        return {key: hostile(inner, words, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, words, known) for inner in value]
    if not isinstance(value, str) or value in known:
        return value
    return words(value)


@pytest.fixture
def results(finished: tuple[Record, Path], tmp_path: Path) -> Record:
    """Record whose every string is hostile, as read from a file that is whole."""
    text = (finished[1] / "results.json").read_text("utf-8")
    for place, name in enumerate(finished[0].metrics):
        text = text.replace(json.dumps(name), json.dumps(f"{EVIL[place - 4]} {EVIL[place]}"))
    raw = json.loads(text)
    known = {
        "cell",
        "blind",
        "naive",
        "classical",
        "finished",
        "pruned",
        "line",
        "bars",
        raw["schema"],
        raw["verdict"]["kind"],
    }
    known |= {"fired", "silent", "not applicable", "skipped", *raw["metrics"]}
    names: dict[str, str] = {}

    def words(value: str) -> str:
        evil = EVIL[len(names) % len(EVIL)]
        return names.setdefault(value, f"{evil}{len(names)}")

    made = hostile(raw, words, known)
    for one in made["checks"]:
        one["status"], one["messages"] = "fired", list(EVIL)
    made["cut"], made["notes"] = list(EVIL), list(EVIL)
    made["verdict"]["sentences"] = list(EVIL)
    made["data"]["columns"] = {evil: evil for evil in EVIL}
    made["settings"] = {evil: evil for evil in EVIL}
    path = tmp_path / "hostile" / "results.json"
    path.parent.mkdir()
    path.write_text(json.dumps(made), "utf-8")
    return load_results(path)


def test_the_page_holds_no_element_that_the_template_did_not_make(
    results: Record, finished: tuple[Record, Path]
) -> None:
    page, good = Markup(render(results)), Markup((finished[1] / "report.html").read_text("utf-8"))
    new = {made for made in page.made if made not in good.made}
    assert new <= {("div", ("class",)), ("ul", ()), ("li", ())}
    assert {name for _, names in page.made for name in names} <= {
        name for _, names in good.made for name in names
    }
    assert page.comments == good.comments == 0
    classes = {"lost", "grave", "warning", "finding", "cut", "doubt", "naive", "good"}
    assert page.kinds <= good.kinds | classes
    assert page.made["script", ()] == 2
    for evil in ("<script>alert(1)</script>", "{{ 7*7 }}", "&lt;b&gt;", "[bold red]x[/]"):
        assert evil in page.text
    assert not obeyed(page.text)


def test_the_pictures_hold_no_tag_and_no_link(results: Record) -> None:
    """plotly draws links of <a>, and takes other tags for letters in bold or smaller."""
    figures = [json.loads(text) for text in Markup(render(results)).scripts if text[:1] == "{"]
    assert len(figures) == 9
    strings = list(texts(figures))
    assert any("&lt;script&gt;" in text for text in strings)
    assert not [text for text in strings if re.search(r"[<>]", text)]


def test_nothing_in_a_picture_ends_its_script() -> None:
    """Also not what is ours, and left as it is."""
    ours = "</script><!--<script>&amp;<extra></extra>"
    drawn = go.Figure().add_scatter(x=[1], y=[2], name=ours, hovertemplate=ours)
    data = Figure("x", drawn, "x").data
    assert not re.search("[<>&]", data)
    assert json.loads(data)["data"][0]["hovertemplate"] == ours


def texts(value: Any) -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from () if key == "hovertemplate" else texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def obeyed(text: str) -> list[str]:
    """Return the signs in a text that a terminal would obey, or that turn its direction."""
    return re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", text)


def test_markdown(results: Record, finished: tuple[Record, Path]) -> None:
    """As CommonMark with tables reads it, there is nothing but our lists, tables and words."""
    text, good = exports.markdown(results), exports.markdown(finished[0])
    assert not obeyed(text)
    assert not re.search(r"(?<!\\)://|www\.", text)  # GitHub makes links of bare addresses
    assert kinds(text) == kinds(good)
    assert kinds("<b>x</b> [x](y)") - kinds(good) == {"html_inline", "link_open", "link_close"}
    found = [part for part in parts(text) if part.type == "heading_open"]
    assert len(found) == 1 + len(re.findall(r"^## ", text, re.MULTILINE)) == 6
    said = "".join(part.content for part in parts(text) if part.type == "text")
    for evil in EVIL:
        assert plain.one_line(evil).strip() in said


def parts(text: str) -> Iterator[Token]:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for token in reader.parse(text):
        yield from token.children or [token]


def kinds(text: str) -> set[str]:
    return {part.type for part in parts(text)}


def formulas(text: str) -> list[str]:
    """Return the cells of a CSV file that a spreadsheet would take for formulas."""
    number = re.compile(r"[+-]?[\d.]+(e[+-]?\d+)?")
    return [
        cell
        for separator in ",;\t"
        for row in csv.reader(io.StringIO(text), delimiter=separator)
        for cell in row
        if cell.strip()[:1] in {*"=+-@"} - {""} and not number.fullmatch(cell.strip())
    ]


def test_csv(results: Record) -> None:
    assert formulas("a,b\n=1,2\n")  # the test can fail
    text = exports.comma_separated(results)
    assert not formulas(text)
    assert not obeyed(text)
    assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1


def test_the_terminal(results: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _screen.show(results, tmp_path / "\x1b[2J[red]:warning:")
    said = capsys.readouterr().out
    assert not obeyed(said)
    assert "[bold red]x[/]" in said
    assert ":warning:" in said
    assert "\\x1b[2J[red]:warning:" in said


def test_a_line_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Of any command: what it says of a folder with such a name."""
    assert run(["report", "".join(EVIL).replace("\x00", "").replace("/", "")[:90]]) == 2
    terminal.say("".join(EVIL))
    said = capsys.readouterr()
    assert not obeyed(said.out + said.err)
    assert "\\x9b31m" in said.out
    assert "\\x07\\x00\\x7f" in said.out


def test_a_model_outside_the_folder(
    finished: tuple[Record, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recommended cell's name is a path, and so is the contestant's."""
    raw = json.loads((finished[1] / "results.json").read_text("utf-8"))
    for suffix in (".json", ".safetensors"):
        source = (finished[1] / "models" / "gru").with_suffix(suffix)
        (tmp_path / f"outside{suffix}").write_bytes(source.read_bytes())
    folder = tmp_path / "in" / "models"
    folder.mkdir(parents=True)
    for name in ("../../outside", str(tmp_path / "outside"), "..", ".", "a\\b", "c:x", "x\0y"):
        cell = next(one for one in raw["contestants"] if one["kind"] == "cell")
        cell |= {"name": name, "model": f"models/{name}.json"}
        raw["verdict"] |= {"best": name, "recommended": name, "smallest": None, "times": {}}
        (folder.parent / "results.json").write_text(json.dumps(raw), "utf-8")
        with pytest.raises(ModelFileError, match="no name of a file"):
            find_model(folder.parent)
    raw["verdict"]["recommended"] = "../../outside"
    (folder.parent / "results.json").write_text(json.dumps(raw), "utf-8")
    assert run(["predict", str(folder.parent), "sunspots"]) == 2
    assert "which is no contestant" in capsys.readouterr().err


CELL = object()  # stands for the place of the first cell
WRONG = {
    "a kind": ("contestants", 0, "kind", "robot"),
    "a number for a word": ("contestants", 0, "name", 7),
    "a word for a number": ("contestants", CELL, "parameters", "many"),
    "a truth for a number": ("seeds", 0, True),
    "a status": ("contestants", CELL, "trials", 0, "status", "<b>"),
    "a verdict": ("verdict", "kind", "maybe"),
    "rows": ("data", "rows", "<b>"),
    "a budget": ("budget", "tried", [1]),
    "a tournament": ("tournament", [{"cell": 1}]),
    "splits without scores": ("resplits", {"scores": {"gru": []}, "ratio": 0.3, "comparisons": []}),
    "a picture": ("examples", 0, "kind", "image"),
    "a picture's place": ("examples", 0, "context", "0"),
    "times": ("times", "total", None),
    "a sentence": ("verdict", "times", {"sentences": "abc"}),
    "a check": ("checks", 0, "grave", "yes"),
    "half a pair of signs": ("task", "\ud800"),
    "a schema": ("schema", "\x1b[2Jpenstock.results/3"),
    "no number": ("contestants", CELL, "setting", "learning_rate", float("nan")),
    "what is missing": ("metrics", []),
    "fewer values than steps": ("contestants", 0, "profile", []),
    "no metrics": ("contestants", 0, "intervals", {}),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_a_results_json_of_the_wrong_kind(
    finished: tuple[Record, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: tuple[Any, ...],
) -> None:
    raw = json.loads((finished[1] / "results.json").read_text("utf-8"))
    *way, last, value = change
    inner = raw
    cell = [one["kind"] for one in raw["contestants"]].index("cell")
    for key in (cell if key is CELL else key for key in way):
        inner = inner[key]
    inner[last] = value
    (tmp_path / "results.json").write_text(json.dumps(raw), "utf-8")
    assert run(["report", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "results.json" in said
    assert not obeyed(said)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_further_keys_do_no_harm(finished: tuple[Record, Path], tmp_path: Path) -> None:
    """A later version may add some."""
    raw = json.loads((finished[1] / "results.json").read_text("utf-8"))
    for one in (raw, raw["verdict"], raw["checks"][0], raw["contestants"][0], raw["data"]):
        one["new"] = "<b>"
    (tmp_path / "results.json").write_text(json.dumps(raw), "utf-8")
    assert load_results(tmp_path / "results.json").verdict == finished[0].verdict
    assert run(["report", str(tmp_path)]) == 0


# ---------------------------------------------------------------- data files

FILE = "<img src=x onerror=alert(8)> =1+1 \x1b]0;x\x07 :warning: $x$.csv"
COLUMNS = [evil for evil in EVIL if evil.strip()]


def series() -> list[list[Any]]:
    """Return a table of series whose columns have hostile names."""
    rows = [[2000 + t, *((t * t) % (5 + k) + k for k in range(len(COLUMNS)))] for t in range(60)]
    return [["ds", *COLUMNS], *rows]


def long() -> list[list[Any]]:
    """Return one of series with hostile ids."""
    rows = [[f"{evil}{k}", t, (t * t) % 7 + k] for k, evil in enumerate(EVIL) for t in range(40)]
    return [["=id", "<b>t</b>", "[red]y"], *rows]


def labels() -> list[list[Any]]:
    """Return sequences with hostile ids and labels."""
    rows = [
        [f"{EVIL[k % len(EVIL)]}{k}", f"{(t * (k % 3)) % 5:.40f}", EVIL[(0, 7, 16)[k % 3]]]
        for k in range(60)
        for t in range(5)
    ]
    return [["id", "<b>x</b>", "label"], *rows]


FILES: dict[str, tuple[Any, dict[str, Any]]] = {
    "forecast": (series, {}),
    "forecast of ids": (long, {"id": "=id", "time": "<b>t</b>", "target": ("[red]y",)}),
    "classify": (labels, {}),
}


@pytest.mark.parametrize(("make", "options"), FILES.values(), ids=FILES.keys())
def test_a_hostile_data_file(
    make: Any,
    options: dict[str, Any],
    finished: tuple[Record, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, out = tmp_path / FILE, tmp_path / "out"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(make())
    source, chosen = load(path), Options(**options)
    task = understand(source, chosen).task
    dataset = find_task(task).read(source, chosen)
    learned = {"cells": ["rnn"], "seeds": 1, "budget": QUICK, "rates": RATES[:1]}
    results = run_comparison(dataset, out, task=task, **learned)
    _screen.show(results, out)
    assert not obeyed(capsys.readouterr().out)
    page = Markup((out / "report.html").read_text("utf-8"))
    good = Markup((finished[1] / "report.html").read_text("utf-8"))
    assert {tag for tag, _ in page.made} == {tag for tag, _ in good.made}
    assert {n for _, ns in page.made for n in ns} == {n for _, ns in good.made for n in ns}
    assert not obeyed(page.text)
    shown = [json.loads(text) for text in page.scripts if text[:1] == "{"]
    assert not [text for text in texts(shown) if re.search(r"[<>]", text)]
    markdown = (out / "report.md").read_text("utf-8")
    assert kinds(markdown) <= kinds(exports.markdown(finished[0]))
    assert not obeyed(markdown)
    assert not formulas((out / "results.csv").read_text("utf-8"))
    assert run(["predict", str(out / "models" / "rnn.json"), str(path)]) == 0
    said = capsys.readouterr()
    assert not obeyed(said.out + said.err)
    assert not formulas(said.out)
    assert FILE not in "".join(said)
    inspected = inspect_model(out / "models" / "rnn.json", source)
    page = Markup(inspection_page.render(inspected))
    assert {tag for tag, _ in page.made} <= {tag for tag, _ in good.made}


def test_a_column_as_csv() -> None:
    """Numbers stay numbers, whatever their sign; a word that a spreadsheet would run does not."""
    words = ["=1+1", "-5", "+1.5e3", "-", "-x", "＝1", " =1", "a;=b", "a\t=b", "é", "", "@a"]
    safe = ["'=1+1", "-5", "+1.5e3", "-", "'-x", "'＝1", "' =1", "a;'=b", "a\\t=b", "é", "", "'@a"]
    frame = pl.DataFrame({"=x": words, "v": [-1.5] * len(words)})
    frame = frame.with_columns(pl.col("=x").cast(pl.Categorical).alias("@c"))
    text = exports.csv_of(frame)
    assert list(csv.reader(io.StringIO(text)))[1:] == [[word, "-1.5", word] for word in safe]
    assert text.startswith("'=x,v,'@c\n")


def test_json_as_we_do_not_write_it() -> None:
    for text, why in (
        (b'{"a": 1, "a": 2}', "an object has a key twice"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
    ):
        with pytest.raises(DataError, match=why):
            parse_json(Path("a.json"), text)


def test_a_model_whose_cell_is_a_file_runs_no_file(
    finished: tuple[Record, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished[1] / "models", tmp_path / "models")
    (tmp_path / "mine.py").write_text("open('ran', 'w')")
    model = tmp_path / "models" / "gru.json"
    about = json.loads(model.read_text("utf-8"))
    model.write_text(json.dumps(about | {"name": f"{tmp_path / 'mine.py'}:Mine"}), "utf-8")
    assert run(["predict", str(model), "sunspots"]) == 2
    assert "a file that a model must not run" in capsys.readouterr().err
    assert not Path("ran").exists()


def test_a_model_of_hostile_words(
    finished: tuple[Record, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model's JSON file too may come from a stranger: its words are said, and not obeyed."""
    model = tmp_path / "gru.json"
    for name in (".json", ".safetensors"):
        source = (finished[1] / "models" / "gru.json").with_suffix(name)
        model.with_suffix(name).write_bytes(source.read_bytes())
    about = json.loads(model.read_text("utf-8"))
    for key in ("schema", "task", "name"):
        model.write_text(json.dumps(about | {key: "\x1b[2J[red]x[/y]\nline"}), "utf-8")
        assert run(["inspect", str(model), "sunspots", "--out", str(tmp_path / "x.html")]) == 2
        said = capsys.readouterr().err
        assert "\\x1b[2J[red]x[/y]" in said
        assert not obeyed(said)

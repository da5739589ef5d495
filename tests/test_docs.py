"""Every example in README, docs and docstrings is run; the pages of the cells are up to date."""

import ast
import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import penstock
from penstock.cli.main import run
from penstock.comparison import run as compare_module
from penstock.data import samples
from penstock.training.loop import Budget

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

from copying import table as copy_table  # noqa: E402

WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CELLS = sorted((ROOT / "docs" / "cells").glob("*.md"))
SOURCES = sorted(Path(penstock.__file__).parent.rglob("*.py"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text, language):
    """Yield the blocks of a language, each behind as many lines as stand before it."""
    for found in BLOCK.finditer(text):
        if found[1] == language:
            yield "\n" * (text.count("\n", 0, found.start()) + 1) + found[2]


@pytest.fixture
def _folder(tmp_path, monkeypatch):
    """Give examples a folder of their own, quick training, and a screen of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    short = lambda asked: Budget(steps=asked.steps or 8, round_steps=4)  # noqa: E731
    monkeypatch.setattr(compare_module, "_budget", short)
    monkeypatch.setattr(compare_module, "GENERATIONS", (2,))
    shutil.copy(Path(samples.__file__).with_name("sunspots.csv"), "sunspots.csv")
    copy_table(T=20, B=60).write_csv("copy.csv")
    own = next(blocks((ROOT / "README.md").read_text(), "python"))
    own = own.partition("layer =")[0].replace("class MGU", "class MyCell")
    Path("mine.py").write_text(own.lstrip())


def execute(file, text):
    """Run the examples of a page or docstring, one after the other."""
    scope = {"__name__": "example"}
    for code in blocks(text, "python"):
        exec(compile(code, str(file), "exec"), scope)


def test_the_examples_in_python(tmp_path):
    """In a process of their own, since they define cells, which later tests would find."""
    pages = [str(page) for page in WRITTEN if "```python" in page.read_text()]
    assert {Path(p).name for p in pages} >= {"README.md", "writing-a-cell.md", "layer.md"}
    command = [sys.executable, __file__, *pages]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_examples_of_the_cells():
    for page in CELLS:
        execute(page, page.read_text())


def matches(printed, shown):
    """Return whether lines were printed as shown, where … stands for anything."""
    stripped = [line.rstrip() for line in printed.splitlines()]
    pattern = ".*".join(map(re.escape, shown.rstrip("\n").split("…")))
    return re.fullmatch(pattern if shown else ".*", "\n".join(stripped), re.DOTALL)


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("page", WRITTEN, ids=lambda p: p.name)
def test_the_commands(page, capsys):
    for block in blocks(page.read_text(), "console"):
        for command, shown in re.findall(r"^\$ penstock (.*)\n((?:(?!\$ ).*\n)*)", block, re.M):
            capsys.readouterr()
            assert run(command.split()) == 0
            printed = capsys.readouterr().out
            assert matches(printed, shown), f"penstock {command} prints\n{printed}"


def docstrings():
    """Yield every docstring that holds an example, with its file and name."""
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                if ">>>" in text or "```python" in text:
                    yield file, getattr(node, "name", file.stem), text


@pytest.mark.usefixtures("_folder")
def test_the_examples_in_docstrings():
    runner = doctest.DocTestRunner(verbose=False)
    for file, name, text in docstrings():
        runner.run(doctest.DocTestParser().get_doctest(text, {}, name, str(file), 0))
        execute(file, text)
    assert not runner.failures


def test_the_pages_of_the_cells_are_up_to_date(tmp_path):
    """In a process of its own, where no test has defined cells."""
    command = [sys.executable, str(ROOT / "docs" / "build.py"), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    wanted = {p.name: p.read_text() for p in tmp_path.glob("*.md")}
    found = {p.name: p.read_text() for p in CELLS}
    stale = [n for n in {*wanted, *found} if wanted.get(n) != found.get(n)]
    assert not stale, f"run python docs/build.py and read the diff: {sorted(stale)}"


def test_links_lead_somewhere():
    for page in (*WRITTEN, *CELLS):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        execute(name, Path(name).read_text())

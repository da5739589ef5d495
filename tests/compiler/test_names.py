"""One word, one meaning: no class of the compiler has a namesake in the package."""

import ast
from collections import defaultdict
from pathlib import Path

import penstock

ROOT = Path(penstock.__file__).parent


def bare(name):
    return name.strip("_").lower()


def classes():
    """Return for each class's name, without underscores, the files that define it."""
    found = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[bare(node.name)].append(path.relative_to(ROOT).as_posix())
    return found


def test_no_class_of_the_compiler_has_a_namesake():
    ours = {
        name: files for name, files in classes().items() if any("compiler/" in f for f in files)
    }
    assert len(ours) > 40
    assert {name: files for name, files in ours.items() if len(files) > 1} == {}

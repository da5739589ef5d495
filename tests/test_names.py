"""One word, one meaning: no two classes of the package have one name."""

import ast
from collections import defaultdict
from pathlib import Path

import penstock

ROOT = Path(penstock.__file__).parent
DROP_INS = {"rnn", "lstm", "gru"}  # the layer in torch's place is named as the cell, on purpose


def bare(name):
    return name.strip("_").lower()


def classes():
    """Return for each class's name, without underscores, the files that define it."""
    files = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                files[bare(node.name)].append(path.relative_to(ROOT).as_posix())
    return files


def test_no_two_classes_have_one_name():
    files = classes()
    assert len(files) > 150
    assert {name for name, places in files.items() if len(places) > 1} == DROP_INS

"""No module imports, by way of others, itself: at its top, in a function, or for types alone."""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

import penstock

SOURCE = Path(penstock.__file__).parents[1]
# The two names that torch.export.load looks up stand apart from what they do, which imports all.
AT_FIRST_USE = ("penstock.layers.running.operator", "penstock.layers.running.op")


def by_name():
    """Return the imports by a name in quotes, which no reader of imports sees."""
    for path in SOURCE.rglob("*.py"):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        module = module.removesuffix(".__init__")
        text = path.read_text("utf-8")
        for imported in re.findall(r'import_module\(\s*"(penstock[\w.]+)"', text):
            yield module, imported


def imports():
    """Return for each module those that it imports."""
    graph = grimp.build_graph("penstock", cache_dir=None)
    found = {one: set(graph.find_modules_directly_imported_by(one)) for one in graph.modules}
    for module, imported in by_name():
        found[module].add(imported)
    return found


def test_there_is_no_circle():
    found = imports()
    assert len(found) > 300
    found[AT_FIRST_USE[0]].remove(AT_FIRST_USE[1])
    TopologicalSorter(found).prepare()


def test_a_circle_is_seen():
    with pytest.raises(CycleError, match=AT_FIRST_USE[0]):
        TopologicalSorter(imports()).prepare()

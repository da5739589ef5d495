"""The generated C of a few cells, as it is read: a change of the compiler is a readable diff.

`pytest tests/compiler/test_golden.py --update-golden` writes the files anew.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from penstock.cells import Place, cells
from penstock.cells.modifiers import Modifiers
from penstock.compiler import pipeline
from penstock.compiler.backends.c.source import generated

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = {  # one product a step; two in a chain; a lower layer's state; whole rows waited for
    "lstm": ("lstm", Place(3, 5)),
    "gru_reset_before": ("gru_reset_before", Place(3, 5)),
    "depth_gated_lstm_upper": ("depth_gated_lstm", Place(5, 5, lowest=False)),
    "rnn_layer_norm": ("rnn", Place(3, 5, modifiers=Modifiers(layer_norm=True))),
}


def written(case):
    cell, place = CASES[case]
    return generated(pipeline.lower(cells()[cell](), place).plan) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_generated_source(case, request):
    path = GOLDEN / f"{case}.c"
    if request.config.getoption("--update-golden"):
        path.write_text(written(case))
    assert written(case) == path.read_text(), (
        f"{path.name} differs; if that is wanted, run pytest --update-golden and read the diff"
    )


@pytest.mark.parametrize("case", CASES)
def test_the_source_is_the_same_for_all_sizes(case):
    cell, place = CASES[case]
    other = replace(place, input_size=64, hidden_size=256)
    assert generated(pipeline.lower(cells()[cell](), other).plan) + "\n" == written(case)


def test_no_file_is_left_over():
    assert {p.stem for p in GOLDEN.glob("*.c")} == {*CASES}

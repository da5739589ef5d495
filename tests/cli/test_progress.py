"""How far a comparison is, where stderr is no terminal."""

import threading
from types import SimpleNamespace

import pytest

from penstock.cli.comparing import _screen
from penstock.comparison.trials.trial import Job
from penstock.record.structure import Structure
from penstock.training.loop import Budget


def test_a_line_says_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens, or does not: the first round of a large network may take minutes."""
    said, lines = threading.Event(), list[str]()

    def keep(line: str, *, error: bool) -> None:
        assert error
        lines.append(line)
        said.set()

    monkeypatch.setattr(_screen, "terminal", SimpleNamespace(console=_screen.terminal.console))
    monkeypatch.setattr(_screen.terminal, "say", keep, raising=False)
    monkeypatch.setattr(_screen, "_EVERY", 0.01)
    job = Job("gru", Structure(3), 2, Budget(steps=8, round_steps=2), "test", 4000, "digest")
    with _screen.Bar(inferred=False) as bar:
        assert said.wait(10)
        assert lines[0].startswith("preparing; ")
        bar.begins(4)
        bar.round(job, SimpleNamespace(round=1))  # type: ignore[arg-type]
        count = len(lines)
        while len(lines) < count + 2:
            said.clear()
            assert said.wait(10)
    assert lines[-1].startswith("0 of 4 trials at most; gru, seed 2 25 %; ")

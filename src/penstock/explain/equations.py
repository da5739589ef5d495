"""A cell's equations, a line for each value that its author named, as text and as LaTeX."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from penstock.cells import Cell
from penstock.explain import spelling
from penstock.explain.written import Name, Recording, Term, record

Labels = Mapping[Term, Name]


@dataclass(frozen=True)
class Equation:
    """What a name stands for.

    text: as ``i = σ(W_i x + U_i h₋ + b_i)``, h₋ being the state before the step. latex: the same,
    with time as a subscript.
    """

    text: str
    latex: str


def equations(cell: Cell, lowest: bool = True) -> tuple[Equation, ...]:
    """Return a cell's equations in the order in which they are computed, the output's last.

    Args:
        cell: with its hyperparameters.
        lowest: those of the lowest layer, where the cell asks for a lower layer's state.

    Raises:
        TraceError: a step does what cannot be written down.
    """
    recording, new = record(cell, "step", "old", lowest)
    lines = _lines(recording, dict(zip(cell.states, new, strict=True)), cell, "new")
    if cell.output is not None:
        recording, result = record(cell, "output", "new", lowest)
        lines += _lines(recording, {_free_name("y", cell): result[0]}, cell, "value")
    return tuple(lines)


def _free_name(name: str, cell: Cell) -> str:
    return "output" if name in (*cell.states, *cell.declared) else name


def _lines(
    recording: Recording, results: Mapping[str, Term], cell: Cell, role: str
) -> list[Equation]:
    """Return the equations of what the results need."""
    needed = _needed(results.values())
    order = [t for t in recording.made if t in needed]
    labels: dict[Term, Name] = {}
    for name, term in results.items():
        if term.op != "name":
            labels.setdefault(term, Name(name, role))
    leaves = (t.name.text for t in recording.made if t.op in ("name", "product"))
    taken = {*results, *cell.hyperparameters, *leaves}
    _label_locals(recording, order, labels, taken)
    equations = [_equation(labels[t], t, labels) for t in order if t in labels]
    for name, term in results.items():  # a state that is an input, or another state
        if labels.get(term) != Name(name, role):
            equations.append(_equation(Name(name, role), term, labels, whole=False))
    return equations


def _needed(results: Iterable[Term]) -> set[Term]:
    """Return the terms that the results are made of, themselves included."""
    needed: set[Term] = set()
    waiting = list(results)
    while waiting:
        term = waiting.pop()
        if term not in needed:
            needed.add(term)
            waiting += term.args
    return needed


def _label_locals(
    recording: Recording, order: list[Term], labels: dict[Term, Name], taken: set[str]
) -> None:
    """Label what the local variables held; of a name with several values all but the last count.

    A value that does nothing but to go into the next one of its name is written there.
    """
    uses = Counter(a for t in order for a in t.args)
    for name, held in recording.held.items():
        passing = {t for t, new in pairwise(held) if uses[t] == 1 and t in {*new.args}}
        values = [t for t in held if uses[t] and t not in labels and t not in passing]
        for k, term in enumerate(values, 1):
            plain = term is values[-1] and name not in taken
            role = "value" if _varies(term) else "weight"
            labels[term] = Name(name, role, 0 if plain else k)


def _varies(term: Term) -> bool:
    """Return whether a value is another one at each step, and not made of weights alone."""
    return any(t.name.role in ("old", "new", "input") for t in _needed([term]))


def _equation(label: Name, term: Term, labels: Labels, whole: bool = True) -> Equation:
    """Return the equation of a term; whole: written out, although it has a label itself."""
    inner = {t: n for t, n in labels.items() if not (whole and t is term)}
    texts = [
        f"{style.name(label)} = {spelling.spell(term, style, inner)}" for style in spelling.STYLES
    ]
    return Equation(*texts)

"""A cell's equations as they were written: `step` runs once on terms that remember their making.

The compiler's graph knows what is computed; a reader wants to see it as its author wrote it, with
the author's own names. So terms keep each call as it stands, and the run notes which of them the
local variables of `step` hold.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any

from penstock.cells.base import Cell, Gate, Matrix, Multiplication, Vector
from penstock.errors import TraceError
from penstock.explain.terms import Name, Number, Term, as_term


class Run:
    """One run of a cell's equations.

    made: its terms in the order of their making. held: those that its local variables have held.
    """

    def __init__(self, equations: Callable[..., Any]) -> None:
        self.code = inspect.unwrap(equations).__code__
        self.made: list[Term] = []
        self.held: dict[str, list[Term]] = {}

    def look(self) -> None:
        """Note what the local variables hold now; called at every new term."""
        frame = sys._getframe(1)
        while frame is not None and frame.f_code is not self.code:
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None:
            return
        for name, value in frame.f_locals.items():
            if isinstance(value, Term) and value.op not in ("name", "number"):
                held = self.held.setdefault(name, [])
                if not any(value is h for h in held):
                    held.append(value)

    def leaf(self, text: str, role: str) -> Term:
        """Return a named leaf of this run."""
        return Term("name", name=Name(text, role), run=self)


def record(cell: Cell, equations: str, states: str, lowest: bool) -> tuple[Run, list[Term]]:
    """Run `step` or `output` on terms; return the run and the terms that came out.

    Args:
        cell: with its hyperparameters.
        equations: ``"step"`` or ``"output"``.
        states: ``"old"`` or ``"new"``, what the states that go in are.
        lowest: the equations of the lowest layer.

    Raises:
        TraceError: the equations do what cannot be written down.
    """
    cls = type(cell)
    run = Run(getattr(cls, equations))
    bound: Any = cell.bind({name: _declared(cell, name, run) for name in cell.declared})
    for name, value in cell.hyperparameters.items():
        if type(value) is float:
            leaf = Term("name", name=Name(name, "number"), value=value)
            setattr(bound, name, Number.of(value, leaf))
    lower = cell.below if equations == "step" and not lowest else ()
    inputs = [run.leaf("x", "input"), *(run.leaf(s, states) for s in cell.states)]
    inputs += [run.leaf(f"{s}_below", "input") for s in lower]
    try:
        result = getattr(bound, equations)(*inputs)
        results = list(result) if isinstance(result, tuple) else [result]
        return run, [as_term(r) for r in results]
    except Exception as error:
        raise TraceError(f"{cls.__name__}: {equations} cannot be written down: {error}") from error


def _declared(cell: Cell, name: str, run: Run) -> Any:
    """Return what stands for a declaration in the equations."""
    declared = cell.declared[name]
    gates = [d for d in cell.declared.values() if isinstance(d, Gate)]
    if isinstance(declared, Gate):
        return _gate(declared, run, "" if len(gates) == 1 else f"_{name}")
    if isinstance(declared, Matrix):
        label = _matrix_label(name)
        return Multiplication(lambda z, turned: _product(label + "ᵀ" * turned, z, run))
    assert isinstance(declared, Vector)
    return run.leaf(name, "number" if declared.size == "1" else "weight")


def _product(label: str, value: Any, run: Run) -> Term:
    return Term("product", (as_term(value),), Name(label, "weight"), run=run)


def _matrix_label(name: str) -> str:
    """Return what a matrix is called in equations: q is Q, hr is W_hr."""
    label = name[0].upper() + name[1:] if name[1:2] in ("", "_") else f"W_{name}"
    return label if label not in ("W", "U") else f"W_{name}"  # which are those of gates


def _gate(gate: Gate, run: Run, subscript: str) -> Callable[..., Term]:
    def call(*given: Any) -> Term:
        pairs = zip(("W", "U"), gate.arguments(given), strict=True)
        parts = [_product(w + subscript, v, run) for w, v in pairs if v is not None]
        if gate.bias is not False:
            parts.append(run.leaf(f"b{subscript}", "weight"))
        total = parts[0]
        for part in parts[1:]:
            total = total + part  # type: ignore[operator]
        return total

    return call

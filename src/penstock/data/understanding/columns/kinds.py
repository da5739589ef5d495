"""The kind of a column: a number, a truth value, a category, a symbol or a time."""

from collections.abc import Mapping

from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.columns.roles import Kind, Role


def kinds_of(
    cells: Mapping[str, Cells], roles: Mapping[str, Role], classes: bool
) -> dict[str, Kind]:
    """Return the kind of each column; `classes` says whether labels are classes."""
    return {name: _kind(cells[name], role, classes) for name, role in roles.items()}


def _kind(cells: Cells, role: Role, classes: bool) -> Kind:
    if role == "time":
        return "time"
    if role in ("id", "group", "split") or (role == "label" and classes):
        return "category"
    if cells.sort in ("number", "boolean", "time"):
        return cells.sort
    return "symbol" if role == "input" else "category"

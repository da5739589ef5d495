"""Columns beside the steps of labelled sequences: inputs, or ids, groups and leaks to ask about."""

from collections.abc import Mapping

import polars as pl

from penstock.data.understanding.cells.cells import Cells
from penstock.data.understanding.columns.parts import names_parts, note_parts
from penstock.data.understanding.columns.roles import Role
from penstock.data.understanding.names import GROUPS
from penstock.data.understanding.remarks import Remarks

_FEWEST_CELLS = 20  # for a column that tells every label to be more than chance
_FEWEST_GROUPS = 3  # values; a column of two is rather a property, such as the sex


def roles_beside(
    cells: Mapping[str, Cells], keys: pl.Series, label: pl.Series | None, remarks: Remarks
) -> dict[str, Role]:
    """Return the role of each column that nobody named, of sequences `keys` with labels.

    What changes within sequences is an input. What does not is static, unless it looks like an id
    (another value for each sequence) or like a group (a speaker, a patient: values shared by
    several sequences): these are left out, and the note says how to take them in.
    """
    sequences = keys.n_unique()
    roles: dict[str, Role] = {}
    for name, column in sorted(cells.items()):
        if column.sort in ("time", "list", "other"):
            roles[name] = "left out"
            remarks.note(f"column {name!r} is left out: it holds {_what(column)}")
        elif names_parts(column):
            roles[name] = "left out"
            note_parts(name, remarks)
        elif sequences > 1 and _is_constant(keys, column):
            tells = label is not None and _tells(column, label)
            roles[name] = "static" if tells else _of_constant(column, keys, sequences, remarks)
        else:
            roles[name] = "input"
        if roles[name] != "left out" and label is not None and _tells(column, label):
            remarks.note(f"column {name!r} tells every label: is it known before the label is?")
    if "input" not in roles.values():
        roles = {name: "input" if role == "static" else role for name, role in roles.items()}
    return roles


def _what(cells: Cells) -> str:
    return "times" if cells.sort == "time" else str(cells.raw.dtype)


def _is_constant(keys: pl.Series, cells: Cells) -> bool:
    pairs = pl.DataFrame([keys.alias("key"), cells.text().alias("cell")]).drop_nulls()
    return pairs.height < len(keys) * 2 and pairs.unique().height <= pairs["key"].n_unique()


def _of_constant(cells: Cells, keys: pl.Series, sequences: int, remarks: Remarks) -> Role:
    values = cells.text().drop_nulls().n_unique()
    name = cells.name
    is_name = name.strip().lower().replace("_id", "") in GROUPS
    if cells.sort == "text" and values == sequences and len(keys) >= sequences > 2:
        remarks.note(
            f"column {name!r} has another value for each sequence: it looks like an id and is left "
            f"out; --static {name} takes it in"
        )
        return "left out"
    shared = _FEWEST_GROUPS <= values < sequences
    if shared and (is_name or cells.sort == "text"):
        remarks.like_groups.append(name)
        remarks.note(
            f"column {name!r} looks like a group of sequences and is left out; --group {name} "
            f"keeps each of its values in one part, --static {name} makes it an input"
        )
        return "left out"
    return "static"


def _tells(cells: Cells, label: pl.Series) -> bool:
    """Whether each value goes with one label, and few values are enough for all."""
    pairs = pl.DataFrame([cells.text().alias("cell"), label.alias("label")]).drop_nulls()
    values, labels = pairs["cell"].n_unique(), pairs["label"].n_unique()
    return (
        pairs.height >= _FEWEST_CELLS
        and 1 < labels <= values <= 2 * labels
        and pairs.unique().height == values
    )


def constant_within(cells: Cells, keys: pl.Series) -> bool:
    """Whether a column has one value all through each series."""
    return _is_constant(keys, cells)

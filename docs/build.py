"""Writes docs/cells/: a page for every cell, and their list, all from the cells' own equations.

Run `python docs/build.py` after a change of a cell or of what is counted, and read the diff: the
pages are committed, so that they can be read where the code is read, and the tests compare them
with what this would write. Another folder may be given: `python docs/build.py FOLDER`.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from penstock.cells import cells
from penstock.explain.describe import Description, Row, aligned, formula


def pages() -> dict[str, str]:
    """Return the text of every page by the name of its file."""
    found = {n: c for n, c in cells().items() if c.__module__.startswith("penstock.cells.")}
    described = [Description(name) for name in found]
    return {"README.md": _index(described), **{f"{d.name}.md": _page(d) for d in described}}


def _index(described: list[Description]) -> str:
    rows = map(_index_row, described)
    head = ("cell", "what it is", "author", "year", "weights", "FLOPs a step", "recurrence")
    return _lines(
        "# The cells",
        f"{len(described)} cells, each a file of one page in `src/penstock/cells/`. The figures "
        "are for I = 128 and H = 256: the weights of one layer, and the operations of one row in "
        "one step forward. The recurrence of a step is made of matrix products side by side, of "
        "a chain of products that wait for one another, or of none: then it is elementwise, or "
        "even linear in the state, so that time can be walked in parallel.",
        _table(head, rows, figures=(4, 5)),
        "`penstock cells` prints this list for other sizes. A cell of your own takes ten lines: "
        "see [Writing a cell](../writing-a-cell.md).",
    )


def _index_row(cell: Description) -> tuple[str, ...]:
    said, forward = cell.about, next(cell.flops_rows())
    figures = f"{cell.parameters:,}", formula(forward.value)
    link = f"[{cell.name}]({cell.name}.md)"
    return link, said.title, said.first_author, str(said.year or ""), *figures, cell.recurrence.name


def _page(cell: Description) -> str:
    """Return the page of a cell."""
    return _lines(
        f"# {cell.name}",
        f"**{cell.about.title}**" + (f" ({_linked(cell.about.paper)})" if cell.about.paper else ""),
        f'```python\nimport penstock\n\nlayer = penstock.Recurrent("{cell.name}", '
        "input_size=128, hidden_size=256)\n```",
        "## Equations",
        *_equations(cell),
        _table(("sign", "meaning"), cell.glossary()),
        *cell.about.remarks,
        "## Recurrence",
        f"{cell.recurrence.sentence[0].upper()}{cell.recurrence.sentence[1:]}.",
        "## Shapes",
        "For T steps of B rows, I features of the input and H units:",
        _table(("value", "shape"), cell.shapes()),
        *_costs(cell),
        f"`penstock explain {cell.name}` prints this page for other sizes.",
    )


def _equations(cell: Description) -> Iterator[str]:
    """Yield the equations, typeset and as text."""
    for head, group in cell.equations:
        if head:
            yield f"{head}:"
        yield f"$$\n{aligned(group)}\n$$"
        yield "```text\n" + "\n".join(e.text for e in group) + "\n```"


def _costs(cell: Description) -> Iterator[str]:
    """Yield the tables of what a cell costs."""
    sizes = ", ".join(f"{symbol} = {size}" for symbol, size in cell.sizes.items())
    yield "## Costs"
    yield (
        f"The figures are for {sizes}. A multiply-add is 2 FLOPs, any other operation on a number "
        "1, tanh, σ and exp too; a sequence takes T·B times the FLOPs of a step."
    )
    for what, rows in (
        ("parameters", cell.parameter_rows()),
        ("FLOPs of a step, for one row", cell.flops_rows()),
        ("bytes in float32", cell.bytes_rows()),
    ):
        yield _table((what, "formula", "figure"), map(_row, rows), figures=(2,))


def _row(row: Row) -> tuple[str, str, str]:
    return row.label, formula(row.formula), formula(row.value)


def _linked(paper: str) -> str:
    """Return a paper with its arXiv number as a link."""
    before, arxiv, number = paper.partition("arXiv:")
    return f"{before}[arXiv:{number}](https://arxiv.org/abs/{number})" if arxiv else paper


def _table(
    head: tuple[str, ...], rows: Iterable[tuple[str, ...]], figures: Iterable[int] = ()
) -> str:
    rule = ["---:" if k in {*figures} else "---" for k in range(len(head))]
    lines = (head, rule, *rows)
    return "\n".join(f"| {' | '.join(c.replace('|', '&#124;') for c in line)} |" for line in lines)


def _lines(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def main(folder: Path) -> None:
    """Write the pages into a folder; remove those of cells that are gone."""
    folder.mkdir(exist_ok=True)
    written = pages()
    for old in folder.glob("*.md"):
        if old.name not in written:
            old.unlink()
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("cells"))

"""What a cell's docstring says of it: its title, its paper, and remarks."""

import inspect
import re
from dataclasses import dataclass

from penstock.cells import Cell

_YEAR = r"\b(?:19|20)\d\d\b"
# "Title (Authors year, where)." with at most one pair of parentheses within those of the paper
_FIRST_LINE = re.compile(rf"(.*?)\s*\(((?:[^()]|\([^()]*\))*?{_YEAR}(?:[^()]|\([^()]*\))*)\)")
# Said by the equations, the shapes and the first line in their own way.
_TOLD = ("Equations", "Shapes", "Reference")


@dataclass(frozen=True)
class Docstring:
    """A cell's title, its paper (empty: none), the paper's year, and remarks, a paragraph each."""

    title: str
    paper: str
    year: int | None
    remarks: tuple[str, ...]

    @property
    def first_author(self) -> str:
        """The surname that the paper begins with."""
        return re.split(rf",| and | et al| \(?{_YEAR}", self.paper)[0]


def about(cell: type[Cell]) -> Docstring:
    """Return what the docstring of a cell says: ``Title (Authors year, where).`` and remarks."""
    paragraphs = inspect.cleandoc(cell.__doc__ or cell.__name__).split("\n\n")
    first = " ".join(paragraphs[0].split()).rstrip(".")
    match = _FIRST_LINE.match(first)
    title, paper = match.groups() if match else (first, _reference(paragraphs))
    year = re.search(_YEAR, paper)
    remarks = (p for p in paragraphs[1:] if not p.startswith((" ", *_TOLD)))
    plain = (" ".join(p.replace("``", "`").split()) for p in remarks)
    return Docstring(title, paper, int(year.group()) if year else None, tuple(plain))


def _reference(paragraphs: list[str]) -> str:
    """Return the reference that a docstring ends with, where it names a year."""
    for paragraph in paragraphs:
        head, _, rest = paragraph.partition(":")
        if head in ("Reference", "References") and re.search(_YEAR, rest):
            return " ".join(rest.split()).rstrip(".")
    return ""

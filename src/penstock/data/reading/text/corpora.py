"""Formats of collections of sequences: ARFF (Weka), .ts (the UEA and UCR archive), FASTA."""

import csv
import re
from collections.abc import Iterator

import polars as pl

from penstock.data.reading.formats import check_columns
from penstock.data.reading.text.encodings import to_utf8
from penstock.errors import DataError

_ATTRIBUTE = re.compile(r"@attribute\s+('(?:[^'\\]|\\.)*'|\"[^\"]*\"|\S+)\s+(.*)", re.IGNORECASE)


def read_arff(content: bytes) -> pl.DataFrame:
    """Return a table of text; "?" is a missing value. A relational attribute, which holds a whole
    sequence of several channels, gives a column a channel, its numbers with spaces between. The
    last attribute, where it lists its values, is the class by Weka's rule: its name is then label,
    unless one is named as labels are.

    Raises:
        DataError: the file has no attributes or no data, or a row does not fit them.
    """
    lines = numbered_lines(content)
    names: list[str] = []
    nested = listed = False
    for number, line in lines:
        lower = line.lower()
        if lower.startswith("@data"):
            break
        if lower.startswith("@end"):
            nested = False
        elif match := _ATTRIBUTE.match(line):
            if not nested:
                names.append(_unquoted(match[1]))
                listed = match[2].lstrip().startswith("{")
            nested = nested or match[2].strip().lower() == "relational"
        elif not lower.startswith("@relation"):
            raise DataError(f"has no attribute of an ARFF file in line {number}: {line[:40]!r}")
    if listed and not {"label", "class"} & {name.lower() for name in names}:
        names[-1] = "label"
    rows = [(number, _cells(line)) for number, line in lines]
    for number, row in rows:
        if len(row) != len(names):
            raise DataError(f"has {len(row)} values in line {number}, but {len(names)} attributes")
    return _spread({name: [row[k] for _, row in rows] for k, name in enumerate(names)})


def _cells(line: str) -> list[str | None]:
    quote = "'" if "'" in line else '"'
    escape = "\\" if "\\n" not in line else None
    longest = csv.field_size_limit(len(line))  # a sequence of all its steps is one cell
    try:
        row = next(csv.reader([line], quotechar=quote, escapechar=escape, skipinitialspace=True))
    finally:
        csv.field_size_limit(longest)
    return [None if cell.strip() == "?" else cell.strip() for cell in row]


def _spread(columns: dict[str, list[str | None]]) -> pl.DataFrame:
    """Return a table in which a cell of several channels, one a line, is as many columns."""
    split_columns: dict[str, list[str | None]] = {}
    for name, cells in columns.items():
        split = [cell.split("\\n") if cell else [] for cell in cells]
        width = max(map(len, split), default=1)
        if width <= 1:
            split_columns[name] = cells
            continue
        for k in range(width):
            split_columns[f"{name} {k + 1}"] = [
                part[k].replace(",", " ") if k < len(part) else None for part in split
            ]
    return _table(split_columns)


def read_ts(content: bytes) -> pl.DataFrame:
    """Return a table with a sequence a row: a column a channel, its numbers with spaces between,
    and a column label where the header says that there are labels.

    Raises:
        DataError: the file has no data, or rows of unlike numbers of channels.
    """
    labelled = False
    lines = numbered_lines(content)
    for _, line in lines:
        lower = line.lower()
        if lower.startswith("@data"):
            break
        if lower.startswith(("@classlabel", "@targetlabel")):
            labelled = lower.split()[1:2] == ["true"]
    rows = [(number, line.split(":")) for number, line in lines]
    if any("(" in cell for _, row in rows[:1] for cell in row):
        raise DataError("holds times beside its values; save it without (equal spacing)")
    wrong = [number for number, row in rows if len(row) != len(rows[0][1])]
    if wrong:
        raise DataError(f"has another number of channels in line {wrong[0]} than in its first")
    channels = len(rows[0][1]) - labelled if rows else 0
    names = ["x"] if channels == 1 else [f"x{k + 1}" for k in range(channels)]
    columns: dict[str, list[str | None]] = {
        name: [row[k].replace(",", " ") for _, row in rows] for k, name in enumerate(names)
    }
    if labelled:
        columns["label"] = [row[-1].strip() for _, row in rows]
    return _table(columns)


def read_fasta(content: bytes) -> pl.DataFrame:
    """Return a table with the columns id, description and sequence.

    Raises:
        DataError: the file does not begin with ">", or an entry has no letters.
    """
    entries: list[tuple[int, str, list[str]]] = []
    for number, line in numbered_lines(content, comment=";"):
        if line.startswith(">"):
            entries.append((number, line[1:].strip(), []))
        elif not entries:
            raise DataError(
                f"begins with line {number}, but a FASTA file begins with a line such as >name"
            )
        else:
            entries[-1][2].append(line.replace(" ", ""))
    for number, head, letters in entries:
        if not letters:
            raise DataError(f"has no letters below line {number}: {head[:40]!r}")
    heads = [head.split(maxsplit=1) or [""] for _, head, _ in entries]
    columns: dict[str, list[str | None]] = {
        "id": [head[0] for head in heads],
        "description": [head[1] if len(head) > 1 else None for head in heads],
        "sequence": ["".join(letters) for *_, letters in entries],
    }
    if not any(columns["description"]):
        del columns["description"]
    return _table(columns)


def numbered_lines(content: bytes, comment: str = "%") -> Iterator[tuple[int, str]]:
    """Yield the lines that are no comments, with their numbers."""
    text = to_utf8(content)[0].decode()
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare and not bare.startswith((comment, "#" if comment == "%" else comment)):
            yield number, bare


def _unquoted(name: str) -> str:
    return name[1:-1] if name[:1] in "'\"" and name[-1:] == name[:1] else name


def _table(columns: dict[str, list[str | None]]) -> pl.DataFrame:
    check_columns(len(columns))
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    if not frame.height:
        raise DataError("has no data below its header; there is nothing to learn from")
    return frame

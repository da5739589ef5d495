"""What people and programs put around a table in a text file: titles, remarks, units, totals."""

import re
from collections import Counter

import polars as pl

from penstock.data.reading.text.headers import is_date, is_number

_LINES = 50  # that tell how many cells a row has
_TITLES = 20  # lines at most before a header
_QUOTED = re.compile(rb'"(?:[^"]|"")*"')
_TOTAL = re.compile(
    r"(grand )?totals?:?|sum:?|summe:?|gesamt:?|somme:?|averages?:?|mean:?", re.IGNORECASE
)


def without_remarks(text: bytes) -> bytes:
    """Return text without the lines that begin with # and are no rows, unless one is the header.

    numpy.savetxt writes the header so: the last of the lines before numbers, of as many cells.
    """
    if b"#" not in text:
        return text
    lines = text.split(b"\n")
    first = next((k for k, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
    head = lines[first - 1].lstrip(b"# ") if first else b""
    body = [line for line in lines[first:] if not _is_remark(line, lines[first])]
    names = first > 0 and body and _names(head, body[0])
    return b"\n".join([head, *body] if names else body)


def _is_remark(line: bytes, row: bytes) -> bool:
    return line.startswith(b"#") and all(line.count(m) != row.count(m) or m not in row
                                         for m in (b",", b";", b"\t", b"|"))  # fmt: skip


def _names(head: bytes, row: bytes) -> bool:
    """Whether a line names the cells of a row of numbers."""
    for mark in (b",", b";", b"\t", b"|", None):
        names, cells = head.split(mark), row.split(mark)
        if len(names) == len(cells) > 1:
            numbers = [is_number(cell.decode(errors="replace")) for cell in cells]
            words = [not is_number(name.decode(errors="replace")) for name in names]
            return all(numbers) and all(words)
    return False


def without_titles(text: bytes, separator: str) -> tuple[bytes, tuple[str, ...]]:
    """Return text without the lines before its header, and what was done, in words.

    They have no separator, or empty cells, where rows do not; the header is the first line of which
    every cell is a word.
    """
    lines = text.split(b"\n", _LINES)[:_LINES]
    cells = [_QUOTED.sub(b'"', line).rstrip(b"\r").split(separator.encode()) for line in lines]
    width = Counter(len(row) for row in cells if row != [b""]).most_common(1)[0][0]
    if width < 2 or _is_full(cells[0], width):
        return text, ()
    for k, row in enumerate(cells[1:_TITLES], 1):
        if _is_full(row, width):
            words = not any(is_number(c.decode(errors="replace")) for c in row)
            if not words:
                break
            rest = text.split(b"\n", k)[k]
            return rest, (f"{k} {'line' if k == 1 else 'lines'} before the header left out",)
    return text, ()


def _is_full(row: list[bytes], width: int) -> bool:
    return len(row) == width and all(cell.strip() for cell in row)


def with_row_names(text: bytes, separator: str) -> bytes:
    """Return text whose header has a nameless cell first, where all rows have a cell more than it.

    R writes the names of rows so, which have no name themselves.
    """
    lines = [_QUOTED.sub(b'"', line) for line in text.split(b"\n", _LINES)[:_LINES]]
    counts = [line.count(separator.encode()) for line in lines if line.strip()]
    more = len(counts) > 2 and counts[0] > 0 and {*counts[1:]} == {counts[0] + 1}
    return separator.encode() + text if more else text


def without_units(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return a table of text without a first row of units and without a last one of totals."""
    words: list[str] = []
    if frame.height > 2 and _are_units(frame):
        units = ", ".join(str(cell) for cell in frame.row(0) if cell)
        words.append(f"the first row, {units[:60]}, taken for units and left out")
        frame = frame[1:]
    while frame.height > 2 and _is_total(frame.row(-1), frame.row(0)):
        words.append(f"the last row, {frame.row(-1)[0]}, left out")
        frame = frame[:-1]
    return frame, tuple(words)


def _are_units(frame: pl.DataFrame) -> bool:
    """Whether the first row has words above numbers and dates, and none of these."""
    first, below = frame.row(0), frame[1:_LINES]
    told = 0
    for cell, column in zip(first, below.iter_columns(), strict=True):
        cells = column.drop_nulls().to_list()
        if not cells or not all(is_number(c) or is_date(c) for c in cells):
            continue
        if cell is not None and (is_number(cell) or is_date(cell) or not _is_unit(cell)):
            return False
        told += cell is not None
    return told > 0


def _is_unit(cell: str) -> bool:
    return cell.strip().lower() not in ("na", "n/a", "nan", "null", "none", "?", "-", ".")


def _is_total(row: tuple[str | None, ...], other: tuple[str | None, ...]) -> bool:
    """Whether a row begins with a word for a total, where another has a number or a date."""
    cell, usual = row[0], other[0]
    total = cell is not None and _TOTAL.fullmatch(cell.strip()) is not None
    return total and usual is not None and (is_number(usual) or is_date(usual))

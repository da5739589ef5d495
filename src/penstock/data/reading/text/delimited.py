"""Text with separators → a table of text: nothing is taken for a number or a date yet."""

import re
from collections import Counter

import polars as pl

from penstock.data.reading.text.encodings import to_utf8
from penstock.data.reading.text.headers import is_number, names_nothing
from penstock.data.reading.text.trimming import (
    with_row_names,
    without_remarks,
    without_titles,
    without_units,
)
from penstock.errors import DataError

_SEPARATORS = ",;\t|"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
_LINES = 50  # that tell the separator
_FEWEST_LINES = 8  # of one number each, for a text to be a column
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def read_delimited(content: bytes) -> tuple[pl.DataFrame, tuple[str, ...], bool]:
    """Return the table, all cells text or null, what was converted, in words, and whether the
    first line was a row, so that columns are named by their place, from 1.

    Names of columns are stripped of white space. Lines that begin with # before the header are
    left out.

    Raises:
        DataError: there is no row, or rows have more cells than the first line.
    """
    text, encoding = to_utf8(content)
    text = without_remarks(text.rstrip(b"\x1a"))  # the end of a file, to DOS
    if not text.strip():
        raise DataError("is empty; it must have a header and rows")
    separator = find_separator(text)
    text, titles = without_titles(text, separator)
    if separator == " ":
        text = re.sub(rb"[ \t]+", b"\t", re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", text))
    mark = "\t" if separator == " " else separator
    text = with_row_names(text, mark)
    frame = _parsed(text, mark)
    headless = names_nothing(frame)
    if headless:
        frame = _parsed(text, mark, False)
    words = [f"decoded from {_spelled(encoding)}"] if encoding != "utf-8" else []
    if separator != ",":
        words.append(f"columns separated by {_NAMES[separator]}")
    if frame.width > 1:  # empty lines
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    frame, rows = (frame, ()) if headless else without_units(frame)
    return frame, (*words, *titles, *rows), headless


def find_separator(text: bytes) -> str:
    """Return what separates the cells: the mark that most lines have as often as the header."""
    lines = _first_lines(text)
    best, most = ",", (0.0, 0)
    for mark in _SEPARATORS:
        counts = Counter(line.count(mark) for line in lines)
        header = lines[0].count(mark)
        if not header and len(lines) > 2:  # a title above the table
            usual, times = counts.most_common(1)[0]
            header = usual if times > len(lines) / 2 else 0
        score = counts[header] / len(lines), header
        if header and score > most:
            best, most = mark, score
    if not most[1] and all(len(line.split()) == len(lines[0].split()) > 1 for line in lines):
        return " "
    return best


def is_table(text: bytes) -> bool:
    """Whether a text is a table: lines of equally many cells, most of them numbers."""
    mark = find_separator(text)
    lines = _first_lines(text)
    cells = [line.split() if mark == " " else line.split(mark) for line in lines]
    if len(lines) < 3 or any(len(row) != len(cells[0]) for row in cells):
        return False
    if len(cells[0]) == 1 and len(lines) < _FEWEST_LINES:
        return False
    below = [cell for row in cells[1:] for cell in row]
    return 2 * sum(map(is_number, below)) >= len(below)


def _first_lines(text: bytes) -> list[str]:
    head = text[: 200 * 1024].decode(errors="replace")
    lines = _QUOTED.sub("", head).splitlines()[: _LINES + 1]
    return [line for line in lines if line.strip()] or [""]


def _parsed(text: bytes, separator: str, header: bool = True) -> pl.DataFrame:
    try:
        frame = pl.read_csv(text, separator=separator, infer_schema=False, has_header=header)
    except pl.exceptions.NoDataError:
        raise DataError("is empty; it must have a header and rows") from None
    except pl.exceptions.PolarsError as error:
        reason = _longer(text, separator) or str(error).strip().partition("\n")[0]
        raise DataError(f"cannot be read ({reason}); check that it is complete") from None
    if not header:
        return frame.rename({name: str(k) for k, name in enumerate(frame.columns, 1)})
    return named_once(frame)


def _longer(text: bytes, separator: str) -> str:
    """Return which line has more cells than the first, in words; "" if none has."""
    lines = _QUOTED.sub("", text.decode(errors="replace")).splitlines()
    width = lines[0].count(separator)
    for number, line in enumerate(lines, 1):
        if line.count(separator) > width:
            return (
                f"line {number} has {line.count(separator) + 1} cells, and the first {width + 1}: "
                "a second table, or a cell that needs quotes"
            )
    return ""


def named_once(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with the white space around the names of its columns taken away."""
    names: dict[str, str] = {}  # a dict, as there may be 100,000
    for name in frame.columns:
        bare = name.strip()
        names[name if bare in names else bare] = name
    return frame.rename({name: bare for bare, name in names.items()})


def _spelled(encoding: str) -> str:
    both = " (latin-1 has the same letters)" if encoding == "cp1252" else ""
    return encoding.upper().replace("CP", "cp").replace("_", "-") + both

"""Whether the first line of a table names its columns, or is a row as those below it."""

import re
from collections.abc import Callable

import polars as pl

_NUMBER = re.compile(r"\s*[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?\s*")
_DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")
_COPY = re.compile(r"_duplicated_\d+$")  # what polars puts after a name that there is already
_FEWEST_COUNTED = 3  # numbers that follow one another, for them to be names
_SAMPLE = 50
_ROWS = 1000  # in which a word of the first line is looked for


def is_number(cell: str) -> bool:
    """Whether text is a number, with a point or a comma."""
    return _NUMBER.fullmatch(cell) is not None


def is_date(cell: str) -> bool:
    """Whether text is a date in numbers, with or without a time of day."""
    return _DATE.fullmatch(cell) is not None


def names_nothing(frame: pl.DataFrame) -> bool:
    """Whether the names of a table of text are a row of it: each is of the kind of its column.

    Numbers that count from 0 or 1, or years that follow one another, are names.
    """
    names = [_COPY.sub("", name) for name in frame.columns]
    if not all(names) or not any(map(is_number, names)) or _count_on(names):
        return False
    head = frame.head(_ROWS)
    return all(_is_like(name, head.to_series(k)) for k, name in enumerate(names))


def _count_on(names: list[str]) -> bool:
    if not all(name.isdigit() for name in names):
        return False
    numbers = [int(name) for name in names]
    follow = numbers == [*range(numbers[0], numbers[0] + len(numbers))]
    return follow and len(numbers) >= _FEWEST_COUNTED


def _is_like(name: str, column: pl.Series) -> bool:
    cells = column.drop_nulls()
    if is_number(name):
        return _most(cells, is_number)
    if is_date(name):
        return _most(cells, is_date)
    return bool((cells == name).any())


def _most(cells: pl.Series, fits: Callable[[str], bool]) -> bool:
    sample = cells.head(_SAMPLE).to_list()
    return 2 * sum(map(fits, sample)) > len(sample)

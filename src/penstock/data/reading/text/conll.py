"""Sentences of tagged words: a word a line with its tags, and an empty line after each sentence."""

import re

import polars as pl

from penstock.data.reading.text.headers import is_number

_FEWEST_SENTENCES = 3
_MOST_CELLS = 12
_FEWEST_USES = 4  # of a tag, on average
_BLOCKS = re.compile(r"\n\s*\n")


def read_conll(text: str) -> pl.DataFrame | None:
    """Return a row a word: id, the number of its sentence, word, other columns, and tag; else None.

    The last column holds the tags, which are few. A first line whose last cell is none of them
    names the columns.
    """
    blocks = [_rows(block) for block in _BLOCKS.split(text.replace("\r", "").strip())]
    blocks = [block for block in blocks if block]
    widths = {len(row) for block in blocks for row in block}
    if len(blocks) < _FEWEST_SENTENCES or len(widths) != 1 or not 2 <= max(widths) <= _MOST_CELLS:
        return None
    names = _header(blocks)
    tags = [row[-1] for block in blocks for row in block]
    if _FEWEST_USES * len({*tags}) > len(tags) or all(map(is_number, tags)):
        return None
    rows = [(str(k), *row) for k, block in enumerate(blocks, 1) for row in block]
    return pl.DataFrame(rows, schema=["id", *names], orient="row")


def _rows(block: str) -> list[list[str]]:
    lines = [line for line in block.split("\n") if line.strip() and not line.startswith("# ")]
    rows = [line.split("\t") if "\t" in line else line.split() for line in lines]
    return [row for row in rows if row[0] != "-DOCSTART-"]


def _header(blocks: list[list[list[str]]]) -> list[str]:
    """Return the names of columns; a first line that holds them is taken away."""
    first = blocks[0][0]
    tags = {row[-1] for block in blocks for row in block if row is not first}
    if first[-1] not in tags and len({*first}) == len(first):
        del blocks[0][0]
        return [*first[:-1], "tag"]
    return ["word", *(f"tag{k}" for k in range(1, len(first) - 1)), "tag"]

"""All columns of a table, each as what its cells are; a file writes its numbers in one style."""

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from penstock.data.understanding.cells.cells import SAMPLE, Cells, mostly, numbers_of, sorted_cells
from penstock.data.understanding.cells.dates import looks_dated
from penstock.data.understanding.cells.sampling import sampled
from penstock.data.understanding.remarks import Remarks, listed

_GROUPS = (
    "[ '\u2019\u00a0\u202f]"  # between thousands, beside the mark that the decimals do not use
)
_MONEY = r"^[€$£¥]\s*|\s*[€$£¥%]$"


def find_cells(frame: pl.DataFrame, remarks: Remarks) -> dict[str, Cells]:
    """Return what the cells of each column are.

    Numbers may have decimal commas; whether "1,234" is a thousand or a little more than one is
    told by the rest of the file: the other cells with commas or points, then the separator.
    """
    columns = {column.name: sorted_cells(column) for column in frame.iter_columns()}
    comma = _decimal_comma(columns, remarks)
    for name, cells in columns.items():
        if cells.sort == "text" or cells.wrong is not None:
            columns[name] = _written_otherwise(cells, comma)
    columns = {name: _dated(_regrouped(cells, comma)) for name, cells in columns.items()}
    _say(columns, remarks)
    return columns


def _decimal_comma(columns: Mapping[str, Cells], remarks: Remarks) -> bool:
    """Whether commas stand before decimals in this file."""
    votes = {True: 0, False: 0}
    doubtful = []
    for cells in columns.values():
        sample = sampled(cells.raw, SAMPLE) if cells.raw.dtype == pl.String else None
        if sample is None or cells.sort not in ("text", "number"):
            continue
        sample = sample.str.strip_chars().str.replace_all(_MONEY, "")
        comma = int(sample.str.contains(r"^[-+]?(\d{1,3}(\.\d{3})*|\d+),(\d{1,2}|\d{4,})$").sum())
        comma += int(sample.str.contains(r"^[-+]?(0|\d{4,}|\d{1,3}(\.\d{3})+),\d+$").sum())
        point = int(sample.str.contains(r"^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$").sum())
        sure = int(sample.str.contains(r"^[-+]?\d{1,3}((,\d{3})+\.\d+|(,\d{3}){2,})$").sum())
        point_decimals = int(sample.str.contains(r"^[-+]?\d+\.(\d{1,2}|\d{4,})$").sum())
        votes[True] += comma
        votes[False] += sure + point_decimals
        if point > sure and not comma:
            doubtful.append(cells.name)
    if doubtful and votes[True] == votes[False] == 0:
        remarks.note(
            f"commas in {listed(doubtful)} are taken to stand between thousands; "
            "write decimals with a point if they are not"
        )
    return votes[True] > votes[False]


def _written_otherwise(cells: Cells, comma: bool) -> Cells:
    """Return text as numbers with decimal commas, thousands, or signs of money or per cent."""
    text = cells.raw.str.strip_chars()
    head = sampled(text, SAMPLE)
    for reading in (_with_commas, _with_thousands) if comma else (_with_thousands,):
        if head.drop_nulls().len() and mostly(reading(head), head):
            numbers = numbers_of(cells.raw, reading(text))
            if numbers.wrong is None or cells.wrong is None:
                return (
                    replace(numbers, style=_example(numbers))
                    if numbers.sort == "number"
                    else numbers
                )
    return cells


def _example(cells: Cells) -> str:
    """Return a cell that is no plain number, and how it is read."""
    plain = cells.raw.str.strip_chars().cast(pl.Float64, strict=False)
    odd = pl.DataFrame([cells.raw.alias("cell"), cells.values.alias("value")]).filter(
        plain.is_null() & cells.values.is_not_null()
    )
    if not odd.height:
        return ""
    cell, value = odd.sort("cell").row(0)
    return f"{cell.strip()[:20]!r} as {value:.10g}"


def _regrouped(cells: Cells, comma: bool) -> Cells:
    """Return numbers such as 1.234 as thousands, in a file whose decimals have commas."""
    if not comma or cells.sort != "number" or cells.raw.dtype != pl.String:
        return cells
    bare = cells.raw.str.strip_chars()
    grouped = bare.str.contains(r"^[-+]?\d{1,3}(\.\d{3})+$")
    if not grouped.any() or not (grouped | bare.str.contains(r"^[-+]?\d{1,3}$")).all():
        return cells
    numbers = numbers_of(cells.raw, _with_commas(bare))
    return replace(numbers, style=f"{bare.filter(grouped).min()!r} without its points")


def _bare(text: pl.Series) -> pl.Series:
    """Return text without signs of money; what is in brackets, as accounts have it, is negative."""
    return text.str.replace_all(_MONEY, "").str.replace(r"^\((\d.*)\)$", "-$1")


def _with_commas(text: pl.Series) -> pl.Series:
    bare = _bare(text)
    good = bare.str.contains(
        rf"^[-+]?(\d{{1,3}}((\.|{_GROUPS})\d{{3}})*|\d+)?(,\d*)?([eE][-+]?\d+)?$"
    )
    plain = bare.str.replace_all(rf"\.|{_GROUPS}", "").str.replace(",", ".", literal=True)
    return plain.set(~good, None).cast(pl.Float64, strict=False)


def _with_thousands(text: pl.Series) -> pl.Series:
    bare = _bare(text)
    good = bare.str.contains(
        rf"^[-+]?(\d{{1,3}}((,|{_GROUPS})\d{{3}})*|\d+)?(\.\d*)?([eE][-+]?\d+)?$"
    )
    plain = bare.str.replace_all(rf",|{_GROUPS}", "")
    return plain.set(~good, None).cast(pl.Float64, strict=False)


def _dated(cells: Cells) -> Cells:
    """Return text as times where it looks like them; they are read once it is known which are."""
    return replace(cells, sort="time") if cells.sort == "text" and looks_dated(cells.raw) else cells


def _say(columns: Mapping[str, Cells], remarks: Remarks) -> None:
    styled = [cells for cells in columns.values() if cells.style]
    if styled:
        names = listed(cells.name for cells in styled)
        example = min(cells.style for cells in styled)
        remarks.converted(f"numbers read in {names}, such as {example}")
    marked = [cells.name for cells in columns.values() if cells.marks]
    if marked:
        marks = {mark for cells in columns.values() for mark in cells.marks}
        remarks.converted(f"{listed(marks)} read as missing in {listed(marked)}")

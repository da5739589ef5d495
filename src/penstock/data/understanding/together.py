"""Parts that stand in files or frames of their own → one table with a column that says which."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from penstock.data.files import Source
from penstock.data.series import Options
from penstock.data.understanding.layouts.arrays import table_of
from penstock.data.understanding.names import COUNTERS, is_nameless
from penstock.data.understanding.remarks import Remarks
from penstock.data.understanding.suits import LABELLED
from penstock.data.understanding.understand import understand
from penstock.data.understanding.understanding import Understanding
from penstock.errors import DataError

SPLIT = "part of the data"


def together(parts: Mapping[str, Source], options: Options) -> Source:
    """Return the tables of all parts as one, with a column `SPLIT`.

    What the training part is understood as says how the others are read. Labelled sequences of
    two files are different ones, though they may be numbered alike; series go on.

    Raises:
        DataError: one is no table, or their columns differ.
    """
    first = parts["train"]
    tables = {part: _table(source) for part, source in parts.items()}
    whole = tables["train"]
    for part, table in tables.items():
        odd = sorted({*table.columns} ^ {*whole.columns})
        if odd:
            raise DataError(
                f"{parts[part].name} and {first.name} differ in their columns: {', '.join(odd[:5])}"
            )
    understood = understand(replace(first, table=whole, arrays=None), options)
    counters = [n for n in _left_out(understood) if is_nameless(n) or n.lower() in COUNTERS]
    tables = {
        part: table.select(whole.columns).drop(counters).with_columns(pl.lit(part).alias(SPLIT))
        for part, table in tables.items()
    }
    if understood.task in LABELLED:
        ids = [name for name in understood.with_role("id") if name != options.group]
        tables = _told_apart(tables, ids)
    names = " and ".join(source.name for source in parts.values())
    frame = pl.concat(tables.values(), how="vertical_relaxed")
    return Source(names, frame, conversions=first.conversions, headless=first.headless)


def _left_out(understood: Understanding) -> tuple[str, ...]:
    return understood.with_role("left out")


def _table(source: Source) -> pl.DataFrame:
    """Return a table; one of arrays is made of them."""
    if source.text is not None and source.table is None:
        raise DataError(f"{source.name} is text, which is split in time; --test and --validation "
                        "take tables")  # fmt: skip
    if source.arrays is None:
        return source.rows()
    with source.named():
        return table_of(source.arrays, Remarks())


def _told_apart(tables: dict[str, pl.DataFrame], ids: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Return the tables with the part before each id, if one id is in several of them."""
    if not ids:
        return tables
    keys = [table.select(ids).unique() for table in tables.values()]
    if not pl.concat(keys, how="vertical_relaxed").is_duplicated().any():
        return tables
    return {
        part: table.with_columns(pl.format("{} {}", pl.lit(part), pl.col(ids[0])).alias(ids[0]))
        for part, table in tables.items()
    }

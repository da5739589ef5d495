"""A source → an `Understanding`: the stages in their order.

arrays, text     → a table of cells (text that is prose is a task of its own)
cells            numbers, truth values, times or text
layout           dates as columns, a sequence a row or a cell → a row a step
roles            as told, as named, as the cells say; the task follows
times            read, sorted, brought to a grid: rows that are missing are put in
"""

from dataclasses import replace

import polars as pl

from penstock.data.files import Source
from penstock.data.series import Options
from penstock.data.understanding.cells.styles import find_cells
from penstock.data.understanding.columns.assigned import frames_roles, roles_of
from penstock.data.understanding.columns.parts import check_usable
from penstock.data.understanding.columns.roles import Told, asked_for_series, counters
from penstock.data.understanding.draft import make_draft
from penstock.data.understanding.layouts import arrays as of_arrays
from penstock.data.understanding.layouts.headless import name_columns
from penstock.data.understanding.layouts.melted import melt_dates, melt_months
from penstock.data.understanding.remarks import Remarks
from penstock.data.understanding.rows.finished import finished
from penstock.data.understanding.suits import TASKS, Facts, decide
from penstock.data.understanding.texts import understand_frames, understand_text
from penstock.data.understanding.understanding import Understanding
from penstock.errors import ArgumentError, DataError, nearest

_PROSE = ("text", "bytes")


def understand(source: Source, options: Options) -> Understanding:
    """Return what a source holds; see `penstock.describe`.

    Raises:
        DataError: a cell cannot be used, or it is not clear what is what; the message says where.
        ArgumentError: an option names what is not there.
    """
    if options.task is not None and options.task not in TASKS:
        raise ArgumentError(f"unknown task {options.task!r}: {nearest(options.task, TASKS)}")
    understood = _understood(source, options)
    told = replace(options, split=options.split or next(iter(understood.with_role("split")), None))
    check_usable(told, understood.task)
    return understood


def _understood(source: Source, options: Options) -> Understanding:
    remarks = Remarks(list(source.conversions))
    with source.named():
        prose = options.task in _PROSE or (source.table is None and options.task is None)
        if source.text is not None and prose:
            return understand_text(source, options.task, remarks)
        if options.task in _PROSE:
            raise DataError("is no text; give a .txt file, or another --task")
        if source.arrays is None:
            frame = source.rows()
            frame = name_columns(frame, options, remarks) if source.headless else frame
            return _of_table(source.name, frame, options, remarks)
        if options.task in (None, "frames") and of_arrays.are_frames(source.arrays):
            return understand_frames(source.name, source.arrays, remarks)
        frame = of_arrays.table_of(source.arrays, remarks)
        if "split" in frame.columns and options.split is None:
            options = replace(options, split="split")
        return _of_table(source.name, frame, options, remarks)


def _of_table(name: str, frame: pl.DataFrame, options: Options, remarks: Remarks) -> Understanding:
    if not frame.height:
        raise DataError("has no rows; there is nothing to learn from")
    melted = melt_months(frame, remarks)
    melted = melt_dates(frame, remarks) if melted is None else melted
    frame = _with_labels(frame if melted is None else melted, options)
    told = Told.of(options, frame.columns)
    cells = find_cells(frame, remarks)
    out = counters(cells, told, remarks)
    out_cells = {n: c for n, c in cells.items() if n in out}
    cells = {n: c for n, c in cells.items() if n not in out}
    if not cells:
        raise DataError("no column is left beside those that count the rows")
    series = () if options.task else asked_for_series(cells, told, options)
    options = replace(options, task="forecast") if series else options
    draft = make_draft(name, cells, told, options, remarks, out_cells)
    frames = frames_roles(draft)
    labels = draft.question.labels if draft.question else None
    suit = decide(Facts("table", frames is not None, labels, series))
    return finished(draft, frame, frames or roles_of(draft), suit)


def _with_labels(frame: pl.DataFrame, options: Options) -> pl.DataFrame:
    """Return the table with empty labels, where a model that has learned may do without them."""
    if not options.learned or options.target[0] in frame.columns:
        return frame
    empty = pl.Series(options.target[0], [None] * frame.height, dtype=pl.String)
    return frame.with_columns(empty)

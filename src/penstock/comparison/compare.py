"""`penstock.compare`: which cell for my data? The command line calls it too."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from penstock.cells import Cell
from penstock.comparison.keeping.native import Native, in_polars, native_of
from penstock.comparison.request import DEFAULT_CELLS, DEFAULT_SEEDS, Request
from penstock.comparison.results import Results
from penstock.comparison.run import run_comparison
from penstock.comparison.trials.cluster import Cluster
from penstock.comparison.trials.workers import Pool, Processes, usable_cores
from penstock.comparison.watcher import Watcher, watcher_here
from penstock.data.series import Options
from penstock.data.understanding.describe import Given, given, told_names
from penstock.tasks import asked_of, find_task


def compare(
    data: Any,
    cells: Iterable[str | type[Cell]] = DEFAULT_CELLS,
    *,
    task: str | None = None,
    target: str | Iterable[str] = (),
    horizon: int | None = None,
    id: str | None = None,
    time_column: str | None = None,
    known: str | Iterable[str] = (),
    past: str | Iterable[str] = (),
    static: str | Iterable[str] = (),
    split: str | None = None,
    test: Any = None,
    validation: Any = None,
    group: str | None = None,
    frequency: str | None = None,
    date_format: str | None = None,
    test_windows: str | None = None,
    elapsed: bool = False,
    seeds: int = DEFAULT_SEEDS,
    resplits: int = 0,
    steps: int | None = None,
    rates: Sequence[float] | None = None,
    size: str = "auto",
    parameters: int | None = None,
    layers: int | None = None,
    bidirectional: bool = False,
    dropout: float | None = None,
    context: int | None = None,
    batch_size: int | None = None,
    patience: int | None = None,
    weight_decay: float = 0.0,
    time: float | str | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    ray: str | None = None,
    skip_checks: Sequence[str] = (),
    progress: Watcher | None = None,
) -> Results:
    """Train cells under equal budgets, compare them with baselines, and say which to use.

    ```python
    import penstock
    import polars as pl
    import torch

    class Leaky(penstock.Cell):
        \"\"\"h' = 0.9 h + 0.1 tanh(W x + U h + b)\"\"\"
        n = penstock.Gate()

        def step(self, x, h):
            return 0.9 * h + 0.1 * torch.tanh(self.n(x, h))

    sales = pl.DataFrame({"day": range(300), "sold": [t % 7 + 0.1 * (t % 11) for t in range(300)]})
    results = penstock.compare(sales, ["gru", Leaky], horizon=7, size="small", seeds=2, steps=40)
    print(results)                      # the verdict, in sentences
    results.verdict.recommended         # a name, or None where no cell is worth it
    results.table()                     # a dataframe, here of polars, as the data were
    model = results.model("gru")
    model.predict(sales)                # what comes next
    ```

    Every cell gets the same search: as many settings of learning rate, size, layers, dropout and
    context, as many steps at most, the same patience. Validation data choose; then as many seeds of
    each cell's best setting are trained. Test data are used once, at the end of each trial that is
    measured.

    Args:
        data: the path of a file or a folder, the name of a sample, a dataframe of any library,
            a dict or list of arrays, an array, or a pair of arrays and their labels.
        cells: names, classes, or classes in files: ``"mine.py:MyCell"``, a file that is run;
            "all" is a tournament of every cell, of which the best few are searched and measured.
        task: what to learn; told by the data if left out.
        target: columns to learn: values or labels.
        horizon: steps to forecast.
        id: the column that names the series of a row.
        time_column: the column of times.
        known, past, static: columns known ahead of time, known up to now, and the same all
            through a series.
        split: the column that says train, validation or test.
        test, validation: a file or dataframe, of the same columns, with that part.
        group: the column of what must not be in two parts, as a speaker.
        frequency: the step to which rows of irregular times are brought, as "1h".
        date_format: how dates are written, as "%d.%m.%Y".
        test_windows: of series: "rolling", one a step, or "last", the last one of each series.
        elapsed: whether the time since the row before is a column too.
        seeds: trainings of each cell that are measured.
        resplits: other splits of the data on which each cell is trained once more, for claims about
            new data; of series, stretches of half their time. Not for text.
        steps: of a training at most.
        rates: learning rates to try for each cell; a single one is taken as it is.
        size: of the recurrent layers: "small" (4,000 parameters), "medium" (64,000) and "large"
            (1,000,000) are one layer without dropout, of which the rate alone is searched; "auto"
            searches size, layers, dropout and context too, up to what data and time allow.
        parameters: of the recurrent layers; the head and embeddings are not counted.
        layers, dropout, context: fixed, instead of searched; the context is the steps that a
            forecast looks at, or those that the gradient goes back in text.
        bidirectional: whether layers read from the end as well; of whole sequences alone.
        batch_size: windows or sequences a step.
        patience: validations without a better one before a training stops.
        weight_decay: decoupled from the gradient, as in AdamW.
        time: for all, in seconds or as "10m": what does not fit is left out, and said.
        out: the folder to write to; a run that was cut off goes on from there. If left out, one
            that is removed with the results.
        workers: trials at a time; as many as there are cores if left out.
        ray: the address of a Ray cluster to send the trials to.
        skip_checks: checks to switch off, by name or code.
        progress: hears how the run goes on; in a notebook a line says so, if left out.

    Raises:
        DataError: a cell cannot be used, it is not clear what is what, or the data do not suffice.
        ArgumentError: an argument cannot work.
        UnknownCellError: there is no cell of a name.
    """
    request = Request(
        cells=(cells,) if isinstance(cells, str) else tuple(cells), task=task, horizon=horizon,
        seeds=seeds, resplits=resplits, steps=steps, rates=rates, size=size, parameters=parameters,
        layers=layers, bidirectional=bidirectional, dropout=dropout, context=context,
        batch_size=batch_size, patience=patience, weight_decay=weight_decay, time=time,
        out=None if out is None else Path(out), workers=workers, ray=ray, skip_checks=skip_checks,
    )  # fmt: skip
    request.classes  # noqa: B018  (what is wrong with a class is said before the data are read)
    options = Options(
        told_names(target), id, time_column, told_names(known), told_names(past),
        told_names(static), split, group, None if task is None else asked_of(task), horizon,
        frequency, date_format, test_windows, elapsed,
    )  # fmt: skip
    read = given(data, options, test, validation)
    return carry_out(request, read, progress or watcher_here(), native_of(data))


def carry_out(
    request: Request, data: Given, watcher: Watcher, native: Native = in_polars
) -> Results:
    """Do what is asked, on data that are read and understood; see `compare`."""
    watcher.understood(data.understood)
    kind = find_task(request.task or data.understood.task)
    read = kind.read(data.source, data.options, data.understood)
    task = kind.prepare(read, request.horizon, request.context)
    pool = _pool(request.workers, request.ray)
    record = run_comparison(task, request, pool=pool, watcher=watcher)
    return Results(record, request.folder, native, kept=request.out is not None)


def _pool(workers: int | None, ray: str | None) -> Pool:
    return Cluster(ray, workers) if ray else Processes(workers or usable_cores())

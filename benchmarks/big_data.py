"""Time and memory to read, split and cut big data: python benchmarks/big_data.py > FILE.

Each case runs in a process of its own, one thread: a file is written, then read, its task inferred
and prepared, a hundred batches drawn, all baselines measured. Printed as JSON: seconds of processor
time of each step (all threads together; others may share the machine), of the clock for all of
them, and the peak of resident memory in MiB (the process with torch loaded and nothing else is the
case "nothing").
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from penstock.record.structure import Structure

ROWS = 1_000_000


def one_series() -> pl.DataFrame:
    """Return one series of a million rows with two columns beside."""
    draw = np.random.default_rng(0)
    columns = {"y": draw.standard_normal(ROWS).cumsum(), "a": draw.random(ROWS)}
    return pl.DataFrame({"ds": np.arange(ROWS), **columns, "b": draw.random(ROWS)})


def many_series() -> pl.DataFrame:
    """Return 10,000 series of 100 rows, in long form."""
    values = np.random.default_rng(0).standard_normal((10_000, 100)).cumsum(axis=1)
    ids = np.repeat([f"s{k}" for k in range(10_000)], 100)
    return pl.DataFrame(
        {"unique_id": ids, "ds": np.tile(np.arange(100), 10_000), "y": values.ravel()}
    )


def wide_series() -> pl.DataFrame:
    """Return 10,000 series of 100 rows, a column each."""
    values = np.random.default_rng(0).standard_normal((100, 10_000)).cumsum(axis=0)
    return pl.DataFrame(values, schema=[f"s{k}" for k in range(10_000)])


def many_sequences() -> pl.DataFrame:
    """Return 10,000 labelled sequences of 100 rows, three numbers and a symbol each."""
    draw = np.random.default_rng(0)
    labels = np.repeat(draw.choice(["u", "v", "w"], 10_000), 100)
    columns = {f"x{k}": draw.random(ROWS) for k in range(3)}
    symbols = draw.choice(list("acgt"), ROWS)
    ids = np.repeat([f"s{k}" for k in range(10_000)], 100)
    return pl.DataFrame({"id": ids, **columns, "base": symbols, "label": labels})


def tagged() -> pl.DataFrame:
    """Return the sequences with a label at every step."""
    labels = np.random.default_rng(1).choice(["u", "v", "w"], ROWS)
    return many_sequences().with_columns(label=pl.Series(labels))


def rows() -> pl.DataFrame:
    """Return 10,000 sequences of 100 steps, one a row."""
    draw = np.random.default_rng(0)
    frame = pl.DataFrame(draw.random((10_000, 100)), schema=[f"t{k}" for k in range(100)])
    return frame.with_columns(label=pl.Series(draw.choice(["u", "v"], 10_000)))


def frames() -> pl.DataFrame:
    """Return a million frames of 88 columns in 10,000 pieces."""
    draw = np.random.default_rng(0)
    values = (draw.random((ROWS, 88)) < 0.05).astype(np.uint8)
    frame = pl.DataFrame(values, schema=[f"n{k}" for k in range(88)])
    ids = pl.Series("piece", np.repeat([f"p{k}" for k in range(10_000)], 100))
    return frame.insert_column(0, ids)


def text() -> str:
    """Return a million characters."""
    return "".join(np.random.default_rng(0).choice(list("abcdefgh \n"), ROWS))


CASES: dict[str, tuple[Callable[[], pl.DataFrame | str] | None, dict[str, tuple[str, ...]]]] = {
    "nothing": (None, {}),
    "one series, two columns beside": (
        one_series, {"target": ("y",), "known": ("a",), "past": ("b",)},
    ),
    "10,000 series, long": (many_series, {}),
    "10,000 series, wide": (wide_series, {}),
    "10,000 sequences to classify": (many_sequences, {}),
    "10,000 sequences, one a row": (rows, {}),
    "10,000 sequences to label": (tagged, {}),
    "10,000 pieces of 88 columns": (frames, {}),
    "1,000,000 characters": (text, {}),
}  # fmt: skip


def measure(path: Path, options: dict[str, tuple[str, ...]]) -> dict[str, float | str]:
    """Return the seconds of each step, and the peak of resident memory in MiB."""
    import torch

    from penstock.data import Options, load
    from penstock.data.understanding import understand
    from penstock.tasks import find_task, tasks

    tasks()  # imports them
    torch.set_num_threads(1)
    found: dict[str, float | str] = {}
    start, at = time.perf_counter(), time.process_time()

    def note(name: str) -> None:
        nonlocal at
        found[name] = round(time.process_time() - at, 2)
        at = time.process_time()

    if path.name != "nothing":
        told = Options(**options)
        source = load(path)
        note("load")
        name = understand(source, told).task
        found["task"] = name
        note("understand")
        data = find_task(name).read(source, told)
        note("read")
        task = find_task(name).prepare(data)
        note("prepare")
        data.fingerprint()
        note("fingerprint")
        for index in task.problem.draw(100, 64):
            task.problem.batch("train", index)
        note("100 batches")
        for baseline in task.baselines.values():
            task.problem.measure(baseline.predict())
        note("baselines")
        task.problem.predict(task.network("gru", Structure(16)))
        note("predict")
        found["wall seconds"] = round(time.perf_counter() - start, 2)
    found["peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


def main() -> None:
    """Print the figures of all cases."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for case, (make, options) in CASES.items():
            made = make() if make else None
            path = Path(folder) / ("nothing" if made is None else "data.csv")
            if isinstance(made, str):
                path = path.with_suffix(".txt")
                path.write_text(made)
            elif made is not None:
                made.write_csv(path)
            command = [sys.executable, __file__, str(path), json.dumps(options)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results[case] = json.loads(done.stdout)
            if path.exists():
                results[case]["file MiB"] = path.stat().st_size >> 20
                path.unlink()
            print(case, results[case], file=sys.stderr)
    machine = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(
        json.dumps({"machine": machine, "python": platform.python_version(), **results}, indent=1)
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        told = {name: tuple(names) for name, names in json.loads(sys.argv[2]).items()}
        print(json.dumps(measure(Path(sys.argv[1]), told)))
    else:
        main()

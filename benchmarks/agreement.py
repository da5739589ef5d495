"""Hold the compiled kernel to the equations on many random sweeps of many random cells.

    python benchmarks/agreement.py --cells 2500 --draws 40 --seed 1 --out agreement.json

A draw is one sweep with its gradients, as `tests/compiler/random_cells.py` says. Cell k of seed s
is drawn from ``random.Random(f"{s}/{k}")``, and so can be drawn again alone: --only k. The file
has the counts, the seed, the worst errors, and each failure with its cell's source.
"""

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "compiler"))

import random_cells as rc

Report = dict[str, Any]


def check_cell(seed: int, k: int, draws: int, backend: str, longest: int) -> Report:
    """Return what the draws of one cell showed."""
    rng = random.Random(f"{seed}/{k}")
    source = rc.write(rng)
    report: Report = {"counts": Counter(), "worst": {}, "failures": [], "unjudged": []}
    try:
        cls = rc.define(source)
        chosen = rc.variant(rng, cls)
    except Exception as error:
        report["failures"].append({"cell": k, "source": source, "error": repr(error)})
        report["counts"]["failed"] += 1
        return report
    for n in range(draws):
        drawn = rc.draw(rng, cls, chosen, longest)
        told = {"cell": k, "draw": n, "variant": str(chosen), "sweep": str(drawn)}
        if not check_draw(drawn, backend, report, told | {"source": source}):
            break  # what comes after would most likely say the same
    report["counts"][f"cells in {chosen.dtype}"] += 1
    return report


def check_draw(drawn: rc.Draw, backend: str, report: Report, told: Report) -> bool:
    """Enter one draw in a report; return whether the kernel ran and agreed."""
    counts = report["counts"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            outcome = rc.judge(drawn, backend)
    except Exception as error:
        counts["failed"] += 1
        report["failures"].append(told | {"error": f"{type(error).__name__}: {error}"})
        return False
    if outcome.excuse:
        counts["unjudged"] += 1
        report["unjudged"].append({k: told[k] for k in ("cell", "draw")} | {"why": outcome.excuse})
    elif outcome.passed:
        counts["agreed"] += 1
        dtype = str(drawn.sweep.x.dtype).removeprefix("torch.")
        report["worst"][dtype] = max(outcome.error, report["worst"].get(dtype, 0.0))
    else:
        counts["failed"] += 1
        report["failures"].append(told | {"error": f"{outcome.error:.3e} in {outcome.where}"})
    return outcome.passed


def check_cells(job: tuple[int, list[int], int, str, int]) -> tuple[int, Report]:
    """Return how many cells, and what their draws showed; runs in a process of its own."""
    seed, ks, draws, backend, longest = job
    torch.set_num_threads(1)
    whole: Report = {"counts": Counter(), "worst": {}, "failures": [], "unjudged": []}
    for k in ks:
        merge(whole, check_cell(seed, k, draws, backend, longest))
    return len(ks), whole


def merge(whole: Report, part: Report) -> None:
    """Add a report to another."""
    whole["counts"].update(part["counts"])
    whole["failures"] += part["failures"]
    whole["unjudged"] += part["unjudged"]
    for dtype, error in part["worst"].items():
        whole["worst"][dtype] = max(error, whole["worst"].get(dtype, 0.0))


def reports(args: argparse.Namespace) -> Iterator[tuple[int, Report]]:
    """Yield how many cells were checked, and the report of them."""
    cells = [args.only] if args.only is not None else [*range(args.cells)]
    chunks = [cells[k : k + 10] for k in range(0, len(cells), 10)]
    jobs = [(args.seed, c, args.draws, args.backend, args.longest) for c in chunks]
    # A process is replaced after 20 jobs: what is compiled into one stays in its memory.
    # (Not by a ProcessPoolExecutor: there that can hang, python/cpython#115634.)
    with get_context("spawn").Pool(args.processes, maxtasksperchild=20) as pool:
        yield from pool.imap_unordered(check_cells, jobs)


def save(path: Path, args: argparse.Namespace, whole: Report, started: float) -> None:
    """Write what is known so far."""
    counts = whole["counts"]
    told = {
        "draws": counts["agreed"] + counts["unjudged"] + counts["failed"],
        "asked": {
            k: getattr(args, k) for k in ("cells", "draws", "longest", "seed", "backend", "only")
        },
        "counts": dict(counts),
        "worst": whole["worst"],
        "tolerance": rc.TOLERANCE,
        "seconds": round(time.monotonic() - started, 1),
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "failures": whole["failures"],
        "unjudged": whole["unjudged"],
    }
    path.write_text(json.dumps(told, indent=1) + "\n")


def main() -> int:
    """Read the arguments, run, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=int, default=20, help="steps of a sweep at most")
    parser.add_argument("--only", type=int, help="one cell, by its number")
    parser.add_argument("--backend", default="c")
    parser.add_argument("--processes", type=int, choices=(1, 2), default=2)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    whole: Report = {"counts": Counter(), "worst": {}, "failures": [], "unjudged": []}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as cache, Progress() as progress:
        os.environ.setdefault("PENSTOCK_CACHE", cache)
        task = progress.add_task("cells", total=1 if args.only is not None else args.cells)
        for n, report in reports(args):
            merge(whole, report)
            save(args.out, args, whole, started)
            progress.update(task, advance=n, description=f"{len(whole['failures'])} failures")
    return 1 if whole["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())

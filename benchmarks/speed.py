"""Measures Penstock beside its peers in one run, and prints ratios.

    python benchmarks/speed.py [--quick] [--out benchmarks/results/speed.json]

Peers: torch.nn and onnxruntime, each in a process of its own, in blocks with pauses between them
(see `measuring.blocks`); and for a custom cell (peephole LSTM) the eager loop, torch.jit and
torch.compile of the loop; every cell has its place beside our own LSTM. These last are all torch's
own code and share its threads: they take turns call by call. Results are compared first; figures
are medians, ratios are peer / ours (above 1, Penstock is faster), and each table ends in the
geometric mean. All through the public layers.
Legend: T steps, B rows, I input, H hidden.
"""

import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from measuring.blocks import ROUNDS, Arena
from measuring.peers import SGEMM, Work
from rich.console import Console
from rich.progress import track
from rich.table import Table

import penstock
from penstock.cells import Place
from penstock.compiler import pipeline

Shape = tuple[int, int, int, int]
SHAPES: list[Shape] = [  # T, B, I, H
    (100, 1, 64, 128), (100, 1, 256, 256), (100, 32, 128, 256), (128, 64, 512, 512),
    (256, 16, 64, 64), (1000, 8, 32, 128), (100, 4, 128, 128), (50, 128, 64, 256),
    (200, 32, 16, 32), (64, 16, 256, 256), (500, 2, 32, 64), (30, 256, 100, 100),
]  # fmt: skip
QUICK = SHAPES[2:3] + SHAPES[4:5]
BESIDE_LSTM = [(100, 32, 128, 256), (256, 16, 64, 64)]
CELLS = ["RNN", "LSTM", "GRU"]
LIBRARIES = "penstock", "torch", "onnxruntime"
THREADS = 1, 2
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}
console = Console(width=110)


def main(
    quick: Annotated[bool, typer.Option(help="Two shapes, fewer repetitions.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where to write the figures as JSON.")] = None,
    only: Annotated[str, typer.Option(help="Parts to run, by comma.")] = "",
) -> None:
    """Measure everything, print the tables, write the JSON."""
    shapes, seconds, rounds = (QUICK, 0.5, 5) if quick else (SHAPES, 2.0, ROUNDS)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "layers": partial(layers, shapes, rounds),
        "custom": partial(custom, shapes, seconds),
        "cells": partial(cells, seconds / 4),
        "one_step": partial(one_step, rounds),
        "compile_time": compile_time,
        "memory": memory,
        "checkpoints": checkpoints,
    }
    figures: dict[str, Any] = {"machine": machine(), "quick": quick}
    for name in only.split(",") if only else parts:
        figures[name] = parts[name]()
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(figures, indent=1) + "\n")
        console.print(f"figures written to {out}")


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((x.split(":")[1].strip() for x in flags.splitlines() if "model name" in x), "")
    vectors = [v for v in ("avx2", "avx512f", "asimd") if v in flags]
    return {
        "cpu": model or platform.processor(), "vectors": vectors, "cores": os.cpu_count(),
        "threads": torch.get_num_threads(), "torch": torch.__version__,
        "python": platform.python_version(), "penstock": penstock.__version__,
    }  # fmt: skip


def medians(calls: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Return each call's median time in seconds; the calls take turns for about so long."""
    for call in calls.values():
        call()
    start = time.perf_counter()
    for call in calls.values():
        call()
    rounds = max(7, min(2000, int(seconds / (time.perf_counter() - start))))
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def geometric(ratios: list[float]) -> float:
    """Return the geometric mean."""
    return math.exp(statistics.fmean(map(math.log, ratios)))


def training(layer: torch.nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """Return a forward pass and all gradients."""
    x = x.clone().requires_grad_()
    weights = [x, *layer.parameters()]

    def call() -> None:
        output, _ = layer(x)
        torch.autograd.grad(output, weights, torch.ones_like(output))

    return call


def inference(layer: torch.nn.Module, x: torch.Tensor) -> Callable[[], Any]:
    """Return a forward pass without gradients."""

    def call() -> Any:
        with torch.no_grad():
            return layer(x)

    return call


KINDS = {"training": training, "inference": inference}


def layers(shapes: list[Shape], rounds: int) -> dict[str, Any]:
    """Training and sequence inference of the drop-ins, beside torch.nn and onnxruntime."""
    rows = []
    with Arena() as arena:
        for threads in THREADS:
            for shape in track(shapes, f"drop-ins, {threads} threads", console=console):
                rows += [_layer(arena, name, shape, threads, rounds) for name in CELLS]
    for threads in THREADS:
        show_layers([r for r in rows if r["threads"] == threads], threads)
    return {"rows": rows}


def _layer(arena: Arena, cell: str, shape: Shape, threads: int, rounds: int) -> dict[str, Any]:
    """Measure one drop-in at one shape."""
    (T, B, I, H), row = shape, {"cell": cell, "shape": list(shape), "threads": threads}
    products = Work("sgemm", cell, shape, "inference", threads)
    for kind, libraries in (("inference", LIBRARIES), ("training", LIBRARIES[:2])):
        works = [Work(library, cell, shape, kind, threads) for library in libraries]
        times = arena.measure([*works, products], rounds)
        ratio, noise = times.ratio(libraries[1:])
        flops = (3 if kind == "training" else 1) * 2 * T * B * GATES[cell] * H * (I + H)
        rate = 2 * SGEMM**3 / times.seconds("sgemm")
        row |= {
            f"{kind}_ms": {name: times.seconds(name) * 1e3 for name in libraries},
            f"{kind}_ratio": ratio,
            f"{kind}_noise": noise,
            f"{kind}_share": flops / times.seconds("penstock") / rate,
        }
    return row


def show_layers(rows: list[dict[str, Any]], threads: int) -> None:
    """Print the table of the drop-ins."""
    table = Table(
        title=f"{threads} threads: peer / ours ± noise; inference beside the best of torch and "
        "onnxruntime; share of the FLOP/s of sgemm in the same rounds"
    )
    columns = "T, B, I, H", "cell", "training", "share", "inference", "share", "best peer"
    for column in columns:
        table.add_column(column, justify="right")
    for r in rows:
        peer = min(LIBRARIES[1:], key=r["inference_ms"].__getitem__)
        shown = [
            text
            for kind in ("training", "inference")
            for text in (
                f"{r[f'{kind}_ratio']:.2f}× ± {r[f'{kind}_noise']:.2f}",
                f"{r[f'{kind}_share']:.0%}",
            )
        ]
        table.add_row(", ".join(map(str, r["shape"])), r["cell"], *shown, peer)
    for cell in CELLS:
        own = [r for r in rows if r["cell"] == cell]
        means = [geometric([r[k] for r in own]) for k in ("training_ratio", "inference_ratio")]
        table.add_row("geometric mean", cell, f"{means[0]:.2f}×", "", f"{means[1]:.2f}×", "", "")
    console.print(table)


class Loop(torch.nn.Module):
    """A peephole LSTM as people write it: a Python loop over torch ops."""

    def __init__(self, I: int, H: int) -> None:
        super().__init__()
        k = 1 / math.sqrt(H)
        self.w = torch.nn.Parameter(torch.empty(4 * H, I).uniform_(-k, k))
        self.u = torch.nn.Parameter(torch.empty(4 * H, H).uniform_(-k, k))
        self.b = torch.nn.Parameter(torch.empty(4 * H).uniform_(-k, k))
        self.p = torch.nn.Parameter(torch.empty(3, H).uniform_(-k, k))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Run all steps."""
        h = torch.zeros(x.size(1), self.u.size(1))
        c = torch.zeros(x.size(1), self.u.size(1))
        outputs = []
        lifted = torch.nn.functional.linear(x, self.w, self.b)
        for t in range(x.size(0)):
            i, f, g, o = (lifted[t] + h @ self.u.t()).chunk(4, 1)
            i = torch.sigmoid(i + self.p[0] * c)
            f = torch.sigmoid(f + self.p[1] * c)
            c = f * c + i * torch.tanh(g)
            h = torch.sigmoid(o + self.p[2] * c) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs), h


def peephole(I: int, H: int) -> tuple[penstock.Recurrent, Loop]:
    """Return our peephole LSTM and the loop, with the same weights."""
    ours, loop = penstock.Recurrent("peephole_lstm", I, H), Loop(I, H)
    with torch.no_grad():
        loop.w.copy_(ours.weight_ih_l0)
        loop.u.copy_(ours.weight_hh_l0)
        loop.b.copy_(ours.bias_ih_l0 + ours.bias_hh_l0)
        for k, name in enumerate(("weight_p_i_l0", "weight_p_f_l0", "weight_p_o_l0")):
            loop.p[k].copy_(getattr(ours, name))
    return ours, loop


def custom(shapes: list[tuple[int, ...]], seconds: float) -> dict[str, Any]:
    """Training of custom cells, beside our LSTM and GRU and the ways people run a loop."""
    rows = []
    pairs: dict[str, tuple[str, str, dict[str, Any]]] = {  # the cell, what it is compared with
        "peephole_lstm": ("peephole_lstm", "lstm", {}),
        "lstm_gated_candidate": ("lstm_gated_candidate", "lstm", {}),
        "gru_reset_before": ("gru_reset_before", "gru", {}),
        "layer-norm lstm": ("lstm", "lstm", {"layer_norm": True}),
        "zoneout lstm": ("lstm", "lstm", {"zoneout": {"h": 0.05, "c": 0.5}}),
    }
    table = Table(title="custom cells: training time beside our own LSTM or GRU; loop / ours")
    for column in ("T, B, I, H", "cell", "of ours", "eager loop", "torch.jit", "torch.compile"):
        table.add_column(column, justify="right")
    for T, B, I, H in track(shapes, "custom cells", console=console):
        x = torch.randn(T, B, I)
        for cell, (name, like, options) in pairs.items():
            ours, loop = peephole(I, H)
            if cell != "peephole_lstm":
                ours = penstock.Recurrent(name, I, H, **options)
            calls = {"ours": training(ours, x), "like": training(penstock.Recurrent(like, I, H), x)}
            if cell == "peephole_lstm":
                torch.testing.assert_close(ours(x)[0], loop(x)[0], atol=1e-5, rtol=1e-4)
                calls |= {"loop": training(loop, x), "jit": training(torch.jit.script(loop), x)}
                if T <= 50:  # compiling an unrolled loop takes minutes
                    calls["compile"] = training(torch.compile(loop), x)
            t = medians(calls, seconds)
            row = {"cell": cell, "shape": [T, B, I, H], "ms": {k: v * 1e3 for k, v in t.items()}}
            row["of_ours"] = t["ours"] / t["like"]
            row |= {k: t[k] / t["ours"] for k in ("loop", "jit", "compile") if k in t}
            rows.append(row)
            peers = (f"{row[k]:.1f}×" if k in row else "" for k in ("loop", "jit", "compile"))
            table.add_row(", ".join(map(str, (T, B, I, H))), cell, f"{row['of_ours']:.2f}×", *peers)
    console.print(table)
    means = {c: geometric([r["of_ours"] for r in rows if r["cell"] == c]) for c in pairs}
    console.print("geometric mean of ours / our LSTM or GRU:", means)
    return {"rows": rows, "of_ours": means}


def products_in_the_loop(cell: type[penstock.Cell]) -> int:
    """Return how many products with a matrix a step of a cell waits for."""
    nodes = pipeline.lower(cell(), Place(3, 4)).plan.forward.graph.nodes
    return sum(node.op == "linear" for node in nodes)


def cells(seconds: float) -> dict[str, Any]:
    """Training and inference of every cell there is, beside our own LSTM of the same sizes."""
    found = penstock.cells()
    order = sorted(found, key=lambda name: (products_in_the_loop(found[name]), name))
    rows = []
    table = Table(title="every cell: time of our LSTM of the same sizes / its own time")
    for column in ("cell", "products", *(f"{s}, {k}" for s in BESIDE_LSTM for k in KINDS)):
        table.add_column(column, justify="right")
    for name in track(order, "every cell", console=console):
        products = products_in_the_loop(found[name])
        ratios = []
        for T, B, I, H in BESIDE_LSTM:
            x = torch.randn(T, B, I)
            pair = {
                "cell": penstock.Recurrent(name, I, H),
                "lstm": penstock.Recurrent("lstm", I, H),
            }
            row: dict[str, Any] = {"cell": name, "products": products, "shape": [T, B, I, H]}
            for kind, run in KINDS.items():
                t = medians({k: run(layer, x) for k, layer in pair.items()}, seconds)
                row |= {f"{kind}_ms": t["cell"] * 1e3, kind: t["lstm"] / t["cell"]}
                ratios.append(f"{row[kind]:.2f}×")
            rows.append(row)
        table.add_row(name, str(products), *ratios)
    console.print(table)
    return {"rows": rows}


def one_step(rounds: int) -> dict[str, Any]:
    """One step from Python, B = 1, beside torch.nn's cells and onnxruntime."""
    rows = []
    table = Table(title="one step, B = 1, 1 thread, µs; nn cell / stream ± noise")
    libraries = "stream", "cell", "penstock", "onnxruntime"
    for column in ("H", "cell", "stream", "nn cell", "layer", "onnxruntime", "ratio"):
        table.add_column(column, justify="right")
    with Arena() as arena:
        for H, name in itertools.product((16, 32, 64, 128, 256), ("LSTM", "GRU")):
            works = [Work(one, name, (1, 1, H, H), "inference", 1) for one in libraries]
            times = arena.measure(works, rounds)
            ratio, noise = times.ratio(["cell"], "stream")
            us = {one: times.seconds(one) * 1e6 for one in libraries}
            rows.append({"H": H, "kind": name, **us, "ratio": ratio, "noise": noise})
            shown = (f"{us[one]:.1f}" for one in libraries)
            table.add_row(str(H), name, *shown, f"{ratio:.1f}× ± {noise:.1f}")
    console.print(table)
    return {"rows": rows}


def compile_time() -> dict[str, Any]:
    """Seconds until a cell's first run, cold and from the cache, each in a new process."""
    program = (
        "import sys, time, torch, penstock\n"
        "layer, x = penstock.Recurrent(sys.argv[1], 8, 16), torch.randn(int(sys.argv[2]), 2, 8)\n"
        "start = time.perf_counter(); layer(x[:2]); print(time.perf_counter() - start)\n"
    )
    rows = []
    for cell in ("lstm", "gru", "peephole_lstm", "depth_gated_lstm"):
        for T in (16, 65536):
            with tempfile.TemporaryDirectory() as folder:
                times = [
                    float(
                        subprocess.run(
                            [sys.executable, "-c", program, cell, str(T)], check=True, text=True,
                            capture_output=True, env=os.environ | {"PENSTOCK_CACHE": folder},
                        ).stdout
                    )
                    for _ in range(2)
                ]  # fmt: skip
            rows.append({"cell": cell, "T": T, "cold_s": times[0], "warm_s": times[1]})
            console.print(f"{cell}, T={T}: cold {times[0]:.2f} s, warm {times[1] * 1e3:.1f} ms")
    return {"rows": rows}


@contextmanager
def peak_memory(found: dict[str, float]) -> Iterator[None]:
    """Record by how many MiB the process grows inside the block, by sampling."""
    statm, page = Path("/proc/self/statm"), os.sysconf("SC_PAGE_SIZE")

    def resident() -> float:
        return int(statm.read_text().split()[1]) * page / 2**20

    before, done, peaks = resident(), threading.Event(), [0.0]

    def watch() -> None:
        while not done.is_set():
            peaks.append(resident() - before)
            time.sleep(0.0005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        found["peak"] = max(peaks)


def memory() -> dict[str, Any]:
    """Peak memory of a training step beside torch.nn's, each in a new process."""
    rows = []
    for name in CELLS:
        for shape in SHAPES[3:4]:
            peaks = {
                library: float(
                    subprocess.run(
                        [sys.executable, __file__, "--peak", library, name, *map(str, shape)],
                        check=True, text=True, capture_output=True,
                    ).stdout
                )
                for library in ("penstock", "torch.nn")
            }  # fmt: skip
            rows.append({"cell": name, "shape": list(shape), "MiB": peaks})
            ratio = peaks["penstock"] / peaks["torch.nn"]
            console.print(f"{name} {shape}: peak of ours {ratio:.2f} of torch.nn's", peaks)
    return {"rows": rows}


def checkpoints() -> dict[str, Any]:
    """Peak memory and time of a training step with checkpoints over time, beside the plain one."""
    rows = []
    table = Table(title="LSTM with checkpoints over time, B = 8, I = 32, H = 128")
    for column in ("T", "plain MiB", "checkpoints MiB", "share", "time", "gradients differ by"):
        table.add_column(column, justify="right")
    for T in (1000, 4000, 16000):
        shape = (T, 8, 32, 128)
        peaks = {
            kind: float(
                subprocess.run(
                    [sys.executable, __file__, "--peak", kind, "LSTM", *map(str, shape)],
                    check=True, text=True, capture_output=True,
                ).stdout
            )
            for kind in ("penstock", "checkpoint")
        }  # fmt: skip
        plain, remade = (penstock.Recurrent("lstm", 32, 128, checkpoint=c) for c in (False, True))
        remade.load_state_dict(plain.state_dict())
        x = torch.randn(T, 8, 32)
        found = [gradients(layer, x) for layer in (plain, remade)]
        differs = max(
            float((a - b).norm() / a.norm()) for a, b in zip(*found, strict=True) if a.norm()
        )
        calls = {"plain": training(plain, x), "checkpoint": training(remade, x)}
        t = medians(calls, 1.0)
        rows.append({"T": T, "MiB": peaks, "differs": differs, "seconds": t})
        table.add_row(
            str(T), f"{peaks['penstock']:.0f}", f"{peaks['checkpoint']:.0f}",
            f"{peaks['checkpoint'] / peaks['penstock']:.2f}",
            f"{t['checkpoint'] / t['plain']:.2f}×", f"{differs:.1e}",
        )  # fmt: skip
    console.print(table)
    return {"rows": rows}


def gradients(layer: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return the gradients of the parameters under a loss that depends on every output."""
    output, _ = layer(x)
    return torch.autograd.grad(output.square().mean(), list(layer.parameters()))


def print_peak(library: str, name: str, *shape: str) -> None:
    """Print the peak of one training step in MiB."""
    T, B, I, H = map(int, shape)
    if library == "checkpoint":
        layer: torch.nn.Module = penstock.Recurrent(name.lower(), I, H, checkpoint=True)
    else:
        layer = getattr(penstock if library == "penstock" else torch.nn, name)(I, H)
    training(layer, torch.randn(2, 1, I))()  # code and kernels are loaded
    x, found = torch.randn(T, B, I), dict[str, float]()
    call = training(layer, x)
    with peak_memory(found):
        call()
    print(found["peak"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print_peak(*sys.argv[2:])
    else:
        typer.run(main)

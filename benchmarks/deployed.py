"""Measures one step of an LSTM and a GRU as deployed: exported C, onnxruntime, our own stream.

    python benchmarks/deployed.py [--out benchmarks/results/deployed.json]

Input 1, as in the benchmark that RTNeural publishes. Each library runs in a process of its own, in
blocks of steps with pauses between them; processes take turns, and figures are medians over all
blocks, in microseconds a step, with the fastest block in brackets: on a machine that does other
work meanwhile the two differ. Beside them stand RTNeural's published figures, measured by its
authors on another machine (i7-8700B). The C is compiled by the system's compiler, for this machine
and for any of its kind; sizes are those of its object.
Legend: H hidden.
"""

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from speed import machine

import penstock

SIZES = (8, 16, 32, 64)
CELLS = ("lstm", "gru")
RTNEURAL = {"lstm": (0.15, 0.32, 0.88, 3.2), "gru": (0.11, 0.22, 0.74, 2.4)}  # µs
FLAGS = {"C, this machine": ["-O3", "-march=native"], "C, any machine": ["-O3"]}
BLOCKS, SECONDS, PAUSE, ROUNDS = 15, 0.01, 0.02, 3
LIBRARIES = (*FLAGS, "stream", "onnxruntime")
MAIN = """#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>
#include "net.h"
static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
int main(void) {
  const struct timespec pause = {0, %(pause)d};
  net_state s;
  float x[1] = {0.3f}, y[NET_OUTPUTS] = {0};
  net_reset(&s);
  for (int block = -1, n = 1000; block < %(blocks)d; ++block) {
    const double start = now();
    for (int i = 0; i < n; ++i) {
      x[0] = 0.1f * y[0] + 0.3f; /* so that no step can be left out */
      net_step(&s, x, y);
    }
    const double each = (now() - start) / n;
    if (block < 0) n = 1 + (int)(%(seconds)g / each);
    else printf("%%.4f ", each * 1e6);
    nanosleep(&pause, 0);
  }
  return 0;
}
"""


def main(
    out: Annotated[Path | None, typer.Option(help="Where to write the figures as JSON.")] = None,
    child: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measure everything, print the tables, write the JSON."""
    if child:
        library, cell, size = child.split(",")
        print(*blocks(CHILDREN[library](cell, int(size))))
        return
    rows = [measured(cell, size) for cell in CELLS for size in SIZES]
    show(rows)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        figures = {"machine": machine(), "compiler": compiler(), "rows": rows}
        out.write_text(json.dumps(figures, indent=1) + "\n")


def measured(cell: str, size: int) -> dict[str, Any]:
    """Return a network's figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = {library: built(folder, cell, size, f) for library, f in FLAGS.items()}
        for library in CHILDREN:
            asked = f"{library},{cell},{size}"
            commands[library] = [sys.executable, __file__, "--child", asked]
        times: dict[str, list[float]] = {library: [] for library in commands}
        for _ in range(ROUNDS):
            for library, command in commands.items():
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                times[library] += map(float, done.stdout.split())
        code, data = object_size(folder)
    medians = {library: statistics.median(t) for library, t in times.items()}
    fastest = {library: min(t) for library, t in times.items()}
    published = RTNEURAL[cell][SIZES.index(size)]
    return {
        "cell": cell, "H": size, "us": medians, "fastest_us": fastest,
        "rtneural_published_us": published, "code_bytes": code, "data_bytes": data,
    }  # fmt: skip


def built(folder: Path, cell: str, size: int, flags: list[str]) -> list[str]:
    """Return the command that runs a network's C, compiled with these flags."""
    torch.manual_seed(0)
    penstock.export(penstock.Recurrent(cell, 1, size), folder / "net.c")
    pause = int(PAUSE * 1e9)
    main = folder / "main.c"
    main.write_text(MAIN % {"pause": pause, "blocks": BLOCKS, "seconds": SECONDS})
    program = folder / "-".join(["program", *flags])
    words = ["cc", "-std=c99", *flags, main, folder / "net.c", "-o", program, "-lm"]
    subprocess.run(words, check=True)
    return [str(program)]


def object_size(folder: Path) -> tuple[int | None, int | None]:
    """Return the bytes of code and of constants of a network's object at -Os; None unknown."""
    made = folder / "net.o"
    subprocess.run(["cc", "-std=c99", "-Os", "-c", folder / "net.c", "-o", made], check=True)
    if shutil.which("size") is None:
        return None, None
    said = subprocess.run(["size", "-A", made], capture_output=True, text=True, check=True).stdout
    sections = {m[1]: int(m[2]) for m in re.finditer(r"^(\S+)\s+(\d+)", said, re.MULTILINE)}
    data = sum(n for name, n in sections.items() if name.startswith((".rodata", ".data")))
    return sections[".text"], data


def blocks(step: Callable[[], Any]) -> list[float]:
    """Return the microseconds of a step, a figure a block."""
    count, times = 200, []
    for block in range(-1, BLOCKS):
        start = time.perf_counter()
        for _ in range(count):
            step()
        each = (time.perf_counter() - start) / count
        if block < 0:
            count = 1 + int(SECONDS / each)
        else:
            times.append(each * 1e6)
        time.sleep(PAUSE)
    return times


def stream(cell: str, size: int) -> Callable[[], Any]:
    """Return a step of our own stream."""
    torch.set_num_threads(1)
    step, x = penstock.Recurrent(cell, 1, size).stream().step, torch.full((1, 1), 0.3)
    return lambda: step(x)


def onnxruntime(cell: str, size: int) -> Callable[[], Any]:
    """Return a step of ONNX's own operator, with the state handed on through bound memory."""
    import numpy as np
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    gates = {"lstm": 4, "gru": 3}[cell]
    draws, states = np.random.default_rng(0), ["h", "c"] if cell == "lstm" else ["h"]
    shapes = {"W": (1, gates * size, 1), "R": (1, gates * size, size), "B": (1, 2 * gates * size)}
    weights = [
        numpy_helper.from_array(draws.normal(0, 0.1, shape).astype("f"), name)
        for name, shape in shapes.items()
    ]
    sizes = {"x": (1, 1, 1), **dict.fromkeys(states, (1, 1, size))}
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in sizes.items()]
    names = [f"new_{s}" for s in states]
    after = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 1, size)) for n in names]
    options = {} if cell == "lstm" else {"linear_before_reset": 1}
    inputs, outputs = ["x", "W", "R", "B", "", *states], ["", *names]
    node = helper.make_node(cell.upper(), inputs, outputs, hidden_size=size, **options)
    graph = helper.make_graph([node], "step", given, after, weights)
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    binding = session.io_binding()
    zeros = {n: ort.OrtValue.ortvalue_from_numpy(np.zeros(s, "f")) for n, s in sizes.items()}
    for name, value in zeros.items():
        binding.bind_ortvalue_input(name, value)
    for state in states:  # over the old one: a step of one reads its state before it writes
        binding.bind_ortvalue_output(f"new_{state}", zeros[state])
    return lambda: session.run_with_iobinding(binding)


CHILDREN = {"stream": stream, "onnxruntime": onnxruntime}


def compiler() -> str:
    """Return the first line that the compiler says of itself."""
    said = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(title="µs a step, input 1; medians of blocks, and the fastest")
    heads = (*LIBRARIES, "RTNeural, published", "code, bytes", "constants, bytes")
    for column in ("cell", "H", *heads):
        table.add_column(column, justify="right")
    for row in rows:
        figures = [f"{row['us'][n]:.3g} ({row['fastest_us'][n]:.3g})" for n in LIBRARIES]
        sizes = [str(row[key]) for key in ("rtneural_published_us", "code_bytes", "data_bytes")]
        table.add_row(row["cell"], str(row["H"]), *figures, *sizes)
    Console(width=130).print(table)


if __name__ == "__main__":
    typer.run(main)

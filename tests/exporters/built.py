"""Programs of exported C, run over given inputs."""

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
SANITIZED = [
    "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
]  # fmt: skip
_MAIN = """#include <stdio.h>
#include <stdlib.h>
{includes}

static float *numbers(FILE *file, size_t n) {{
  float *all = (float *)malloc(n * sizeof *all);
  if (!all || fread(all, sizeof *all, n, file) != n) exit(1);
  return all;
}}

{runs}
typedef void (*run)(FILE *, FILE *); /* called through a table: never inlined into main */
static const run runs[] = {{ {table} }};

int main(int argc, char **argv) {{
  FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
  if (argc != 3 || !in || !out) return 1;
  for (size_t n = 0; n < sizeof runs / sizeof *runs; ++n) runs[n](in, out);
  fclose(in);
  return fclose(out);
}}
"""
_RUN = """static void run_{name}(FILE *in, FILE *out) {{
  float *x = numbers(in, {T} * {I}), y[{O}];
  {name}_state s;
  {name}_reset(&s);
  for (int t = 0; t < {T}; ++t) {{
    {name}_step(&s, x + t * {I}, y);
    fwrite(y, sizeof *y, {O}, out);
  }}
  free(x);
}}
"""


def compiler(name: str = "gcc") -> str:
    """Return a compiler's path, or skip the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"there is no {name}")
    return path


def program(folder: Path, names: Mapping[str, tuple[Tensor, int]]) -> Path:
    """Write a program that steps all networks of a folder; x [T, I] and the outputs' width each.

    All are one translation unit, as in a unity build.
    """
    runs = [
        _RUN.format(name=name, T=x.shape[0], I=x.shape[1], O=width)
        for name, (x, width) in names.items()
    ]
    includes = "\n".join(f'#include "{name}.c"' for name in names)
    main = folder / "main.c"
    table = ", ".join(f"run_{name}" for name in names)
    main.write_text(_MAIN.format(includes=includes, runs="\n".join(runs), table=table))
    (folder / "in").write_bytes(b"".join(_bytes(x) for x, _ in names.values()))
    return main


def build(main: Path, *flags: str, command: str = "gcc", output: str = "program") -> Path:
    """Compile a program; a failure shows what the compiler said."""
    made = main.with_name(output)
    words = [compiler(command), *flags, str(main), "-o", str(made), "-lm"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[:4000]
    return made


def outputs(made: Path, names: Mapping[str, tuple[Tensor, int]]) -> dict[str, Tensor]:
    """Run a program; return the outputs [T, O] of each network."""
    folder = made.parent
    out = folder / f"{made.name}.out"
    words = [str(made), str(folder / "in"), str(out)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[:4000]
    data, found, place = out.read_bytes(), {}, 0
    for name, (x, width) in names.items():
        count = len(x) * width
        part = struct.unpack(f"<{count}f", data[place : place + 4 * count])
        found[name], place = torch.tensor(part).reshape(len(x), width), place + 4 * count
    assert place == len(data)
    return found


def _bytes(x: Tensor) -> bytes:
    return x.float().contiguous().numpy().tobytes()

"""How long a layer takes in each form of a .pt2 file; prints the table of docs/exporting.md.

Each form runs alone, in turns with the others; the least of the turns counts, on one thread.

    python benchmarks/programs.py
"""

import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import penstock

T, I, H = 100, 8, 64
ROWS = (1, 32)
TURNS = 30
FORMS = {
    "the file": {},
    "`equations=True`": {"equations": True},
    "`package=True`": {"package": True},
    "both": {"equations": True, "package": True},
}


def forms(layer: penstock.Recurrent, folder: Path) -> dict[str, Callable[[Any], Any]]:
    """Return what runs the layer in each form."""
    made: dict[str, Callable[[Any], Any]] = {"the layer": layer}
    for name, options in FORMS.items():
        path = penstock.export(layer, folder / f"{len(made)}.pt2", **options)
        if "package" in options:
            made[name] = torch._inductor.aoti_load_package(str(path))
        else:
            made[name] = torch.export.load(path).module()

    def by_equations(x: torch.Tensor) -> Any:
        with penstock.backend("eager"):
            return layer(x)

    return made | {"the layer, eager": by_equations}


def measure(run: dict[str, Callable[[Any], Any]], B: int) -> dict[str, float]:
    """Return the least time of each form, ms."""
    x = torch.randn(T, B, I)
    least = dict.fromkeys(run, float("inf"))
    for _ in range(TURNS):
        for name, call in run.items():
            start = time.perf_counter()
            call(x)
            least[name] = min(least[name], 1000 * (time.perf_counter() - start))
    return least


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    layer = penstock.LSTM(I, H).eval()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        run = forms(layer, Path(folder))
        found = [measure(run, B) for B in ROWS]
    print("| ms | " + " | ".join(f"B = {B}" for B in ROWS) + " |")
    print("|---|" + "---|" * len(ROWS))
    for name in run:
        print(f"| {name} | " + " | ".join(f"{one[name]:.2f}" for one in found) + " |")


if __name__ == "__main__":
    main()
